"""Who is told what happens in a replica."""

from collections.abc import Callable, Mapping
from typing import Protocol

from kinesphere.core.jobs import Job
from kinesphere.core.replicas import ReplicaState


class Observer(Protocol):
    """Told what happens in replicas, for metrics. Its methods never block and never raise."""

    def replica_entered(self, pool: str, worker: str, state: ReplicaState) -> None:
        """A replica came to another state."""
        ...

    def child_ready(self, pool: str, phases: Mapping[str, float]) -> None:
        """A child was started, loaded and warmed; seconds by phase."""
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

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        """A claim of `job` passed a phase that took `seconds` and ended `ago` seconds ago.

        The phases are inputs, engine, encode and store; an attempt lacks those that it never came
        to, and inputs where it has none.
        """
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

    def child_ready(self, pool: str, phases: Mapping[str, float]) -> None:
        """See `Observer`."""

    def child_died(self, pool: str, how: str) -> None:
        """See `Observer`."""

    def batch_started(self, pool: str, size: int) -> None:
        """See `Observer`."""

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:
        """See `Observer`."""

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        """See `Observer`."""

    def job_settled(self, job: Job) -> None:
        """See `Observer`."""

    def lease_lost(self, pool: str) -> None:
        """See `Observer`."""

    def stale_token(self, pool: str) -> None:
        """See `Observer`."""


class Observers:
    """An observer that tells several."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def replica_entered(self, pool: str, worker: str, state: ReplicaState) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.replica_entered(pool, worker, state)

    def child_ready(self, pool: str, phases: Mapping[str, float]) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.child_ready(pool, phases)

    def child_died(self, pool: str, how: str) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.child_died(pool, how)

    def batch_started(self, pool: str, size: int) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.batch_started(pool, size)

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.batch_ended(pool, size, seconds)

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.phase_ended(job, phase, seconds, ago)

    def job_settled(self, job: Job) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.job_settled(job)

    def lease_lost(self, pool: str) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.lease_lost(pool)

    def stale_token(self, pool: str) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.stale_token(pool)


class Phases(Unobserved):
    """An observer that only minds the phases of claims."""

    def __init__(self, told: Callable[[Job, str, float, float], None]) -> None:
        self._told = told

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        """See `Observer`."""
        self._told(job, phase, seconds, ago)
