"""Metrics for Prometheus, listed in `docs/metrics.md`.

No label holds a prompt, a user or the id of a job: the number of series is bounded by the pools,
models, routes and error codes there are.
"""

import logging
from collections import Counter as Tally
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_1_0_0, disable_created_metrics, generate_latest

from kinesphere.adapters.job_news import error_code
from kinesphere.adapters.metric_book import Book
from kinesphere.adapters.metric_gauges import (
    GAUGES,
    Gauges,
    Reading,
    Sample,
    backlog_samples,
    release_samples,
)
from kinesphere.adapters.metric_quality import QualityMetrics
from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import TERMINAL, EventKind, Job
from kinesphere.ports import Clock, LedgerUnavailable, Record

SHORT_CLIP: Final = 3.0
WINDOW: Final = 60
_QUICK_TO_LONG: Final = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0,
)  # fmt: skip
_HTTP: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0)
_LOAD: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDS: Final = frozenset(state.value for state in TERMINAL)


class Metrics:
    """Implements the workers' `Observer` and the server's `HttpMetrics`, and tells `JobNews`.

    Give `tell` to `kinesphere.adapters.job_news.JobNews`: what happens to jobs is counted from
    committed events, which know of cancelled, expired and reaped jobs too.

    `read` is awaited at each scrape; it may raise LedgerUnavailable.
    """

    def __init__(
        self, catalog: Catalog, clock: Clock, read: Callable[[], Awaitable[Reading]]
    ) -> None:
        # For the whole process: the times of a series' creation double the page and tell nothing.
        disable_created_metrics()  # type: ignore[no-untyped-call] # theirs has no annotation
        self._clock = clock
        self._read = read
        self._tasks = {pool: model.task for pool, (model, _) in catalog.pools().items()}
        self._replicas: dict[str, tuple[str, str]] = {}
        self._states: dict[str, set[str]] = {}
        self._recent: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._define(Book())
        self._begin(catalog)

    def _define(self, book: Book) -> None:
        self.book = book
        counter, histogram = book.counter, book.histogram
        job, pool = ("pool", "model"), ("pool",)
        self._quality = QualityMetrics(book)
        self._accepted = counter("kinesphere_jobs_accepted_total", "Jobs accepted.", job)
        self._cached = counter(
            "kinesphere_cache_hits_total",
            "Jobs accepted that were served what had been made before.",
            job,
        )
        self._joins = counter(
            "kinesphere_joins_total", "Jobs accepted that share the run of an equal request.", job
        )
        self._ended = counter(
            "kinesphere_jobs_ended_total",
            'Jobs ended, by outcome; error_code is "" for those that succeeded.',
            (*job, "outcome", "error_code"),
        )
        self._latency = histogram(
            "kinesphere_job_latency_seconds",
            "Time from acceptance to the end, of jobs that were not served from the cache. clip is "
            "short up to 3 s of motion, long beyond, and none for what is no motion.",
            (*job, "outcome", "clip"),
            _QUICK_TO_LONG,
            "seconds",
        )
        self._waited = histogram(
            "kinesphere_queue_wait_seconds",
            "Time that a job had been ready when it was claimed.",
            job,
            _QUICK_TO_LONG,
            "seconds",
        )
        self._retries = counter(
            "kinesphere_retries_total",
            "Attempts that failed and were queued again.",
            (*job, "error_code"),
        )
        self._returned = counter(
            "kinesphere_jobs_returned_total",
            "Claims that a stopping replica gave back unharmed.",
            job,
        )
        self._leases_lost = counter(
            "kinesphere_leases_lost_total", "Leases found lost while the work went on.", pool
        )
        self._stale = counter(
            "kinesphere_stale_tokens_total",
            "Last words refused, because the claim no longer held the job.",
            pool,
        )
        self._batch_size = histogram(
            "kinesphere_batch_size", "Jobs of a batch.", pool, _SIZES, "jobs"
        )
        self._batch_seconds = histogram(
            "kinesphere_batch_seconds",
            "Time of a batch in the engine.",
            pool,
            _QUICK_TO_LONG,
            "seconds",
        )
        self._mesh_seconds = histogram(
            "hunyuan3d_inference_duration_seconds",
            "Time of a batch of any mesh pool in the engine.",
            (),
            _QUICK_TO_LONG,
            "seconds",
        )
        self._deaths = counter(
            "kinesphere_engine_deaths_total",
            "Engine processes that ended unasked or were killed; each is started again.",
            pool,
        )
        self._load = histogram(
            "kinesphere_engine_start_seconds",
            "Time to load an engine, and to warm it up, by phase.",
            ("pool", "phase"),
            _LOAD,
            "seconds",
        )
        route = ("route", "method")
        self._requests = counter(
            "kinesphere_http_requests_total", "Requests answered.", (*route, "status")
        )
        self._request_seconds = histogram(
            "kinesphere_http_request_seconds",
            "Time to answer a request, waiting for a result included.",
            route,
            _HTTP,
            "seconds",
        )
        self._webhooks = counter(
            "kinesphere_webhooks_total",
            "Attempts to deliver a webhook, by outcome: delivered; retried, which will be tried "
            "again; given_up; gone, as the receiver said; forbidden, so nothing was sent.",
            ("outcome",),
        )
        self._releases = counter(
            "kinesphere_release_verdicts_total",
            "What releases did: started, stepped, promoted, rolled_back, paused, resumed, aborted.",
            ("task", "verdict"),
        )
        self._limit_fallbacks = counter(
            "kinesphere_limit_fallbacks_total",
            "Requests counted in this process because Redis did not answer.",
            (),
        )
        self._gauges = Gauges(GAUGES)
        book.gauges(self._gauges)

    def _begin(self, catalog: Catalog) -> None:
        """Start at 0 what can be known to be 0, so that its first increase is seen."""
        for pool, (model, _) in catalog.pools().items():
            for counter in (self._accepted, self._cached, self._joins):
                counter.labels(pool, model.name)
            self._returned.labels(pool, model.name)
            for counter in (self._leases_lost, self._stale, self._deaths):
                counter.labels(pool)
        for outcome in ("delivered", "retried", "given_up", "gone", "forbidden"):
            self._webhooks.labels(outcome)

    # ------------------------------------------------------------------------ what is told here

    def tell(self, record: Record, job: Job | None) -> None:
        """Count one committed event. One whose job is unknown is passed over."""
        if job is None:
            return
        labels = (str(record.event.data.get("pool") or job.pool), job.model)
        code = error_code(record.event) or ""
        match record.event.kind:
            case EventKind.SUBMITTED:
                self._accepted.labels(*labels).inc()
                if record.event.data.get("cached"):
                    self._cached.labels(*labels).inc()
                if record.event.data.get("joined"):
                    self._joins.labels(*labels).inc()
            case EventKind.CLAIMED:
                waited = record.event.data.get("waited")
                if isinstance(waited, int | float):
                    self._waited.labels(*labels).observe(waited)
            case EventKind.REQUEUED if code:
                self._retries.labels(*labels, code).inc()
            case EventKind.REQUEUED:
                self._returned.labels(*labels).inc()
            case kind if kind.value in _ENDS:
                self._end(record, job, labels, code)
            case _:
                pass

    def _end(self, record: Record, job: Job, labels: tuple[str, str], code: str) -> None:
        outcome = record.event.kind.value
        seconds = max(0.0, record.at - job.created_at)
        self._ended.labels(*labels, outcome, code).inc()
        if record.event.data.get("cached"):
            # It would hide how long it takes to make one.
            return
        self._latency.labels(*labels, outcome, _clip(job)).observe(seconds)
        if job.task == "motion" and record.event.kind is EventKind.SUCCEEDED:
            number, total = self._recent.pop(second := int(self._clock.monotonic()), (0, 0.0))
            self._recent[second] = (number + 1, total + seconds)
            self._forget()

    def replica_entered(self, pool: str, worker: str, state: str) -> None:
        """See the workers' `Observer`."""
        self._states.setdefault(pool, set()).add(str(state))
        if state == "stopped":
            self._replicas.pop(worker, None)
        else:
            self._replicas[worker] = (pool, str(state))

    def child_ready(self, pool: str, load_seconds: float, warm_seconds: float) -> None:
        """See the workers' `Observer`."""
        self._load.labels(pool, "load").observe(load_seconds)
        self._load.labels(pool, "warm_up").observe(warm_seconds)

    def child_died(self, pool: str, how: str) -> None:  # noqa: ARG002 - free text is no label
        """See the workers' `Observer`."""
        self._deaths.labels(pool).inc()

    def batch_started(self, pool: str, size: int) -> None:
        """See the workers' `Observer`."""
        self._batch_size.labels(pool).observe(size)

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:  # noqa: ARG002 - at start
        """See the workers' `Observer`."""
        self._batch_seconds.labels(pool).observe(seconds)
        if self._tasks.get(pool) == "mesh":
            self._mesh_seconds.observe(seconds)

    def job_settled(self, job: Job) -> None:
        """See the workers' `Observer`. Its end is counted by `tell`, its quality here."""
        self._quality.seen(job)

    def lease_lost(self, pool: str) -> None:
        """See the workers' `Observer`."""
        self._leases_lost.labels(pool).inc()

    def stale_token(self, pool: str) -> None:
        """See the workers' `Observer`."""
        self._stale.labels(pool).inc()

    def webhook(self, outcome: str) -> None:
        """Count an attempt to deliver a webhook."""
        self._webhooks.labels(outcome).inc()

    def release(self, task: str, what: str) -> None:
        """Count what a release did."""
        self._releases.labels(task, what).inc()

    def limit_fallback(self) -> None:
        """Count a request that Redis should have counted."""
        self._limit_fallbacks.inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """See the server's `HttpMetrics`."""
        labels = (route, method if method in _METHODS else "OTHER")
        self._requests.labels(*labels, str(status)).inc()
        self._request_seconds.labels(*labels).observe(seconds)

    # ------------------------------------------------------------------------------- the scrape

    async def page(self) -> tuple[bytes, str]:
        """The exposition in Prometheus' text format, and its media type."""
        try:
            reading = await self._read()
        except LedgerUnavailable as error:
            extra = {"action": "metrics.incomplete", "error_code": "LEDGER_UNAVAILABLE"}
            logging.getLogger("kinesphere.metrics").warning("%s", error, extra=extra)
            reading = Reading()
        self._gauges.show(self._samples(reading))
        return generate_latest(self.book.registry), CONTENT_TYPE_PLAIN_1_0_0

    def _samples(self, reading: Reading) -> Mapping[str, list[Sample]]:
        samples: dict[str, list[Sample]] = {
            "kinesphere_ledger_up": [((), float(reading.backlogs is not None))],
            "kinesphere_replicas": self._replica_samples(),
            "kinesphere_replica_memory_bytes": [((p,), v) for p, v in reading.memory.items()],
            "kinesphere_plan_replicas": [((p,), v) for p, v in reading.plans.items()],
            "hy_motion_gpu_utilization": [((g,), v) for g, v in reading.gpu_utilization.items()],
            "hy_motion_avg_latency_ms": self._recent_mean(),
        }
        if reading.redis_queue is not None:
            samples["redis_queue_length"] = [((), reading.redis_queue)]
        if reading.backlogs is not None:
            samples |= backlog_samples(reading.backlogs, self._tasks, self._clock.now())
        if reading.releases is not None:
            samples |= release_samples(reading.releases)
        if reading.counts is not None:
            samples["kinesphere_stored_jobs"] = [
                ((model, state.value), number) for (model, state), number in reading.counts.items()
            ]
        return samples

    def _replica_samples(self) -> list[Sample]:
        number = Tally(self._replicas.values())
        # A state that was seen stays as 0, so that a graph comes down instead of breaking off.
        return [
            ((pool, state), number[pool, state])
            for pool, states in self._states.items()
            for state in sorted(states - {"stopped"})
        ]

    def _recent_mean(self) -> list[Sample]:
        self._forget()
        number = sum(n for n, _ in self._recent.values())
        total = sum(t for _, t in self._recent.values())
        return [((), 1000.0 * total / number)] if number else []

    def _forget(self) -> None:
        until = self._clock.monotonic() - WINDOW
        while self._recent and next(iter(self._recent)) <= until:
            self._recent.popitem(last=False)


def _clip(job: Job) -> str:
    duration = job.request.get("duration")
    if job.task != "motion" or not isinstance(duration, int | float):
        return "none"
    return "short" if duration <= SHORT_CLIP else "long"
