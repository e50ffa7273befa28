"""What a quality report comes to: a refusal, or a note with the result."""

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.quality import Measure, Report
from kinesphere.worker.products import plain


def rejection(what: str, report: Report) -> Failure:
    """QUALITY_REJECTED with the checks that failed, their figures and limits."""
    failing = (_figure(measure) for measure in report.measures if measure.verdict == "fail")
    return Failure("QUALITY_REJECTED", plain(f"The {what} failed: {', '.join(failing)}."))


def summary(report: Report) -> dict[str, Json]:
    """The verdict, every figure, and the checks that warned."""
    return {
        "verdict": report.verdict,
        "measures": {m.name: m.value for m in report.measures},
        "warned": [m.name for m in report.measures if m.verdict == "warn"],
    }


def _figure(measure: Measure) -> str:
    value = "undefined" if measure.value is None else f"{measure.value:.4g} {measure.unit}".strip()
    limit = "" if measure.fail_at is None else f" (limit {measure.fail_at:g})"
    return f"{measure.name} {value}{limit}"
