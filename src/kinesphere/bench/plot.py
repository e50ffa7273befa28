"""A load as one SVG: throughput and latency over its time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from kinesphere.bench.outcomes import Outcome, over_time

BINS: Final = 60
_WIDTH: Final = 960
_PANEL: Final = 220
_LEFT: Final = 70
_RIGHT: Final = 20
_TOP: Final = 60


def svg(title: str, outcomes: Sequence[Outcome], figures: Mapping[str, Any]) -> str:
    """The picture, which needs nothing beside itself."""
    bins = over_time(outcomes, BINS)
    told = (
        f"{figures['served']} served of {figures['sent']} sent, "
        f"{figures['throughput']:g} a second, "
        f"p50 {_seconds(figures['latency']['p50'])}, p95 {_seconds(figures['latency']['p95'])}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_TOP + 2 * _PANEL}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_TOP + 2 * _PANEL}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="24" font-size="17" fill="#1c2330">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="45" fill="#6b7484">{escape(told)}</text>',
        *_panel(0, "served a second", bins, "throughput", "#2a5fc4"),
        *_panel(1, "p95 latency, s", bins, "p95", "#d98a2b"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _panel(
    row: int, label: str, bins: Sequence[Mapping[str, float]], name: str, colour: str
) -> list[str]:
    top, base = _TOP + row * _PANEL + 24, _TOP + (row + 1) * _PANEL - 26
    most = max([each[name] for each in bins], default=0.0) or 1.0
    end = (bins[-1]["at"] + bins[0]["at"]) if bins else 1.0
    inner = _WIDTH - _LEFT - _RIGHT

    def x(at: float) -> float:
        return round(_LEFT + inner * at / end, 1)

    def y(value: float) -> float:
        return round(base - (base - top) * value / most, 1)

    drawn = [f'<text x="{_LEFT}" y="{top - 8}" fill="#1c2330">{escape(label)}</text>']
    for share in (0.0, 0.5, 1.0):
        level = y(share * most)
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level}" y2="{level}" '
            'stroke="#d7dce4"/>'
            f'<text x="{_LEFT - 8}" y="{level + 4}" text-anchor="end" fill="#6b7484">'
            f"{share * most:.3g}</text>"
        )
    points = " ".join(f"{x(each['at'])},{y(each[name])}" for each in bins)
    drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    drawn += [
        f'<text x="{x(share * end)}" y="{base + 18}" text-anchor="middle" fill="#6b7484">'
        f"{share * end:.0f} s</text>"
        for share in (0.0, 0.5, 1.0)
    ]
    return drawn
