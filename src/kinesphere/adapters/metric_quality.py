"""What the quality checks found in finished jobs, as metrics."""

from collections.abc import Mapping
from typing import Final

from kinesphere.adapters.metric_book import Book
from kinesphere.core.jobs import Job, State

_SHARES: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_JERKS: Final = (50, 100, 200, 400, 800, 1_200, 2_000, 3_000)
_DEPTHS: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05)


class QualityMetrics:
    """Counts verdicts and anomalies of every finished job, and how large its figures were."""

    def __init__(self, book: Book) -> None:
        model = ("model",)
        self._verdicts = book.counter(
            "kinesphere_quality_verdicts_total", "Results judged, by verdict.", ("model", "verdict")
        )
        self._anomalies = book.counter(
            "kinesphere_quality_warnings_total",
            "Results in which a check warned; limit_* are joint anomalies.",
            ("model", "check"),
        )
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
        for check in warned if isinstance(warned, list) else ():
            self._anomalies.labels(job.model, str(check)).inc()
        measures = quality.get("measures")
        if isinstance(measures, Mapping):
            for name, histogram in self._figures.items():
                value = measures.get(name)
                if isinstance(value, int | float):
                    histogram.labels(job.model).observe(value)
