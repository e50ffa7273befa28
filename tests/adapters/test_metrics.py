import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from kinesphere.adapters.metric_book import reference
from kinesphere.adapters.metric_gauges import Reading
from kinesphere.adapters.metric_gpu import GpuReading
from kinesphere.adapters.metric_replicas import Rent
from kinesphere.adapters.metrics import Metrics
from kinesphere.adapters.nvml import Gpu, Link, Memory, Telemetry
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.jobs import Event, EventKind, Job, Json, State
from kinesphere.core.replicas import Placement, ReplicaState, Status
from kinesphere.http.gateway import HttpMetrics
from kinesphere.ports import Backlog, LedgerUnavailable, Record
from kinesphere.quality.limits import LIMITS
from kinesphere.worker.status import Observer
from tests.clock import VirtualClock
from tests.contracts.releases import release

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

CATALOG = Catalog(
    (
        Model("choreo", "1", "motion", "Choreo", (Stage("", "a:B"),), ("bvh",)),
        Model("h3d", "1", "mesh", "H", (Stage("shape", "a:B"), Stage("texture", "a:B")), ("glb",)),
    )
)


def job(task: str = "motion", duration: float | None = 4.0) -> Job:
    pools = ("choreo",) if task == "motion" else ("h3d.shape", "h3d.texture")
    return Job(
        id="J-secret-id",
        task=task,
        model=pools[0].partition(".")[0],
        model_version="1",
        user="secret-user",
        request={"prompt": "secret-prompt"} | ({"duration": duration} if duration else {}),
        pools=pools,
        created_at=1_800_000_000.0,
        ready_at=1_800_000_000.0,
    )


