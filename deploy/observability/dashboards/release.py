"""A canary beside the stable model."""

from typing import Final

from deploy.observability.dashboards.expressions import known, quantile, rate
from deploy.observability.dashboards.model import Dashboard, Panel, Query, Variable

_MODEL: Final = 'model=~"$model"'
_ENDED: Final = "kinesphere_jobs_ended_total"
_VERDICTS: Final = "kinesphere_release_verdicts_total"

DASHBOARD: Final = Dashboard(
    name="release",
    title="Release",
    help="Canary against stable: traffic, latency, errors, quality, memory, and the evidence.",
    variables=(Variable("model", "kinesphere_release_weight"),),
    rows={
        "Release": (
            Panel(
                "Traffic", "percentunit",
                (Query(known("kinesphere_release_weight", "task, model"), "{{task}}: {{model}}"),),
                "Part of a task's traffic that its last release gives each model.",
                stacked=True, most=1,
            ),
            Panel(
                "Evidence against the canary", "short",
                (Query(known("kinesphere_release_evidence", "task, test"), "{{task}}: {{test}}"),),
                "E-values of the running release's tests; rolled back at 4 / alpha, which is 80 "
                "where alpha is 0.05.", limit=80,
            ),
            Panel(
                "What releases did", "short",
                (Query(f"sum by (task, verdict) ({_VERDICTS})", "{{task}}: {{verdict}}"),),
                kind="table",
            ),
        ),
        "Side by side": (
            Panel(
                "Jobs a second", "reqps", (Query(rate(_ENDED, "model", _MODEL), "{{model}}"),),
            ),
            Panel(
                "Latency, p95", "s",
                (
                    Query(
                        quantile(0.95, "kinesphere_job_latency_seconds", "model, clip",
                                 f'outcome="succeeded", {_MODEL}'),
                        "{{model}} {{clip}}",
                    ),
                ),
                exemplars=True,
            ),
            Panel(
                "Success", "percentunit",
                (
                    Query(
                        rate(_ENDED, "model", f'outcome="succeeded", {_MODEL}') + " / "
                        + rate(_ENDED, "model", f'outcome!="cancelled", {_MODEL}'),
                        "{{model}}",
                    ),
                ),
                most=1,
            ),
            Panel(
                "Joint anomaly rate", "percentunit",
                (
                    Query(
                        f"{rate('kinesphere_joint_anomalies_total', 'model', _MODEL)}"
                        f" / {rate('kinesphere_quality_verdicts_total', 'model', _MODEL)}",
                        "{{model}}",
                    ),
                ),
                most=1,
            ),
            Panel(
                "Retries a second", "reqps",
                (
                    Query(rate("kinesphere_retries_total", "model, error_code", _MODEL),
                          "{{model}} {{error_code}}"),
                ),
            ),
            Panel(
                "Main memory of the engines", "bytes",
                (Query(known("kinesphere_replica_memory_bytes", "pool"), "{{pool}}"),),
            ),
        ),
    },
)  # fmt: skip
