"""One claim of a replica, and the ports that a replica works through."""

from dataclasses import dataclass, field

from kinesphere.core.jobs import Job
from kinesphere.ports import Artifacts, Clock, Feed, Hints, Ledger
from kinesphere.worker.status import Observer


@dataclass(frozen=True, slots=True)
class Seams:
    """The ports that a replica works through."""

    clock: Clock
    ledger: Ledger
    hints: Hints
    feed: Feed
    artifacts: Artifacts
    observer: Observer


@dataclass(slots=True, eq=False)
class Held:
    """One claim, from the moment it was made until its last word.

    Attributes:
        job: As it was claimed; with another id and token once another inherited the claim.
        claim: The name of this claim towards the child.
        progress: 0 to 1, as last told by the engine.
        wanted: False once the job was cancelled, or the lease lost.
        settling: Whether a last word is on its way.
        due: When its result is expected to be stored (monotonic), or None before its batch began.
        freed: When the device was free of it (monotonic), or None before.
    """

    job: Job
    progress: float = 0.0
    wanted: bool = True
    settling: bool = False
    due: float | None = None
    freed: float | None = None
    claim: str = field(init=False)

    def __post_init__(self) -> None:
        self.claim = f"{self.job.id}/{self.job.token}"
