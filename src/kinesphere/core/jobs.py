"""The job, what happens to it, and what may be asked of it; `kinesphere.core.transitions` decides.

All times are seconds since the epoch (UTC), given by the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from kinesphere.core.failures import Failure

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

LOWEST_PRIORITY: Final = 0
HIGHEST_PRIORITY: Final = 9
DEFAULT_PRIORITY: Final = 5


def _nothing() -> Mapping[str, Json]:
    return MappingProxyType({})


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class EventKind(StrEnum):
    """What happened to a job. Every event is stored in the same transaction as its change."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    STAGE_FINISHED = "stage_finished"
    REQUEUED = "requeued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVIVED = "revived"
    OTHER = "other"
    """What only a newer release knows, which writes to the same ledger."""

    @classmethod
    def _missing_(cls, _value: object) -> "EventKind":
        return cls.OTHER


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: a kind and its facts, JSON values only."""

    kind: EventKind
    data: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A file made by a job, as the ledger keeps it.

    Attributes:
        key: Where the artifact store has it; holds job id and token, so attempts never collide.
        name: File name for the one who downloads it.
        media_type: Its media type.
        size: Bytes.
        digest: SHA-256, lower-case hexadecimal.
        stage: Index of the stage that made it.
    """

    key: str
    name: str
    media_type: str
    size: int
    digest: str
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the claim of a job went that ended while others wanted its run: a job and a token."""

    job_id: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for one asset.

    Attributes:
        id: ULID, 26 characters, sorts by time of submission.
        task: "motion" or "mesh".
        model: Name of the model that makes it.
        model_version: That model's version.
        user: Who asked.
        request: The validated request, JSON values only.
        pools: One pool name a stage, in order.
        stage: Index into `pools` of the stage that is waiting or running.
        state: Where it is.
        priority: 0 to 9; 9 is claimed first.
        weight: How much work it is beside a typical request of its model, which weighs 1.
        created_at: When it was accepted.
        ready_at: When it may be claimed; later than `created_at` while backing off.
        started_at: When it was first claimed.
        finished_at: When it reached a terminal state.
        deadline: When it expires if nobody has claimed it, or None for never.
        attempts: Claims of this stage that ended in a failure, or are running.
        losses: How often the whole server died under it; not counted as an attempt.
        alone: Whether it must be run in a batch of its own, because a batch it was in crashed.
        token: The number of the last claim; 0 before the first.
        worker: The replica that holds it while running.
        lease_until: When that hold ends unless it is extended.
        progress: 0 to 1 within the stage, as last stored.
        failure: Why the last attempt failed, or None.
        inputs: Files that came with the request, such as the picture, as they were stored.
        artifacts: What the finished stages made.
        notes: What the engine says about the result, such as `understood` and `ignored`.
        request_id: Id of the HTTP request that brought it.
        trace: W3C `traceparent` of that request, or "".
        webhook: URL that is told of its end, or None.
        content: Names what is asked for, equal for equal requests; "" shares with nobody.
        leader: The job whose run this one waits for instead of a claim of its own, or None.
        raised: The highest priority among those who joined its run; None when nobody has.
        joined: Whether it was given another's run.
        cached: Whether it was given what was there already.
        moved: Where its claim went, if it was cancelled while others wanted its run.
        routed: Why its model makes it, a value of kinesphere.core.routing.Routed.
    """

    id: str
    task: str
    model: str
    model_version: str
    user: str
    request: Mapping[str, Json]
    pools: tuple[str, ...]
    created_at: float
    ready_at: float
    stage: int = 0
    state: State = State.QUEUED
    priority: int = DEFAULT_PRIORITY
    weight: float = 1.0
    started_at: float | None = None
    finished_at: float | None = None
    deadline: float | None = None
    attempts: int = 0
    losses: int = 0
    alone: bool = False
    token: int = 0
    worker: str | None = None
    lease_until: float | None = None
    progress: float = 0.0
    failure: Failure | None = None
    inputs: tuple[ArtifactRef, ...] = ()
    artifacts: tuple[ArtifactRef, ...] = ()
    notes: Mapping[str, Json] = field(default_factory=_nothing)
    request_id: str = ""
    trace: str = ""
    webhook: str | None = None
    content: str = ""
    leader: str | None = None
    raised: int | None = None
    joined: bool = False
    cached: bool = False
    moved: Moved | None = None
    routed: str = "default"

    @property
    def trace_id(self) -> str | None:
        """The trace that the job belongs to: the second part of its `traceparent`."""
        return self.trace.split("-")[1] if self.trace else None

    @property
    def precedence(self) -> int:
        """The priority that it is claimed with: its own, or a higher one of who joined it."""
        return self.priority if self.raised is None else max(self.priority, self.raised)

    @property
    def in_line(self) -> bool:
        """Whether it waits for a claim, now or after its back-off."""
        return self.state is State.QUEUED and self.leader is None

    @property
    def pool(self) -> str:
        """The pool that runs the present stage."""
        return self.pools[self.stage]

    @property
    def ended(self) -> bool:
        """Whether nothing but a revival can change it any more."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica takes the job until `lease_until`."""

    worker: str
    lease_until: float


@dataclass(frozen=True, slots=True)
class Extend:
    """The holder keeps its lease until `lease_until` and says how far it is (0 to 1)."""

    token: int
    lease_until: float
    progress: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The holder has made this stage's artifacts, already safe in the store."""

    token: int
    artifacts: tuple[ArtifactRef, ...]
    notes: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Fail:
    """The holder's attempt failed. `alone`: it took others down with it, so isolate it."""

    token: int
    failure: Failure
    alone: bool = False


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The holder is draining and returns the job unharmed; no attempt is counted."""

    token: int


@dataclass(frozen=True, slots=True)
class Reap:
    """The lease lapsed: the replica is taken for dead."""


@dataclass(frozen=True, slots=True)
class Recover:
    """The server that held the job is known to have died, and with it the lease."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user, or an operator, wants it no more."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline passed while it waited."""


@dataclass(frozen=True, slots=True)
class Revive:
    """An operator gives a failed or expired job another set of attempts."""


Command = (
    Claim | Extend | Finish | Fail | GiveBack | Reap | Recover | Cancel | Expire | Revive
)  # fmt: skip


class Refused(Exception):
    """The command does not apply; the job is unchanged."""


class StaleToken(Refused):
    """The claim that speaks is no longer the one that holds the job."""


class WrongState(Refused):
    """The job is not in a state in which this command makes sense."""