class Server:
    """Metrics with a ledger's readings and a clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.reading = Reading(backlogs={}, counts={})
        self.away = False
        rent = Rent("l4", {"choreo": 0.72})
        self.metrics = Metrics(CATALOG, self.clock, self.read, rent)

    async def read(self) -> Reading:
        if self.away:
            raise LedgerUnavailable("away")
        return self.reading

    def tell(self, kind: EventKind, about: Job, **data: Json) -> None:
        record = Record(1, about.id, self.clock.now(), Event(kind, data))
        self.metrics.tell(record, about)

    async def families(self) -> dict[str, Metric]:
        page, media_type = await self.metrics.page()
        assert media_type.startswith("text/plain; version=")
        return {family.name: family for family in text_string_to_metric_families(page.decode())}

    async def value(self, name: str, **labels: str) -> float | None:
        """The one sample of this name and at least these labels, or None for none."""
        found = [
            sample.value
            for family in (await self.families()).values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def server() -> Server:
    return Server()


def test_it_is_what_the_workers_and_the_server_tell(server: Server) -> None:
    observer: Observer = server.metrics
    http: HttpMetrics = server.metrics
    assert [observer, http] == [server.metrics] * 2


async def test_the_life_of_a_motion(server: Server) -> None:
    motion = job()
    server.tell(EventKind.SUBMITTED, motion, pool="choreo")
    await server.clock.advance(2)
    server.tell(EventKind.CLAIMED, motion, pool="choreo", waited=2.0)
    server.tell(EventKind.REQUEUED, motion, code="OOM_HOST")
    server.tell(EventKind.REQUEUED, motion, code=None)
    await server.clock.advance(4)
    server.tell(EventKind.SUCCEEDED, motion, pool="choreo")
    labels = {"pool": "choreo", "model": "choreo"}
    assert await server.value("kinesphere_jobs_accepted_total", **labels) == 1
    assert await server.value("kinesphere_queue_wait_seconds_sum", **labels) == 2
    assert await server.value("kinesphere_retries_total", error_code="OOM_HOST") == 1
    assert await server.value("kinesphere_jobs_returned_total", **labels) == 1
    ended = {**labels, "outcome": "succeeded", "error_code": ""}
    assert await server.value("kinesphere_jobs_ended_total", **ended) == 1
    assert await server.value("kinesphere_job_latency_seconds_sum", clip="long") == 6


@pytest.mark.parametrize(
    ("about", "clip"),
    [
        (job(duration=3.0), "short"),
        (job(duration=3.001), "long"),
        (job("mesh", None), "none"),
    ],
)
async def test_latency_is_split_at_three_seconds(server: Server, about: Job, clip: str) -> None:
    server.tell(EventKind.FAILED, about, code="ENGINE_CRASHED")
    assert await server.value("kinesphere_job_latency_seconds_count", clip=clip) == 1
    assert await server.value("kinesphere_jobs_ended_total", error_code="ENGINE_CRASHED") == 1


async def test_the_mean_latency_is_of_the_motions_that_were_made(server: Server) -> None:
    def ended(seconds: float, about: Job | None = None, **changes: Any) -> Job:
        made = about or job()
        changes.setdefault("state", State.SUCCEEDED)
        return replace(made, finished_at=made.created_at + seconds, **changes)

    name = "hy_motion_avg_latency_ms"
    assert await server.value(name) is None
    others = [
        ended(100, job("mesh")), ended(100, state=State.FAILED), ended(0, cached=True),
    ]  # fmt: skip
    server.reading = replace(server.reading, ended=others)
    assert await server.value(name) is None
    server.reading = replace(server.reading, ended=[*others, ended(2), ended(4)])
    assert await server.value(name) == pytest.approx(3000)


@pytest.mark.parametrize(
    ("kind", "seconds", "met"),
    [
        (EventKind.SUCCEEDED, 5, "yes"),
        (EventKind.SUCCEEDED, 11, "no"),
        (EventKind.FAILED, 5, "no"),
        (EventKind.EXPIRED, 10, "no"),
        (EventKind.CANCELLED, 5, ""),
    ],
)
async def test_deadlines_are_met_or_missed(
    server: Server, kind: EventKind, seconds: float, met: str
) -> None:
    due = replace(job(), deadline=server.clock.now() + 10)
    await server.clock.advance(seconds)
    server.tell(kind, due)
    server.tell(kind, job())
    for each in ("yes", "no"):
        found = await server.value("kinesphere_deadlines_total", model="choreo", met=each)
        assert found == (each == met)


async def test_every_pool_has_its_backlog(server: Server) -> None:
    oldest = server.clock.now() - 7
    server.reading = Reading(
        backlogs={"choreo": Backlog(3, 2, oldest)}, counts={("choreo", State.FAILED): 5}
    )
    assert await server.value("kinesphere_queue_depth", pool="choreo") == 3
    assert await server.value("kinesphere_running_jobs", pool="choreo") == 2
    assert await server.value("kinesphere_oldest_wait_seconds", pool="choreo") == 7
    assert await server.value("kinesphere_queue_depth", pool="h3d.shape") == 0
    assert await server.value("hy_motion_queue_length") == 3
    assert await server.value("kinesphere_stored_jobs", model="choreo", state="failed") == 5
    assert await server.value("kinesphere_ledger_up") == 1


async def test_what_never_happened_starts_at_zero(server: Server) -> None:
    for name in ("leases_lost", "stale_tokens", "engine_deaths", "jobs_accepted", "jobs_returned"):
        assert await server.value(f"kinesphere_{name}_total", pool="choreo") == 0


async def test_what_is_unknown_is_absent(server: Server) -> None:
    for name in ("hy_motion_gpu_utilization", "redis_queue_length"):
        assert await server.value(name) is None
    server.away = True
    assert await server.value("kinesphere_ledger_up") == 0
    for name in ("hy_motion_queue_length", "kinesphere_queue_depth", "kinesphere_stored_jobs"):
        assert await server.value(name) is None
    server.away = False
    server.reading = replace(server.reading, redis_queue=0)
    assert await server.value("redis_queue_length") == 0


async def test_replicas_by_state(server: Server) -> None:
    assert await server.value("kinesphere_replicas", pool="choreo", state="ready") is None
    server.reading = replace(server.reading, replicas={("choreo", "ready"): 2})
    assert await server.value("kinesphere_replicas", pool="choreo", state="ready") == 2
    assert await server.value("kinesphere_replicas", pool="choreo", state="starting") == 0
    assert await server.value("kinesphere_replicas", pool="h3d.shape", state="ready") == 0


async def test_the_time_of_replicas_and_its_price(server: Server) -> None:
    enter = server.metrics.replica_entered
    enter("choreo", "a", ReplicaState.STARTING)
    await server.clock.advance(30)
    enter("choreo", "a", ReplicaState.READY)
    enter("choreo", "b", ReplicaState.READY)
    await server.clock.advance(60)
    name, labels = "kinesphere_replica_seconds_total", {"pool": "choreo", "tier": "l4"}
    assert await server.value(name, state="starting", **labels) == 30
    assert await server.value(name, state="ready", **labels) == 120
    assert await server.value("kinesphere_cost_total", **labels) == pytest.approx(150 * 0.72 / 3600)
    enter("choreo", "a", ReplicaState.STOPPED)
    await server.clock.advance(10)
    assert await server.value(name, state="ready", **labels) == 130
    entered = "kinesphere_replica_entered_total"
    assert await server.value(entered, pool="choreo", state="ready") == 2
    assert await server.value(entered, pool="h3d.shape", state="starting") == 0
    # Nobody said what a replica of this pool costs.
    assert await server.value("kinesphere_cost_total", pool="h3d.shape") is None


async def test_whoever_accepts_it_is_told_which_trace_was_one_of_a_bucket(server: Server) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    traced = replace(job(), trace=f"00-{trace_id}-00f067aa0ba902b7-01")
    server.tell(EventKind.SUCCEEDED, traced)
    server.metrics.request("GET", "/health", 200, 0.2, trace_id)
    server.metrics.phase_ended(traced, "engine", 1.5)
    page, media_type = await server.metrics.page("application/openmetrics-text;version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    found = {
        family.name
        for family in open_metrics(page.decode())  # type: ignore[no-untyped-call] # not annotated
        for sample in family.samples
        if sample.exemplar is not None and sample.exemplar.labels == {"trace_id": trace_id}
    }
    assert found == {
        "kinesphere_job_latency_seconds",
        "kinesphere_http_request_seconds",
        "kinesphere_attempt_phase_seconds",
    }
    assert trace_id.encode() not in (await server.metrics.page())[0]


async def test_what_workers_tell(server: Server) -> None:
    metrics = server.metrics
    metrics.child_ready("choreo", {"load": 2.0, "warm_up": 0.5})
    metrics.child_died("choreo", "signal 9")
    metrics.batch_started("h3d.shape", 3)
    metrics.batch_ended("h3d.shape", 3, 12.0)
    metrics.batch_ended("choreo", 1, 1.0)
    metrics.lease_lost("choreo")
    metrics.stale_token("choreo")
    server.reading = replace(server.reading, memory={"choreo": 1_000})
    assert await server.value("kinesphere_engine_start_seconds_sum", phase="load") == 2
    assert await server.value("kinesphere_engine_start_seconds_sum", phase="warm_up") == 0.5
    assert await server.value("kinesphere_engine_deaths_total", pool="choreo") == 1
    assert await server.value("kinesphere_batch_size_sum", pool="h3d.shape") == 3
    assert await server.value("kinesphere_batch_seconds_sum", pool="h3d.shape") == 12
    assert await server.value("hunyuan3d_inference_duration_seconds_sum") == 12
    assert await server.value("kinesphere_leases_lost_total", pool="choreo") == 1
    assert await server.value("kinesphere_stale_tokens_total", pool="choreo") == 1
    assert await server.value("kinesphere_replica_memory_bytes", pool="choreo") == 1_000


async def test_requests_by_route_with_a_bounded_number_of_methods(server: Server) -> None:
    server.metrics.request("GET", "/v1/jobs/{id}", 200, 0.002)
    for number in range(50):
        server.metrics.request(f"METHOD{number}", "unmatched", 405, 0.001)
    labels = {"route": "/v1/jobs/{id}", "method": "GET", "status": "200"}
    assert await server.value("kinesphere_http_requests_total", **labels) == 1
    assert await server.value("kinesphere_http_requests_total", method="OTHER") == 50


async def test_nobody_and_no_prompt_is_on_the_page(server: Server) -> None:
    for kind in EventKind:
        server.tell(kind, job(), code="OOM_HOST", detail="secret-prompt", worker="w")
    page, _ = await server.metrics.page()
    assert b"secret" not in page
    assert b"_created" not in page


async def test_servers_in_one_process_count_apart(server: Server) -> None:
    other = Server()
    server.metrics.lease_lost("choreo")
    assert await server.value("kinesphere_leases_lost_total", pool="choreo") == 1
    assert await other.value("kinesphere_leases_lost_total", pool="choreo") == 0


def judged(**quality: Json) -> Job:
    figures: dict[str, Json] = {"skating": 0.03, "jerk_mean": 150.0, "penetration": 0.001}
    notes: dict[str, Json] = {"quality": {"verdict": "warn", "measures": figures, **quality}}
    return replace(job(), state=State.SUCCEEDED, notes=notes)


async def test_every_joint_that_is_judged_starts_at_zero(server: Server) -> None:
    for limit in LIMITS:
        found = {"model": "choreo", "check": f"limit_{limit.name}"}
        assert await server.value("kinesphere_quality_warnings_total", **found) == 0
    assert await server.value("kinesphere_quality_verdicts_total", model="h3d") is None


async def test_what_the_quality_checks_found(server: Server) -> None:
    server.metrics.job_settled(judged(warned=["limit_knee", "skating"]))
    server.metrics.job_settled(replace(job(), state=State.SUCCEEDED))
    model = {"model": job().model}
    verdicts = await server.value("kinesphere_quality_verdicts_total", verdict="warn", **model)
    assert await server.value("kinesphere_joint_anomalies_total", **model) == 1
    knees = await server.value("kinesphere_quality_warnings_total", check="limit_knee", **model)
    skating = await server.value("kinesphere_quality_skating_share_sum", **model)
    assert (verdicts, knees, skating) == (1, 1, 0.03)


async def test_the_page_lists_every_metric_with_type_and_labels(server: Server) -> None:
    book = server.metrics.book
    assert PAGE.read_text("utf-8") == reference(book)
    shown = await server.families()
    listed = {one.name.removesuffix("_total"): one.kind for one in book.described}
    assert {name: family.type for name, family in shown.items()} == listed


GPUS = GpuReading(
    told={
        Gpu(0, 0, "GPU-1", "NVIDIA L4"): Telemetry(
            Memory(3, 2, 1), 0.85, 0.5, 0.4, 60.0, 70.0, {"power_cap": True}, 1.0, 2.0,
            Link(1, 2, 3, 4), 0,
        ),
        Gpu(1, 1, "GPU-2", "NVIDIA L4"): Telemetry(),
    },
    replicas=[
        Status(
            worker=str(limit), pool="h3d.shape", model="h3d", state=ReplicaState.READY, since=0.0,
            pid=1, batches=0, jobs=0, held=0, children=1, load_seconds=None, warm_seconds=None,
            memory=0, fixed_seconds=0.0, job_seconds=1.0, last_error="",
            placement=Placement("GPU-1", profile="fp16", batch_limit=limit, taken=limit * 10),
        )
        for limit in (4, 2)
    ],
    idle={("h3d.shape", "GPU-1"): True},
)  # fmt: skip


async def test_gpus_are_shown_as_they_were_read(server: Server) -> None:
    server.metrics.show_gpus(GPUS)
    server.away = True
    assert await server.value("hy_motion_gpu_utilization", gpu="GPU-1") == 85
    assert await server.value("kinesphere_gpu_throttled", gpu="GPU-1", reason="power_cap") == 1
    here = {"pool": "h3d.shape", "gpu": "GPU-1", "profile": "fp16"}
    assert await server.value("kinesphere_replica_device_bytes", **here) == 40
    assert await server.value("kinesphere_replica_batch_limit", **here) == 2
    assert await server.value("kinesphere_gpu_busy_ratio", gpu="GPU-2") is None


READING = Reading(
    backlogs={},
    counts={("choreo", State.FAILED): 1},
    memory={"choreo": 1},
    plans={("choreo", ""): 1},
    releases={"motion": release(1)},
    redis_queue=1,
    replicas={("choreo", "ready"): 1},
    ended=[replace(job(), state=State.SUCCEEDED, finished_at=job().created_at + 1)],
)


async def test_the_listed_labels_are_those_of_the_series(server: Server) -> None:
    server.reading = READING
    for kind in EventKind:
        server.tell(kind, job(), code="OOM_HOST", waited=1)
    server.tell(EventKind.REQUEUED, job())
    await test_what_workers_tell(server)
    server.reading = READING
    server.metrics.replica_entered("choreo", "a", ReplicaState.READY)
    server.metrics.request("GET", "/", 200, 0.1)
    server.metrics.release("motion", "promoted")
    server.metrics.job_settled(judged(warned=["limit_knee"]))
    server.metrics.show_gpus(GPUS)
    server.metrics.phase_ended(job(), "engine", 1.0)
    shown = await server.families()
    for one in server.metrics.book.described:
        samples = shown[one.name.removesuffix("_total")].samples
        assert samples, one.name
        assert all(set(s.labels) - {"le"} == set(one.labels) for s in samples), one.name


def test_importing_the_workers_is_not_needed() -> None:
    code = "import kinesphere.adapters.metrics, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not [
        name for name in loaded if name.startswith(("kinesphere.worker", "kinesphere.http"))
    ]
