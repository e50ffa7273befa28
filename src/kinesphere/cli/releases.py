"""`kinesphere release`: beginning, watching and stopping releases by a server."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from kinesphere.cli import console
from kinesphere.cli.exits import Exit, leave
from kinesphere.cli.jobs import connected
from kinesphere.client import Release

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A release to be begun: `steps` as `10,25,50`, `hold` as `30s`, `10m`, `2h` or `1d`."""

    canary: str
    steps: str
    hold: str
    samples: int
    alpha: float
    slower: float
    memory: float


def started(url: str | None, task: str, wanted: Wanted, as_json: bool) -> None:
    """Begin a release."""
    try:
        steps = [float(part) for part in wanted.steps.split(",")]
    except ValueError:
        message = f"--steps {wanted.steps!r} are not percentages such as 10,25,50,100"
        raise leave(Exit.USAGE, message) from None
    with connected(url) as client:
        found = client.start_release(
            task,
            wanted.canary,
            steps=steps,
            hold_seconds=_hold(wanted.hold),
            samples=wanted.samples,
            alpha=wanted.alpha,
            slower=wanted.slower,
            memory=wanted.memory,
        )
    _show(found, as_json)


def shown(url: str | None, task: str | None, as_json: bool) -> None:
    """Show a task's release, or the last one of each."""
    with connected(url) as client:
        if task is not None:
            _show(client.release(task), as_json)
            return
        found = client.releases()
    if as_json:
        console.as_json([asdict(release) for release in found])
        return
    console.table(
        ("task", "state", "stable", "canary", "part", "users", "began"),
        [
            (
                release.task,
                release.state,
                release.stable,
                release.canary,
                f"{release.figures['canary_percent']:g} %",
                str(release.figures["canary_users"]),
                _time(release.started_at),
            )
            for release in found
        ],
        "no releases",
    )


def ordered(url: str | None, task: str, order: str, as_json: bool) -> None:
    """Pause, resume, promote or abort."""
    with connected(url) as client:
        orders = {
            "pause": client.pause_release,
            "resume": client.resume_release,
            "promote": client.promote_release,
            "abort": client.abort_release,
        }
        found = orders[order](task)
    _show(found, as_json)


def _show(release: Release, as_json: bool) -> None:
    if as_json:
        console.as_json(asdict(release))
        return
    figures, steps = release.figures, release.terms["steps"]
    console.facts(
        [
            ("task", release.task),
            ("state", release.state),
            ("canary", f"{release.canary}, {figures['canary_percent']:g} % of the traffic"),
            ("stable", release.stable),
            ("step", f"{release.step + 1} of {len(steps)}: {', '.join(f'{s:g}' for s in steps)} %"),
            ("users", f"{figures['canary_users']} had the canary"),
            ("jobs", _both(figures["jobs"], "")),
            ("p95", _both(figures["p95_seconds"], " s")),
            ("p95 running", _both(figures["p95_running_seconds"], " s")),
            ("memory", _both(_gigabytes(figures["memory_bytes"]), " GB")),
            ("device memory", _both(_gigabytes(figures["device_bytes"]), " GB")),
            *((name, _test(test, figures["threshold"])) for name, test in figures["tests"].items()),
            *((_time(entry.at), f"{entry.what}: {entry.why}") for entry in release.record),
        ]
    )


def _gigabytes(figures: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: None if size is None else size / 1e9 for name, size in figures.items()}


def _both(figures: Mapping[str, Any], unit: str) -> str:
    if figures["canary"] is None or figures["stable"] is None:
        return ""
    return f"canary {figures['canary']:.4g}{unit}, stable {figures['stable']:.4g}{unit}"


def _test(test: Mapping[str, Any], threshold: float) -> str:
    shares = f"canary {test['canary']:.2%}, stable {test['stable']:.2%}"
    return f"{shares}; evidence {test['evidence']:.3g} of {threshold:g}"


def _hold(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])", text)
    if found is None:
        raise leave(Exit.USAGE, f"--hold {text!r} is not a time such as 30s, 10m or 2h")
    return float(found[1]) * _SECONDS[found[2]]


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
