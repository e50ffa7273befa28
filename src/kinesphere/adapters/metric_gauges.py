"""Gauges that are read at the moment of a scrape."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import Job, State
from kinesphere.core.replicas import ReplicaState
from kinesphere.core.rollout import Release
from kinesphere.ports import Backlog
from kinesphere.version import __version__

WINDOW: Final = 60.0
"""Seconds over which the mean latency is taken."""

_NOTHING: Final = Backlog(waiting=0, running=0, oldest=None)
_STATES: Final = [state.value for state in ReplicaState if state is not ReplicaState.STOPPED]


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as the documentation lists it. `unit` is "" for a plain count."""

    name: str
    kind: str
    labels: tuple[str, ...]
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read at the moment of a scrape. None, or no entry, means unknown: no series.

    Attributes:
        backlogs: As the ledger tells, by pool; a pool that is missing has nothing to do.
        counts: Jobs kept, by model and state.
        ended: Jobs that ended in the last minute; of very many, the last ones.
        replicas: How many are in each state, by pool and state; what is missing is 0.
        plans: What the scaler decided, replicas by pool and tier; "" is the tier of a pool that
            has none.
        memory: Bytes of main memory of a pool's engine processes together, by pool.
        redis_queue: Hints waiting in Redis.
        releases: The last release of each task, by task.
    """

    backlogs: Mapping[str, Backlog] | None = None
    counts: Mapping[tuple[str, State], int] | None = None
    ended: Sequence[Job] | None = None
    replicas: Mapping[tuple[str, str], int] | None = None
    plans: Mapping[tuple[str, str], int] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    redis_queue: int | None = None
    releases: Mapping[str, Release] | None = None


GAUGES: Final = (
    Described("hy_motion_queue_length", "gauge", (), "jobs", "Motion jobs that wait."),
    Described(
        "hy_motion_avg_latency_ms", "gauge", (), "milliseconds",
        "Mean time from acceptance to success of the motions that ended in the last minute, those "
        "served from the cache left out. Absent when there were none.",
    ),
    Described(
        "redis_queue_length", "gauge", (), "hints",
        "Hints waiting in Redis. Absent where Redis is not the broker, or does not answer.",
    ),
    Described("kinesphere_queue_depth", "gauge", ("pool",), "jobs", "Jobs that wait."),
    Described("kinesphere_running_jobs", "gauge", ("pool",), "jobs", "Jobs that are claimed."),
    Described(
        "kinesphere_oldest_wait_seconds", "gauge", ("pool",), "seconds",
        "How long the longest waiting job has been ready; 0 when none waits.",
    ),
    Described(
        "kinesphere_stored_jobs", "gauge", ("model", "state"), "jobs",
        "Jobs that the ledger keeps, those that ended included.",
    ),
    Described(
        "kinesphere_release_weight", "gauge", ("task", "model"), "share",
        "Part of a task's traffic that its last release gives a model, 0 to 1.",
    ),
    Described(
        "kinesphere_release_evidence", "gauge", ("task", "test"), "",
        "E-value of a running release's test: the canary is rolled back at 4 / alpha.",
    ),
    Described(
        "kinesphere_ledger_up", "gauge", (), "",
        "1 when the ledger answered this scrape, else 0; what it would have told is then absent.",
    ),
    Described(
        "kinesphere_replicas", "gauge", ("pool", "state"), "replicas",
        "Replicas by state: from a server, an API or a sweeper all there are, from a worker its "
        "own.",
    ),
    Described(
        "kinesphere_plan_replicas", "gauge", ("pool", "tier"), "replicas",
        "How many replicas the scaler wants on each tier of hardware; `tier` is empty where the "
        "policy file declares none. Absent where no policy scales the pool.",
    ),
    Described(
        "kinesphere_replica_memory_bytes", "gauge", ("pool",), "bytes",
        "Main memory of the pool's engine processes together.",
    ),
    Described(
        "kinesphere_build_info", "gauge", ("version",), "", "1; the label says what runs here."
    ),
)  # fmt: skip

Sample = tuple[tuple[str, ...], float]


class Gauges(Collector):
    """Gauges whose values are given just before each scrape.

    A gauge without samples has no series: what is not known is absent, never 0.
    """

    def __init__(self, described: Iterable[Described]) -> None:
        self.described = tuple(described)
        self._samples: Mapping[str, Sequence[Sample]] = {}

    def show(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        """Take these samples, by metric, as what the next scrape shows."""
        self._samples = samples

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        for one in self.described:
            family = GaugeMetricFamily(one.name, one.meaning, labels=one.labels)
            for labels, value in self._samples.get(one.name, ()):
                family.add_metric(labels, value)
            yield family

    def describe(self) -> list[GaugeMetricFamily]:
        """See prometheus_client."""
        return [GaugeMetricFamily(one.name, one.meaning) for one in self.described]


def samples(reading: Reading, catalog: Catalog, now: float) -> Mapping[str, list[Sample]]:
    """The samples of every gauge; `now` is s since the epoch."""
    tasks = {pool: model.task for pool, (model, _) in catalog.pools().items()}
    found: dict[str, list[Sample]] = {
        "kinesphere_build_info": [((__version__,), 1.0)],
        "kinesphere_ledger_up": [((), float(reading.backlogs is not None))],
        "kinesphere_replica_memory_bytes": [((p,), v) for p, v in reading.memory.items()],
        "kinesphere_plan_replicas": list(reading.plans.items()),
        "hy_motion_avg_latency_ms": _mean_latency(reading.ended or ()),
    }
    if reading.redis_queue is not None:
        found["redis_queue_length"] = [((), reading.redis_queue)]
    if reading.replicas is not None:
        # A state without replicas is 0, so that a graph comes down instead of breaking off.
        some = {(pool, state): 0 for pool in tasks for state in _STATES} | {**reading.replicas}
        found["kinesphere_replicas"] = list(some.items())
    if reading.backlogs is not None:
        found |= backlog_samples(reading.backlogs, tasks, now)
    if reading.releases is not None:
        found |= release_samples(reading.releases)
    if reading.counts is not None:
        jobs = {(model.name, state): 0 for model in catalog.models for state in State}
        found["kinesphere_stored_jobs"] = [
            ((model, state.value), number)
            for (model, state), number in (jobs | {**reading.counts}).items()
        ]
    return found


def _mean_latency(ended: Iterable[Job]) -> list[Sample]:
    """Of the motions that were made, in milliseconds."""
    made = [
        job.finished_at - job.created_at
        for job in ended
        if job.task == "motion" and job.state is State.SUCCEEDED and not job.cached
        if job.finished_at is not None
    ]
    return [((), 1000.0 * sum(made) / len(made))] if made else []


def backlog_samples(
    backlogs: Mapping[str, Backlog], tasks: Mapping[str, str], now: float
) -> dict[str, list[Sample]]:
    """The gauges of every pool in `tasks`, which says what each pool's model makes."""
    pools = {**dict.fromkeys(tasks, _NOTHING), **backlogs}
    motion = sum(b.waiting for pool, b in pools.items() if tasks.get(pool) == "motion")
    return {
        "hy_motion_queue_length": [((), motion)],
        "kinesphere_queue_depth": [((p,), b.waiting) for p, b in pools.items()],
        "kinesphere_running_jobs": [((p,), b.running) for p, b in pools.items()],
        "kinesphere_oldest_wait_seconds": [
            ((p,), 0.0 if b.oldest is None else max(0.0, now - b.oldest)) for p, b in pools.items()
        ],
    }


def release_samples(releases: Mapping[str, Release]) -> dict[str, list[Sample]]:
    """The gauges of the last release of each task."""
    weights: list[Sample] = []
    for task, release in releases.items():
        weights += [
            ((task, release.canary), release.part),
            ((task, release.stable), 1.0 - release.part),
        ]
    return {
        "kinesphere_release_weight": weights,
        "kinesphere_release_evidence": [
            ((task, question), test.evidence)
            for task, release in releases.items()
            if not release.over
            for question, test in release.evidence.tests.items()
        ],
    }
