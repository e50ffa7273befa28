"""What a request and its job went through, as spans that are told when they are over.

Ids follow from what a span is about: that of a job's span from the job's id, that of an attempt's
from the job's id and the claim's token. So processes that know nothing of each other tell parts of
one tree, and a retry is one more attempt in the same trace:

    POST /v1/motions                the request, told by the API
    ├── submit                      until the ledger has the job
    ├── hint                        handed to those who carry hints
    └── job motion                  from acceptance to its end
        ├── wait choreo             from ready to claimed
        └── attempt choreo          one claim of a replica, told by whoever ended it
            ├── inputs  engine  encode  store
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from kinesphere.adapters.job_news import error_code
from kinesphere.core.jobs import TERMINAL, EventKind, Job
from kinesphere.ports import Bell, Clock, Record

CLAIMS: Final = 2_000
"""Claims whose beginnings are remembered until their ends."""

Fact = str | int | float | bool
_ENDS: Final = frozenset(state.value for state in TERMINAL)
_LEAVES: Final = frozenset({EventKind.STAGE_FINISHED, EventKind.REQUEUED, *map(EventKind, _ENDS)})
_WATCHED: Final = frozenset({"/health", "/ready", "/metrics"})

_here: ContextVar[str] = ContextVar("traceparent", default="")


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Ids are hexadecimal, 32 digits for a trace and 16 for a span; times s since epoch.

    Attributes:
        parent_id: "" for a trace's first span.
        error: What went wrong, an error code or a status; "" when nothing did.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: float
    ended: float
    kind: Literal["internal", "server", "producer"] = "internal"
    error: str = ""
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))


@contextmanager
def within(traceparent: str) -> Iterator[None]:
    """Have what is told inside belong to this span, in this task and those that it starts."""
    token = _here.set(traceparent)
    try:
        yield
    finally:
        _here.reset(token)


class Tracing:
    """Makes spans of requests, of committed events and of what replicas say, and tells them.

    Only what its caller records, or what begins here, is told: `sampled` in its `traceparent`.
    """

    def __init__(self, clock: Clock, told: Callable[[Span], None]) -> None:
        self._clock = clock
        self._told = told
        self._claims: OrderedDict[str, float] = OrderedDict()

    def request(
        self,
        traceparent: str,
        parent_id: str,
        method: str,
        route: str,
        *,
        status: int,
        seconds: float,
    ) -> None:
        """Tell a request that ends now; `traceparent` is its own, not its caller's."""
        trace_id, span_id, sampled = _parts(traceparent)
        if not sampled or (route in _WATCHED and not parent_id):
            return
        now = self._clock.now()
        facts: dict[str, Fact] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        self._told(
            Span(
                f"{method} {route}", trace_id, span_id, parent_id, now - seconds, now, "server",
                str(status) if status >= 500 else "", facts,
            )
        )  # fmt: skip

    def hint(self, pool: str) -> None:
        """Tell that a hint was handed over, by the request that this belongs to."""
        trace_id, parent_id, sampled = _parts(_here.get())
        if sampled:
            now = self._clock.now()
            own = _id(f"hint/{parent_id}/{pool}")
            facts = {"kinesphere.pool": pool}
            self._told(Span("hint", trace_id, own, parent_id, now, now, "producer", facts=facts))

    def tell(self, record: Record, job: Job | None) -> None:
        """Tell what a committed event ends. A `Teller` of `kinesphere.adapters.job_news`."""
        if job is None:
            return
        trace_id, parent_id, sampled = _parts(job.trace)
        if not sampled:
            return
        kind, data = record.event.kind, record.event.data
        pool = str(data.get("pool") or job.pool)
        if kind is EventKind.SUBMITTED:
            own, until = _id(f"submit/{job.id}"), max(record.at, self._clock.now())
            facts = _facts(job)
            self._told(Span("submit", trace_id, own, parent_id, job.created_at, until, facts=facts))
        elif kind is EventKind.CLAIMED:
            self._claimed(record, job, pool)
        elif kind in _LEAVES:
            self._left(record, job, pool)
        if kind.value in _ENDS:
            facts = _facts(job) | {"kinesphere.outcome": kind.value}
            facts |= {f"kinesphere.{n}": True for n in ("cached", "joined") if getattr(job, n)}
            self._told(
                Span(
                    f"job {job.task}", trace_id, _id(job.id), parent_id, job.created_at, record.at,
                    error=error_code(record.event) or "", facts=facts,
                )
            )  # fmt: skip

    def _claimed(self, record: Record, job: Job, pool: str) -> None:
        token, waited = record.event.data.get("token"), record.event.data.get("waited")
        self._claims[f"{job.id}/{token}"] = record.at
        if len(self._claims) > CLAIMS:
            self._claims.popitem(last=False)
        began = record.at - (waited if isinstance(waited, int | float) else 0.0)
        own = _id(f"wait/{job.id}/{token}")
        self._told(
            Span(
                f"wait {pool}", _parts(job.trace)[0], own, _id(job.id), began, record.at,
                facts={"kinesphere.job.id": job.id, "kinesphere.pool": pool},
            )
        )  # fmt: skip

    def _left(self, record: Record, job: Job, pool: str) -> None:
        """The end of a claim. Of one made by another process its beginning may not be known."""
        event = record.event
        token = event.data.get("token")
        claim = f"{job.id}/{token}"
        began = self._claims.pop(claim, None)
        if not token or (began is None and event.kind is EventKind.CANCELLED):
            return
        facts: dict[str, Fact] = _facts(job) | {"kinesphere.pool": pool}
        for name in ("attempts", "worker"):
            value = event.data.get(name)
            if isinstance(value, str | int):
                facts[f"kinesphere.{name}"] = value
        self._told(
            Span(
                f"attempt {pool}", _parts(job.trace)[0], _id(claim), _id(job.id),
                record.at if began is None else began, record.at,
                error=error_code(event) or "", facts=facts,
            )
        )  # fmt: skip

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        """Tell a phase of a claim; see the workers' `Observer`."""
        trace_id, _, sampled = _parts(job.trace)
        if not sampled:
            return
        claim = f"{job.id}/{job.token}"
        ended = self._clock.now() - ago
        facts = {"kinesphere.job.id": job.id, "kinesphere.pool": job.pool}
        self._told(
            Span(
                phase, trace_id, _id(f"{phase}/{claim}"), _id(claim), ended - seconds, ended,
                facts=facts,
            )
        )  # fmt: skip


class TracedBell:
    """A bell that tells which request rang it; see `kinesphere.ports.Bell`."""

    def __init__(self, bell: Bell, tracing: Tracing) -> None:
        self._bell = bell
        self._tracing = tracing

    def ring(self, pool: str, job_id: str = "") -> None:
        """See the port."""
        self._bell.ring(pool, job_id)
        if job_id:
            self._tracing.hint(pool)


def _parts(traceparent: str) -> tuple[str, str, bool]:
    """Trace, span, and whether it is recorded; of "" nothing is."""
    if not traceparent:
        return "", "", False
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace_id, span_id, bool(int(flags, 16) & 1)


def _id(about: str) -> str:
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _facts(job: Job) -> dict[str, Fact]:
    return {"kinesphere.job.id": job.id, "kinesphere.model": job.model}
