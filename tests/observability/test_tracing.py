"""Traces: what a collector is sent of a job, and how its parts hang together."""

import gzip
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from kinesphere.adapters.tracing import Span, TracedBell, Tracing, within
from kinesphere.adapters.tracing_otlp import OtlpSpans
from kinesphere.core.jobs import Event, EventKind, Job, Json
from kinesphere.http.tracing import trace
from kinesphere.ports import Record
from kinesphere.settings import SettingsError, load_settings
from kinesphere.wiring import parts
from kinesphere.wiring.roles import Incomplete, Role
from tests.clock import VirtualClock
from tests.observability.conftest import Watched
from tests.observability.receivers import Receiver, receiver

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER: Final = "00f067aa0ba902b7"
REQUEST: Final = "b7ad6b7169203331"


def sent(heard: Receiver) -> list[tuple[str, Sent]]:
    """Every span that came, with the role of the process that told it."""
    found = []
    for body in heard.at("/v1/traces"):
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for resource in ExportTraceServiceRequest.FromString(plain).resource_spans:
            facts = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert facts["service.name"] == "kinesphere"
            for scope in resource.scope_spans:
                found += [(facts["kinesphere.role"], span) for span in scope.spans]
    return found


def tree(spans: list[Sent], root: str) -> dict[str, list[str]]:
    """Names of the spans by that of their parent, each in order; `root` is whose parent is away."""
    names = {span.span_id: span.name for span in spans}
    found: dict[str, list[str]] = {}
    for span in sorted(spans, key=lambda each: (each.start_time_unix_nano, each.name)):
        found.setdefault(names.get(span.parent_span_id, root), []).append(span.name)
    return found


