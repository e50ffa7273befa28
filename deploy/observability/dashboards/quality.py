"""How good what is made is, by the checks that every result passes."""

from typing import Final

from deploy.observability.dashboards.expressions import mean, quantile, rate
from deploy.observability.dashboards.model import Dashboard, Panel, Query, Variable

_MODEL: Final = 'model=~"$model"'
_VERDICTS: Final = "kinesphere_quality_verdicts_total"
_SKATING: Final = "kinesphere_quality_skating_share"
_JERK: Final = "kinesphere_quality_jerk"
_DEPTH: Final = "kinesphere_quality_penetration_meters"

DASHBOARD: Final = Dashboard(
    name="quality",
    title="Quality",
    help="Joint anomalies, verdicts, foot skating, jerk and penetration, by model.",
    variables=(Variable("model", _VERDICTS),),
    rows={
        "Verdicts": (
            Panel(
                "Joint anomaly rate", "percentunit",
                (
                    Query(
                        f"{rate('kinesphere_joint_anomalies_total', 'model', _MODEL)}"
                        f" / {rate(_VERDICTS, 'model', _MODEL)}",
                        "{{model}}",
                    ),
                ),
                "Share of the motions in which a joint was bent further than people can.",
                limit=0.05, most=1,
            ),
            Panel(
                "Verdicts a second", "reqps",
                (Query(rate(_VERDICTS, "model, verdict", _MODEL), "{{model}} {{verdict}}"),),
                stacked=True,
            ),
            Panel(
                "Warnings a second, by check", "reqps",
                (
                    Query(
                        rate("kinesphere_quality_warnings_total", "model, check", _MODEL),
                        "{{model}} {{check}}",
                    ),
                ),
                stacked=True,
            ),
            Panel(
                "Attempts rejected a second", "reqps",
                (
                    Query(
                        rate("kinesphere_retries_total", "model",
                             f'error_code="QUALITY_REJECTED", {_MODEL}'),
                        "{{model}}",
                    ),
                ),
                "Made again with another seed.",
            ),
        ),
        "Figures of motions": (
            Panel(
                "Foot skating", "percentunit",
                (
                    Query(mean(_SKATING, "model", _MODEL), "{{model}} mean"),
                    Query(quantile(0.95, _SKATING, "model", _MODEL), "{{model}} p95"),
                ),
                "Share of a motion's frames in which a planted foot slides.", exemplars=True,
            ),
            Panel(
                "Jerk", "none",
                (
                    Query(mean(_JERK, "model", _MODEL), "{{model}} mean"),
                    Query(quantile(0.95, _JERK, "model", _MODEL), "{{model}} p95"),
                ),
                "m/s³, mean over a motion's joints.", exemplars=True,
            ),
            Panel(
                "Penetration", "lengthm",
                (
                    Query(mean(_DEPTH, "model", _MODEL), "{{model}} mean"),
                    Query(quantile(0.95, _DEPTH, "model", _MODEL), "{{model}} p95"),
                ),
                "How deep the lowest joint goes under the ground.", exemplars=True,
            ),
        ),
    },
)  # fmt: skip
