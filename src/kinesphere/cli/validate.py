"""`kinesphere validate`: the measures of a motion or a mesh, taken in this process."""

from pathlib import Path
from typing import Any

from kinesphere.cli import console
from kinesphere.cli.exits import Exit, leave, refusal
from kinesphere.core.failures import Rejected
from kinesphere.service.files import judged


def run(file: Path, as_json: bool) -> None:
    """Tell every measure, and whether the file passes."""
    try:
        report = judged(file.name, file.read_bytes())
    except Rejected as error:
        raise leave(Exit.USAGE, refusal(error)) from None
    except OSError as error:
        raise leave(Exit.FAILED, str(error)) from None
    if as_json:
        console.as_json(report)
    else:
        _tell(report)
    if report["verdict"] == "fail":
        raise leave(Exit.FAILED)


def _tell(report: dict[str, Any]) -> None:
    console.table(
        ("measure", "verdict", "value", "warns", "fails", "unit", "frames", "joints"),
        [
            (
                measure["name"],
                measure["verdict"],
                _number(measure["value"]),
                _number(measure["warn_at"]),
                _number(measure["fail_at"]),
                measure["unit"],
                _span(measure["frames"]),
                " ".join(measure["joints"]),
            )
            for measure in report["measures"]
        ],
        "nothing was measured",
    )
    for left in report["left_out"]:
        print(f"left out: {left['name']}: {left['reason']}")
    print(f"{report['file']}: {report['verdict']}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _span(frames: list[int]) -> str:
    """Frames at fault, the first few."""
    shown = " ".join(str(frame) for frame in frames[:5])
    return f"{shown} …" if len(frames) > 5 else shown
