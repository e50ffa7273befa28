"""What a replica says about itself, and who is told what happens in it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kinesphere.core.jobs import Job


class ReplicaState(StrEnum):
    """Where a replica is.

    STARTING loads and warms its engine; READY waits for work; BUSY runs a batch; DRAINING takes no
    more; SETUP_FAILED waits to try again; DEFUNCT does too, having failed many times in a row, and
    needs somebody's attention; STOPPED has no child and will not have one again.
    """

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    SETUP_FAILED = "setup_failed"
    DEFUNCT = "defunct"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """One replica at one moment.

    Attributes:
        worker: Its name, which the ledger keeps with every claim.
        pool: The pool that it serves.
        model: The model that the pool belongs to.
        state: Where it is.
        since: When it came there, s since the epoch.
        pid: Process id of its child, or None without one.
        batches: Batches that ended.
        jobs: Jobs that it finished, successfully.
        held: Jobs that it holds now, those being stored included.
        children: Child processes started.
        load_seconds: Time of the last `load`, imports included, or None before the first.
        warm_seconds: Time of the last `warm_up`, or None before the first.
        memory: Bytes of main memory of the child, as it last said; 0 without a child.
        fixed_seconds: Estimated time of a batch before its first job.
        job_seconds: Estimated time that each job adds to a batch.
        last_error: What went wrong last, or "".
    """

    worker: str
    pool: str
    model: str
    state: ReplicaState
    since: float
    pid: int | None
    batches: int
    jobs: int
    held: int
    children: int
    load_seconds: float | None
    warm_seconds: float | None
    memory: int
    fixed_seconds: float
    job_seconds: float
    last_error: str


class Observer(Protocol):
    """Told what happens in replicas, for metrics. Its methods never block and never raise."""

    def replica_entered(self, pool: str, worker: str, state: ReplicaState) -> None:
        """A replica came to another state."""
        ...

    def child_ready(self, pool: str, load_seconds: float, warm_seconds: float) -> None:
        """A child was loaded and warmed."""
        ...

    def child_died(self, pool: str, how: str) -> None:
        """A child ended unasked, or had to be killed."""
        ...

    def batch_started(self, pool: str, size: int) -> None:
        """A batch was given to a child."""
        ...

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:
        """A batch left the device after `seconds` in the engine."""
        ...

    def job_settled(self, job: Job) -> None:
        """The ledger took a replica's last word about a claim; `job` is what came of it."""
        ...

    def lease_lost(self, pool: str) -> None:
        """A lease was found to be lost while the work was going on."""
        ...

    def stale_token(self, pool: str) -> None:
        """A last word was refused, because its token no longer held the job."""
        ...


class Unobserved:
    """An observer that forgets everything."""

    def replica_entered(self, pool: str, worker: str, state: ReplicaState) -> None:
        """See `Observer`."""

    def child_ready(self, pool: str, load_seconds: float, warm_seconds: float) -> None:
        """See `Observer`."""

    def child_died(self, pool: str, how: str) -> None:
        """See `Observer`."""

    def batch_started(self, pool: str, size: int) -> None:
        """See `Observer`."""

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:
        """See `Observer`."""

    def job_settled(self, job: Job) -> None:
        """See `Observer`."""

    def lease_lost(self, pool: str) -> None:
        """See `Observer`."""

    def stale_token(self, pool: str) -> None:
        """See `Observer`."""
