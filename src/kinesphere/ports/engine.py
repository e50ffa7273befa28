"""The engine, and what goes in and out of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

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
