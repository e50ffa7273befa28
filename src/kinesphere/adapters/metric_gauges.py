"""Gauges that are read at the moment of a scrape."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kinesphere.core.jobs import State
from kinesphere.core.rollout import Release
from kinesphere.ports import Backlog

_NOTHING: Final = Backlog(waiting=0, running=0, oldest=None)


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
        plans: What the scaler decided, replicas by pool.
        memory: Bytes of main memory of a pool's engine processes together, by pool.
        gpu_utilization: Percent of time that a GPU was busy, by GPU.
        redis_queue: Hints waiting in Redis.
        releases: The last release of each task, by task.
    """

    backlogs: Mapping[str, Backlog] | None = None
    counts: Mapping[tuple[str, State], int] | None = None
    plans: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    gpu_utilization: Mapping[str, float] = field(default_factory=dict)
    redis_queue: int | None = None
    releases: Mapping[str, Release] | None = None


GAUGES: Final = (
    Described("hy_motion_queue_length", "gauge", (), "jobs", "Motion jobs that wait."),
    Described(
        "hy_motion_gpu_utilization", "gauge", ("gpu",), "percent",
        "Share of time that the GPU was busy. Absent where no GPU is read.",
    ),
    Described(
        "hy_motion_avg_latency_ms", "gauge", (), "milliseconds",
        "Mean time from acceptance to success of the motions of the last minute. Absent when there "
        "were none.",
    ),
    Described(
        "redis_queue_length", "gauge", (), "hints",
        "Hints waiting in Redis. Absent without Redis.",
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
        "kinesphere_replicas", "gauge", ("pool", "state"), "replicas", "Replicas by state."
    ),
    Described(
        "kinesphere_plan_replicas", "gauge", ("pool",), "replicas",
        "How many replicas the scaler wants. Absent where no policy scales the pool.",
    ),
    Described(
        "kinesphere_replica_memory_bytes", "gauge", ("pool",), "bytes",
        "Main memory of the pool's engine processes together.",
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
