"""When a job will be done, and whether to take it at all."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """How fast one replica of a pool works: a batch of n takes `fixed + per_job * n` seconds."""

    fixed: float
    per_job: float
    batch_limit: int

    def batch_seconds(self, jobs: int) -> float:
        """Seconds for one batch of `jobs`."""
        return self.fixed + self.per_job * jobs


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a job is expected to be done, and what that rests on.

    Attributes:
        seconds: From now until it is done.
        ahead: Jobs waiting or running before it in its pool.
        replicas: Replicas that serve the pool; 0 while none is ready.
        batch_seconds: Expected time of the batch it will be in.
    """

    seconds: float
    ahead: int
    replicas: int
    batch_seconds: float


def estimate(
    service: Service, waiting: int, running: int, replicas: int, start_up: float
) -> Estimate:
    """Expect a job that joins the end of a pool's queue.

    Whole batches ahead are shared among the replicas; the batches that run now are half done on
    average. `start_up` is how long until a first replica is ready, where none is.
    """
    limit = service.batch_limit
    full = math.ceil((waiting + 1) / limit)
    own = service.batch_seconds(waiting + 1 - (full - 1) * limit)
    lanes = max(replicas, 1)
    rounds_before = (full - 1) // lanes
    seconds = rounds_before * service.batch_seconds(limit) + own
    busy = math.ceil(running / limit)
    if busy >= lanes:
        seconds += service.batch_seconds(min(running, limit)) / 2
    if replicas == 0:
        seconds += start_up
    return Estimate(seconds, waiting + running, replicas, own)