def until(what: Callable[[], bool], why: str, seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, why
        time.sleep(0.1)


@pytest.mark.slow
def test_a_job_is_one_trace_from_its_request_to_its_file(watched: Watched) -> None:
    """The parent of all is the caller's own span, which he sends with the request."""
    trace_id = f"{time.monotonic_ns():032x}"
    headers = {"traceparent": f"00-{trace_id}-{CALLER}-01", "Prefer": "wait=60"}
    body = {"prompt": "a woman jumps", "duration": 2, "model": "steady", "cache": "no"}
    answer = watched.scene.client.post("/v1/motions", json=body, headers=headers, timeout=90)
    assert answer.status_code == 200, answer.text

    def own() -> list[Sent]:
        return [each for _, each in sent(watched.receiver) if each.trace_id.hex() == trace_id]

    until(lambda: len(own()) >= 9, "not every span came")
    post = "POST /v1/motions"
    assert tree(own(), "caller") == {
        "caller": [post],
        post: ["job motion", "submit", "hint"],
        "job motion": ["wait steady", "attempt steady"],
        "attempt steady": ["engine", "encode", "store"],
    }
    (request,) = [each for each in own() if each.name == post]
    assert request.parent_span_id.hex() == CALLER
    assert request.kind == Sent.SPAN_KIND_SERVER
    assert answer.headers["traceparent"].split("-")[2] == request.span_id.hex()
    for each in own():
        assert request.start_time_unix_nano - 10**7 <= each.start_time_unix_nano
        assert each.start_time_unix_nano <= each.end_time_unix_nano
    assert b"jumps" not in b"".join(body for _, _, body in watched.receiver.posted)


@pytest.mark.slow
def test_a_caller_who_records_nothing_is_not_recorded(watched: Watched) -> None:
    silent, loud = f"{time.monotonic_ns():032x}", f"{time.monotonic_ns() + 1:032x}"
    for trace_id, flags in ((silent, "00"), (loud, "01")):
        headers = {"traceparent": f"00-{trace_id}-{CALLER}-{flags}"}
        watched.scene.client.get("/v1/models", headers=headers)

    def traces() -> set[str]:
        return {span.trace_id.hex() for _, span in sent(watched.receiver)}

    until(lambda: loud in traces(), "the one that is recorded did not come")
    assert silent not in traces()


async def test_none_are_made_unless_asked_for() -> None:
    async with AsyncExitStack() as stack:
        off = load_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
        assert parts.tracing(off, VirtualClock(), Role.SERVE, "here", stack) is None
    assert str(trace("")).endswith("-00")
    assert str(trace("", recording=True)).endswith("-01")


async def test_what_is_missing_for_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kinesphere.adapters.tracing_otlp", None)
    on = load_settings({"KINESPHERE_OTLP_ENDPOINT": "http://127.0.0.1:9/"})
    async with AsyncExitStack() as stack:
        with pytest.raises(Incomplete, match=r"install kinesphere\[tracing\]"):
            parts.tracing(on, VirtualClock(), Role.SERVE, "here", stack)


@pytest.mark.parametrize("address", ["collector:4317", "ftp://a", "http://u:p@a", "http://a?b=c"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="KINESPHERE_OTLP_ENDPOINT"):
        load_settings({"KINESPHERE_OTLP_ENDPOINT": address})


def _came(heard: Receiver, number: int) -> bool:
    return len(heard.posted) >= number


@pytest.mark.slow
def test_a_collector_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    def said() -> list[str]:
        mine = (r for r in caplog.records if r.name == "kinesphere.tracing")
        return [str(vars(record).get("action")) for record in mine]

    caplog.set_level("INFO", "kinesphere.tracing")
    with receiver() as heard:
        heard.status = 500
        spans = OtlpSpans(heard.url, "serve", "here")
        try:
            for number in (1, 2):
                spans.tell(Span("a", TRACE, f"{number:016x}", "", 1.0, 2.0))
                until(partial(_came, heard, number), "nothing was sent")
            until(lambda: said() == ["tracing.away"], f"{said()}")
            heard.status = 200
            spans.tell(Span("a", TRACE, REQUEST, "", 1.0, 2.0))
            until(lambda: said() == ["tracing.away", "tracing.back"], f"{said()}")
        finally:
            spans.close()


@dataclass
class Story:
    """A job told to two processes that know nothing of each other."""

    clock: VirtualClock
    spans: list[Span]
    job: Job

    def process(self) -> Tracing:
        return Tracing(self.clock, self.spans.append)

    def tell(self, to: Tracing, kind: EventKind, **data: Json) -> None:
        to.tell(Record(1, self.job.id, self.clock.now(), Event(kind, data)), self.job)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def story() -> Story:
    clock = VirtualClock()
    job = Job(
        id="01JOB",
        task="motion",
        model="choreo",
        model_version="1",
        user="secret-user",
        request={"prompt": "secret-prompt"},
        pools=("choreo",),
        created_at=clock.now(),
        ready_at=clock.now(),
        trace=f"00-{TRACE}-{REQUEST}-01",
    )
    return Story(clock, [], job)


async def test_retries_are_attempts_of_one_trace_whoever_tells_them(story: Story) -> None:
    first, second, sweeper = story.process(), story.process(), story.process()
    await story.clock.advance(1)
    story.tell(first, EventKind.CLAIMED, token=1, waited=1.0, pool="choreo")
    first.phase_ended(replace(story.job, token=1), "engine", 0.5)
    await story.clock.advance(2)
    story.tell(first, EventKind.REQUEUED, token=1, code="ENGINE_CRASHED", attempts=1)
    story.tell(second, EventKind.CLAIMED, token=2, waited=0.0, pool="choreo")
    await story.clock.advance(9)
    # Its replica has died, and the sweeper has not seen it claim.
    story.tell(sweeper, EventKind.REQUEUED, token=2, code="LEASE_LOST", attempts=2)
    story.tell(first, EventKind.CLAIMED, token=3, waited=0.0, pool="choreo")
    await story.clock.advance(4)
    story.tell(first, EventKind.SUCCEEDED, token=3)
    (whole,) = story.named("job motion")
    attempts = story.named("attempt choreo")
    assert (whole.parent_id, whole.began, whole.ended - whole.began) == (
        REQUEST, story.job.created_at, 16,
    )  # fmt: skip
    assert {span.trace_id for span in story.spans} == {TRACE}
    assert {span.parent_id for span in attempts} == {whole.span_id}
    assert [span.error for span in attempts] == ["ENGINE_CRASHED", "LEASE_LOST", ""]
    assert [span.ended - span.began for span in attempts] == [2, 0, 4]
    (engine,) = story.named("engine")
    assert engine.parent_id == attempts[0].span_id
    ids = [span.span_id for span in story.spans]
    assert len(set(ids)) == len(ids)
    assert "secret" not in str(story.spans)


async def test_a_job_that_ends_in_the_queue_has_no_attempt(story: Story) -> None:
    story.tell(story.process(), EventKind.CANCELLED)
    assert [span.name for span in story.spans] == ["job motion"]
    assert story.spans[0].error == "CANCELLED"


@pytest.mark.parametrize("trace", ["", f"00-{TRACE}-{REQUEST}-00"])
async def test_what_nobody_records_is_not_told(story: Story, trace: str) -> None:
    story.job = replace(story.job, trace=trace)
    process = story.process()
    for kind in EventKind:
        story.tell(process, kind, token=1)
    process.phase_ended(story.job, "engine", 1.0)
    process.request(trace, "", "GET", "/", status=200, seconds=1.0)
    assert story.spans == []


def test_watching_is_not_watched_unless_somebody_asks_for_it(story: Story) -> None:
    process = story.process()
    for parent in ("", CALLER):
        process.request(story.job.trace, parent, "GET", "/metrics", status=500, seconds=1.0)
    (span,) = story.spans
    assert (span.parent_id, span.kind, span.error) == (CALLER, "server", "500")


def test_a_hint_belongs_to_the_request_that_rang(story: Story) -> None:
    rung: list[tuple[str, str]] = []

    class Bell:
        def ring(self, pool: str, job_id: str = "") -> None:
            rung.append((pool, job_id))

    bell = TracedBell(Bell(), story.process())
    bell.ring("choreo", "01JOB")
    with within(story.job.trace):
        bell.ring("choreo")
        bell.ring("choreo", "01JOB")
    assert len(rung) == 3
    (span,) = story.spans
    assert (span.parent_id, span.kind) == (REQUEST, "producer")
