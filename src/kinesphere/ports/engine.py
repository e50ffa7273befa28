"""The engine, and what goes in and out of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json

if TYPE_CHECKING:
    from kinesphere.formats.clip import Clip


@dataclass(frozen=True, slots=True)
class Work:
    """One job as an engine sees it.

    Attributes:
        request: The validated request. For a motion: `prompt`, `duration` (s), `seed`.
        inputs: Files by name: the caller's picture, or what the stage before made.
    """

    request: Mapping[str, Json]
    inputs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """A finished file from an engine that encodes by itself."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """An engine's result for one job.

    Attributes:
        asset: A motion clip, which the platform checks and encodes in the format asked for, or
            finished files.
        notes: JSON facts for the caller, such as the words understood and ignored.
        still: Whether the figure was asked to hold still, so that not moving is no fault.
    """

    asset: "Clip | tuple[File, ...]"
    notes: Mapping[str, Json] = field(default_factory=dict)
    still: bool = False


Outcome = Made | Failure

LOAD_PHASES: Final = ("read_weights", "to_device", "compile")
"""Parts of a `load` or `warm_up` that an engine may time by itself."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What an engine measured while it was brought up.

    Attributes:
        phases: Seconds by name of LOAD_PHASES; what is left out counts as loading or warming.
        run_seconds: Time of a batch of one typical job on the warm engine, such as the second of
            two runs of `warm_up`; None where that ran no typical job. With it, what the warm-up
            took on the device is held for what a job takes.
    """

    phases: Mapping[str, float] = field(default_factory=dict)
    run_seconds: float | None = None


class Engine(Protocol):
    """Code that turns a stage's inputs into outputs on one device.

    An engine lives in a child process of its own. It never sees HTTP, the ledger or a queue. All
    methods are called from one thread, in this order: the constructor with the stage's options as
    keywords, `load`, `warm_up`, `run` any number of times, `unload`. What it prints goes to the
    log. It may raise anything: an exception from `run` fails the whole batch with ENGINE_FAILED
    (MemoryError: OOM_HOST); from `load` or `warm_up` it fails the set-up of the replica.
    """

    def load(self, device: str) -> None:
        """Bring the model to `device` ("cpu", "cuda:0", …). Called once, may take minutes."""
        ...

    def warm_up(self) -> None:
        """Run the common cases once, so that the first job is as fast as the hundredth."""
        ...

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Make one outcome for each piece of work, in order.

        `report(i, fraction, phase)` tells how far work `i` is; as often as convenient.
        `cancelled(i)` says whether work `i` is wanted no more: ask between steps and skip it
        (return Failure("CANCELLED", …) for it). Equal work gives equal results, whatever else is
        in the batch.
        """
        ...

    def unload(self) -> None:
        """Give back the device. The process ends after it."""
        ...


@runtime_checkable
class TellsSetUp(Protocol):
    """An engine that measures how it is brought up."""

    def set_up(self) -> SetUp:
        """What was measured. Called once, after `warm_up`."""
        ...


@runtime_checkable
class Sleeps(Protocol):
    """An engine that can leave its device and stay in main memory, to be back soon.

    Both are called between batches, by the same thread as everything else, and in turn. After an
    exception the process ends. `unload` may come while it sleeps.
    """

    def sleep(self) -> None:
        """Give the device back, all of it, and keep the model in main memory."""
        ...

    def wake(self) -> None:
        """Be on the device again, as warm as after `warm_up`."""
        ...


@runtime_checkable
class TellsMemory(Protocol):
    """An engine that knows what it takes on the device.

    Of one that does not, the child asks the driver, which sees no peak between two looks.
    """

    def peak_device_bytes(self) -> int:
        """Most bytes that it held on the device since this was last asked, reserved ones included.

        0 where there are none to tell, as on the CPU. Called after `warm_up` and after each `run`.
        """
        ...
