"""What the quality checks found in finished jobs, as metrics."""

from collections.abc import Iterable, Mapping
from typing import Final

from kinesphere.adapters.metric_book import Book
from kinesphere.core.jobs import Job, State

VERDICTS: Final = ("pass", "warn", "fail")
JOINTS: Final = "limit_"
"""How the names of the checks of joints begin."""

_JOINTS: Final = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "neck", "trunk")

_SHARES: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_JERKS: Final = (50, 100, 200, 400, 800, 1_200, 2_000, 3_000)
_DEPTHS: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05)


class QualityMetrics:
    """Counts verdicts and anomalies of every finished job, and how large its figures were."""

    def __init__(self, book: Book, models: Iterable[str]) -> None:
        """`models` names those that make motions."""
        model = ("model",)
        self._verdicts = book.counter(
            "kinesphere_quality_verdicts_total", "Results judged, by verdict.", ("model", "verdict")
        )
        self._anomalies = book.counter(
            "kinesphere_quality_warnings_total",
            "Results in which a check warned; limit_* are joint anomalies.",
            ("model", "check"),
        )
        self._anomalous = book.counter(
            "kinesphere_joint_anomalies_total",
            "Motions in which a joint was bent further than people can.",
            model,
        )
        for name in models:
            self._anomalous.labels(name)
            for verdict in VERDICTS:
                self._verdicts.labels(name, verdict)
            for joint in _JOINTS:
                self._anomalies.labels(name, JOINTS + joint)
        self._figures = {
            "skating": book.histogram(
                "kinesphere_quality_skating_share",
                "Share of a motion's frames in which a planted foot slides.",
                model,
                _SHARES,
                "share",
            ),
            "jerk_mean": book.histogram(
                "kinesphere_quality_jerk", "Mean jerk of a motion's joints.", model, _JERKS, "m/s³"
            ),
            "penetration": book.histogram(
                "kinesphere_quality_penetration_meters",
                "How deep a motion's lowest joint goes under the ground.",
                model,
                _DEPTHS,
                "m",
            ),
        }

    def seen(self, job: Job) -> None:
        """Count one settled job, if it succeeded and was judged."""
        quality = job.notes.get("quality")
        if job.state is not State.SUCCEEDED or not isinstance(quality, Mapping):
            return
        self._verdicts.labels(job.model, str(quality.get("verdict"))).inc()
        warned = quality.get("warned")
        checks = [str(check) for check in warned] if isinstance(warned, list) else []
        for check in checks:
            self._anomalies.labels(job.model, check).inc()
        if any(check.startswith(JOINTS) for check in checks):
            self._anomalous.labels(job.model).inc()
        measures = quality.get("measures")
        if isinstance(measures, Mapping):
            for name, histogram in self._figures.items():
                value = measures.get(name)
                if isinstance(value, int | float):
                    histogram.labels(job.model).observe(value, job.trace_id)
