"""How much is asked, how much comes of it, and how long that takes."""

from typing import Final

from deploy.observability.dashboards.expressions import POOL, mean, quantile, rate
from deploy.observability.dashboards.model import Dashboard, Panel, Query

_ENDED: Final = "kinesphere_jobs_ended_total"
_LATENCY: Final = "kinesphere_job_latency_seconds"
_DONE: Final = f'outcome="succeeded", {POOL}'

DASHBOARD: Final = Dashboard(
    name="throughput",
    title="Throughput",
    help="Requests and jobs, their success, and their times split at 3 s of motion.",
    rows={
        "Requests": (
            Panel(
                "Requests a second", "reqps",
                (Query(rate("kinesphere_http_requests_total", "status"), "{{status}}"),),
                "Answers of the HTTP API, by status.", stacked=True,
            ),
            Panel(
                "Time to answer, p95", "s",
                (Query(quantile(0.95, "kinesphere_http_request_seconds", "route"), "{{route}}"),),
                "By route; where a caller waits for a result, that is in it.", exemplars=True,
            ),
            Panel(
                "Served without work", "percentunit",
                (
                    Query(
                        f"{rate('kinesphere_cache_hits_total', '', POOL)}"
                        f" / {rate('kinesphere_jobs_accepted_total', '', POOL)}",
                        "from the cache",
                    ),
                    Query(
                        f"{rate('kinesphere_joins_total', '', POOL)}"
                        f" / {rate('kinesphere_jobs_accepted_total', '', POOL)}",
                        "joined another's run",
                    ),
                ),
                "Share of the accepted jobs.", most=1,
            ),
        ),
        "Jobs": (
            Panel(
                "Jobs accepted a second (QPS)", "reqps",
                (Query(rate("kinesphere_jobs_accepted_total", "model", POOL), "{{model}}"),),
            ),
            Panel(
                "Success", "percentunit",
                (
                    Query(
                        f"{rate(_ENDED, 'model', _DONE)} / "
                        + rate(_ENDED, "model", f'outcome!="cancelled", {POOL}'),
                        "{{model}}",
                    ),
                ),
                "Of the jobs that ended other than by cancellation.", most=1,
            ),
            Panel(
                "Outcomes a second", "reqps",
                (
                    Query(
                        rate(_ENDED, "outcome, error_code", POOL), "{{outcome}} {{error_code}}"
                    ),
                ),
                stacked=True,
            ),
            Panel(
                "Latency of motions up to 3 s", "s",
                (
                    Query(quantile(0.95, _LATENCY, "model", f'clip="short", {_DONE}'),
                          "{{model}} p95"),
                    Query(quantile(0.5, _LATENCY, "model", f'clip="short", {_DONE}'),
                          "{{model}} p50"),
                ),
                "From acceptance to the end, without what came from the cache.", exemplars=True,
            ),
            Panel(
                "Latency of motions over 3 s", "s",
                (
                    Query(quantile(0.95, _LATENCY, "model", f'clip="long", {_DONE}'),
                          "{{model}} p95"),
                    Query(quantile(0.5, _LATENCY, "model", f'clip="long", {_DONE}'),
                          "{{model}} p50"),
                ),
                "From acceptance to the end, without what came from the cache.", exemplars=True,
            ),
            Panel(
                "Latency of meshes", "s",
                (
                    Query(quantile(0.95, _LATENCY, "model", f'clip="none", {_DONE}'),
                          "{{model}} p95"),
                    Query(quantile(0.5, _LATENCY, "model", f'clip="none", {_DONE}'),
                          "{{model}} p50"),
                ),
                exemplars=True,
            ),
            Panel(
                "Deadlines missed", "percentunit",
                (Query("kinesphere:deadlines_missed:ratio_rate5m", "{{model}}"),),
                "Of the jobs that came with one; 1 % is allowed.", limit=0.01, most=1,
            ),
            Panel(
                "Retries a second", "reqps",
                (Query(rate("kinesphere_retries_total", "error_code", POOL), "{{error_code}}"),),
                "Attempts that failed and were queued again.", stacked=True,
            ),
            Panel(
                "Dead letters", "short",
                (Query('max by (model) (kinesphere_stored_jobs{state="failed"})', "{{model}}"),),
                "Jobs that failed for good and can be revived.",
            ),
        ),
        "In the engine": (
            Panel(
                "Time of a batch", "s",
                (
                    Query(quantile(0.95, "kinesphere_batch_seconds", "pool", POOL),
                          "{{pool}} p95"),
                    Query(mean("kinesphere_batch_seconds", "pool", POOL), "{{pool}} mean"),
                ),
                limit=120,
            ),
            Panel(
                "Jobs of a batch, mean", "short",
                (Query(mean("kinesphere_batch_size", "pool", POOL), "{{pool}}"),),
            ),
            Panel(
                "Phases of an attempt, mean", "s",
                (
                    Query(
                        mean("kinesphere_attempt_phase_seconds", "pool, phase", POOL),
                        "{{pool}} {{phase}}",
                    ),
                ),
                "Inputs are read, the engine runs, the result is checked and encoded, and stored.",
                exemplars=True,
            ),
            Panel(
                "Mean latency of motions, last minute", "ms",
                (Query("max(hy_motion_avg_latency_ms)", "motions"),), kind="stat",
            ),
            Panel(
                "Mesh inference, p95", "s",
                (Query(quantile(0.95, "hunyuan3d_inference_duration_seconds", ""), "meshes"),),
                kind="stat", limit=120,
            ),
            Panel(
                "Webhooks a second", "reqps",
                (Query(rate("kinesphere_webhooks_total", "outcome"), "{{outcome}}"),),
            ),
            Panel(
                "Live streams", "short", (Query("sum(kinesphere_live_streams)", "open"),),
            ),
            Panel(
                "Frames of live streams a second", "short",
                (Query(rate("kinesphere_live_frames_total", "outcome"), "{{outcome}}"),),
                "Late ones were left out: a client reads too slowly, or the server is short of "
                "processor time.",
            ),
        ),
    },
)  # fmt: skip
