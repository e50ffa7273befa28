"""What is asked for, by how many, at which rate. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final, Literal

PROMPTS: Final = (
    "a man walks forward, then waves with his right hand",
    "she runs in a circle and jumps twice",
    "一个人走路，然后挥手",
    "a tired old man sits down slowly",
    "a dancer spins, then kneels on one knee",
    "他跑步前进，跳起来，然后鞠躬",
    "a boxer throws three punches and steps back",
    "somebody picks up a box and carries it",
)

SHORT_CLIP: Final = 3.0
"""Seconds of motion at which latencies are told apart."""

Task = Literal["motion", "mesh"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request.

    Attributes:
        task: "motion" or "mesh".
        weight: How often it is asked for beside the others.
        durations: Clip lengths, s, drawn evenly; for motions.
    """

    task: Task = "motion"
    weight: float = 1.0
    durations: tuple[float, ...] = (2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Workload:
    """A load.

    Attributes:
        seconds: How long requests are sent; those under way are then waited for.
        users: Closed loop: so many clients, each asking again when it was served; 0 for an open
            loop.
        rate: Open loop: requests a second on average, whatever comes back; 0 for a closed loop.
        ramp: Seconds over which users, or the rate, rise from nothing.
        think: Mean pause of a user between two requests, s, exponentially distributed.
        mix: What is asked for.
        model: Pinned model, or None.
        repeat: Share of requests that repeat an earlier one exactly, and so may be cached.
        seed: Of everything that is drawn.
    """

    seconds: float
    users: int = 0
    rate: float = 0.0
    ramp: float = 0.0
    think: float = 0.0
    mix: tuple[Kind, ...] = (Kind(),)
    model: str | None = None
    repeat: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        if (self.users > 0) == (self.rate > 0.0):
            raise ValueError("a load has either users, for a closed loop, or a rate, for an open")


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask for: the fields of the HTTP request."""

    task: Task
    fields: Mapping[str, Any]

    @property
    def clip_seconds(self) -> float | None:
        """Length of the motion, s."""
        return self.fields.get("duration")


class Draw:
    """Requests of a workload, one after another; the same seed gives the same ones."""

    def __init__(self, load: Workload) -> None:
        self._load = load
        self._random = Random(load.seed)  # noqa: S311 - a load, no secret
        self._asked: list[Request] = []

    def request(self) -> Request:
        """The next one. Its seed is its own, so that nothing is cached unless it repeats."""
        if self._asked and self._random.random() < self._load.repeat:
            return self._random.choice(self._asked)
        kinds = self._load.mix
        kind = self._random.choices(kinds, [k.weight for k in kinds])[0]
        fields: dict[str, Any] = {"seed": self._random.getrandbits(32)}
        if kind.task == "motion":
            fields |= {
                "prompt": self._random.choice(PROMPTS),
                "duration": self._random.choice(kind.durations),
            }
        if self._load.model is not None:
            fields["model"] = self._load.model
        request = Request(kind.task, MappingProxyType(fields))
        self._asked.append(request)
        return request

    def pause(self) -> float:
        """Seconds that a user thinks before the next request."""
        return self._random.expovariate(1.0 / self._load.think) if self._load.think else 0.0

    def gap(self, at: float) -> float:
        """Seconds to the next request of an open loop, `at` s after its start."""
        risen = min(1.0, (at + 0.5) / self._load.ramp) if self._load.ramp else 1.0
        return self._random.expovariate(self._load.rate * risen)


def parse_mix(text: str) -> tuple[Kind, ...]:
    """Read `motion=3,mesh=1`. Raises ValueError."""
    kinds = []
    for item in text.split(","):
        task, equals, weight = item.strip().partition("=")
        if task == "motion":
            kinds.append(Kind("motion", float(weight) if equals else 1.0))
        elif task == "mesh":
            kinds.append(Kind("mesh", float(weight) if equals else 1.0))
        else:
            raise ValueError(f"{task!r} is neither motion nor mesh")
    if sum(kind.weight for kind in kinds) <= 0.0 or any(kind.weight < 0.0 for kind in kinds):
        raise ValueError("the weights must be positive")
    return tuple(kinds)


def durations_of(kinds: Sequence[Kind], durations: tuple[float, ...]) -> tuple[Kind, ...]:
    """The same kinds with other clip lengths."""
    return tuple(Kind(kind.task, kind.weight, durations) for kind in kinds)
