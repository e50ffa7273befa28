"""Who is told what happens in a replica."""

from typing import Protocol

from kinesphere.core.jobs import Job
from kinesphere.core.replicas import ReplicaState


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
