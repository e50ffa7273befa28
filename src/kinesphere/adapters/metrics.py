"""Metrics for Prometheus, listed in `docs/metrics.md`.

No label holds a prompt, a user or the id of a job: the number of series is bounded by the pools,
models, routes and error codes there are.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from prometheus_client import disable_created_metrics
from prometheus_client.exposition import choose_encoder

from kinesphere.adapters.job_news import error_code
from kinesphere.adapters.metric_book import Book
from kinesphere.adapters.metric_gauges import GAUGES, Gauges, Reading, samples
from kinesphere.adapters.metric_gpu import GPU_GAUGES, GpuReading, gpu_samples
from kinesphere.adapters.metric_quality import QualityMetrics
from kinesphere.adapters.metric_replicas import Rent, ReplicaMetrics
from kinesphere.adapters.metric_server import ServerMetrics
from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import TERMINAL, EventKind, Job, State
from kinesphere.ports import Clock, LedgerUnavailable, Record

SHORT_CLIP: Final = 3.0
SETTLED: Final = 1_000
"""Jobs of a pool whose times are remembered, the last ones."""

_QUICK_TO_LONG: Final = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0,
)  # fmt: skip
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
_ENDS: Final = frozenset(state.value for state in TERMINAL)
_DUE: Final = frozenset({EventKind.SUCCEEDED, EventKind.FAILED, EventKind.EXPIRED})


class Metrics:
    """Implements the workers' `Observer` and the server's `HttpMetrics`, and tells `JobNews`.

    Give `tell` to `kinesphere.adapters.job_news.JobNews`: what happens to jobs is counted from
    committed events, which know of cancelled, expired and reaped jobs too.

    `read` is awaited at each scrape; it may raise LedgerUnavailable. `rent` is what this process's
    replicas cost.
    """

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        read: Callable[[], Awaitable[Reading]],
        rent: Rent | None = None,
    ) -> None:
        # For the whole process: the times of a series' creation double the page and tell nothing.
        disable_created_metrics()  # type: ignore[no-untyped-call] # theirs has no annotation
        self._clock = clock
        self._read = read
        self._catalog = catalog
        self._tasks = {pool: model.task for pool, (model, _) in catalog.pools().items()}
        self.book = Book(clock.now)
        motions = [model.name for model in catalog.models if model.task == "motion"]
        self._quality = QualityMetrics(self.book, motions)
        self._replicas = ReplicaMetrics(self.book, catalog, clock, rent or Rent())
        self._server = ServerMetrics(self.book, sorted(set(self._tasks.values())))
        self._settled = defaultdict[str, deque[tuple[float, float]]](lambda: deque(maxlen=SETTLED))
        self._define(self.book)
        self._begin(catalog)

    def _define(self, book: Book) -> None:
        counter, histogram = book.counter, book.histogram
        job, pool = ("pool", "model"), ("pool",)
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
        self._phases = histogram(
            "kinesphere_attempt_phase_seconds",
            "Time of a job's attempt by phase: inputs (read from the store), engine (with its "
            "batch), encode (checked, too), store (written to the store).",
            ("pool", "phase"),
            _QUICK_TO_LONG,
            "seconds",
        )
        self._deadlines = counter(
            "kinesphere_deadlines_total",
            "Jobs with a deadline that ended other than by cancellation: met is yes for those that "
            "succeeded by then, else no.",
            ("model", "met"),
        )
        self._gauges = Gauges(GAUGES)
        book.gauges(self._gauges)
        # Shown as they are read, not at the scrape: a driver may be slow, and a ledger away.
        self._gpus = Gauges(GPU_GAUGES)
        book.gauges(self._gpus)

    def _begin(self, catalog: Catalog) -> None:
        """Start at 0 what can be known to be 0, so that its first increase is seen."""
        for pool, (model, _) in catalog.pools().items():
            for counter in (self._accepted, self._cached, self._joins):
                counter.labels(pool, model.name)
            self._returned.labels(pool, model.name)
            self._ended.labels(pool, model.name, EventKind.SUCCEEDED.value, "")
            self._leases_lost.labels(pool)
            self._stale.labels(pool)
        for model in catalog.models:
            for met in ("yes", "no"):
                self._deadlines.labels(model.name, met)

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
                    self._waited.labels(*labels).observe(waited, job.trace_id)
            case EventKind.REQUEUED if code:
                self._retries.labels(*labels, code).inc()
            case EventKind.REQUEUED:
                self._returned.labels(*labels).inc()
            case kind if kind.value in _ENDS:
                self._end(record, job, labels, code)
            case _:
                pass

    def _end(self, record: Record, job: Job, labels: tuple[str, str], code: str) -> None:
        kind = record.event.kind
        self._ended.labels(*labels, kind.value, code).inc()
        if job.deadline is not None and kind in _DUE:
            met = kind is EventKind.SUCCEEDED and record.at <= job.deadline
            self._deadlines.labels(job.model, "yes" if met else "no").inc()
        # What was served from the cache would hide how long it takes to make one.
        if not record.event.data.get("cached"):
            latency = self._latency.labels(*labels, kind.value, _clip(job))
            latency.observe(max(0.0, record.at - job.created_at), job.trace_id)

    def replica_entered(self, pool: str, worker: str, state: str) -> None:
        """See the workers' `Observer`."""
        self._replicas.entered(pool, worker, state)

    def child_ready(self, pool: str, phases: Mapping[str, float]) -> None:
        """See the workers' `Observer`."""
        self._replicas.started(pool, phases)

    def child_died(self, pool: str, how: str) -> None:  # noqa: ARG002 - free text is no label
        """See the workers' `Observer`."""
        self._replicas.died(pool)

    def batch_started(self, pool: str, size: int) -> None:
        """See the workers' `Observer`."""
        self._batch_size.labels(pool).observe(size)

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:  # noqa: ARG002 - at start
        """See the workers' `Observer`."""
        self._batch_seconds.labels(pool).observe(seconds)
        if self._tasks.get(pool) == "mesh":
            self._mesh_seconds.observe(seconds)

    def phase_ended(
        self,
        job: Job,
        phase: str,
        seconds: float,
        ago: float = 0.0,  # noqa: ARG002 - a histogram knows no order
    ) -> None:
        """See the workers' `Observer`."""
        self._phases.labels(job.pool, phase).observe(seconds, job.trace_id)

    def job_settled(self, job: Job) -> None:
        """See the workers' `Observer`. Its end is counted by `tell`, its quality here."""
        self._quality.seen(job)
        if job.state is State.SUCCEEDED:
            took = max(0.0, self._clock.now() - job.created_at)
            self._settled[job.pool].append((self._clock.monotonic(), took))

    def show_gpus(self, reading: GpuReading) -> None:
        """Show this of the GPUs until there is newer."""
        self._gpus.show(gpu_samples(reading))

    def latencies(self, pool: str, seconds: float) -> Sequence[float]:
        """Seconds from acceptance to the end of the pool's jobs that ended here lately."""
        since = self._clock.monotonic() - seconds
        return [took for at, took in self._settled.get(pool, ()) if at > since]

    def lease_lost(self, pool: str) -> None:
        """See the workers' `Observer`."""
        self._leases_lost.labels(pool).inc()

    def stale_token(self, pool: str) -> None:
        """See the workers' `Observer`."""
        self._stale.labels(pool).inc()

    def webhook(self, outcome: str) -> None:
        """Count an attempt to deliver a webhook."""
        self._server.webhook(outcome)

    def release(self, task: str, what: str) -> None:
        """Count what a release did."""
        self._server.release(task, what)

    def live_streams(self, more: int) -> None:
        """See the server's `HttpMetrics`."""
        self._server.live_streams(more)

    def live_frames(self, sent: int, late: int) -> None:
        """See the server's `HttpMetrics`."""
        self._server.live_frames(sent, late)

    def limit_fallback(self) -> None:
        """Count a request that Redis should have counted."""
        self._server.limit_fallback()

    def request(
        self, method: str, route: str, status: int, seconds: float, trace_id: str = ""
    ) -> None:
        """See the server's `HttpMetrics`."""
        self._server.request(method, route, status, seconds, trace_id)

    # ------------------------------------------------------------------------------- the scrape

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its media type: OpenMetrics, which has exemplars, where accepted."""
        try:
            reading = await self._read()
        except LedgerUnavailable as error:
            extra = {"action": "metrics.incomplete", "error_code": "LEDGER_UNAVAILABLE"}
            logging.getLogger("kinesphere.metrics").warning("%s", error, extra=extra)
            reading = Reading()
        self._gauges.show(samples(reading, self._catalog, self._clock.now()))
        self._replicas.settle()
        encode, media_type = choose_encoder(accept)
        return encode(self.book.registry), media_type


def _clip(job: Job) -> str:
    duration = job.request.get("duration")
    if job.task != "motion" or not isinstance(duration, int | float):
        return "none"
    return "short" if duration <= SHORT_CLIP else "long"
