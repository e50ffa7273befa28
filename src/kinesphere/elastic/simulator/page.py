"""A comparison as one HTML page that needs nothing else: tables and drawings in it, no script."""

from collections.abc import Sequence
from html import escape
from typing import Final

from kinesphere.elastic.simulator.comparison import Compared
from kinesphere.elastic.simulator.measures import curve
from kinesphere.elastic.simulator.values import Result

WIDTH: Final = 920
HEIGHT: Final = 150
LEFT: Final = 44
BOTTOM: Final = 22
BINS: Final = 230

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2330;--dim:#6b7484;--line:#d7dce4;--paid:#9db7e8;
--ready:#2a5fc4;--jobs:#d98a2b;--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--dim:#98a2b3;--line:#39414f;--paid:#35507f;
--ready:#7fa8f5;--jobs:#e8a657;--page:#14181f}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);
max-width:980px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
.scroll{overflow-x:auto}svg{width:100%;height:auto}
text{fill:var(--dim);font:11px system-ui,sans-serif}h2{font-size:1rem;margin:1.6rem 0 .3rem}
ol{max-height:18rem;overflow:auto;padding-left:1.4rem}.dim{color:var(--dim)}
"""

HEADINGS: Final = (
    "policy", "deadlines met", "wait p50", "p95", "p99", "GPU-hours", "cost", "starts an hour",
    "most replicas", "busy",
)  # fmt: skip


def cells(line: Compared) -> tuple[str, ...]:
    """A line of the table, as text."""
    m = line.measures
    return (
        line.label,
        f"{m.met:.2%}",
        f"{m.wait_p50:.1f} s",
        f"{m.wait_p95:.1f} s",
        f"{m.wait_p99:.1f} s",
        f"{m.gpu_hours:.2f}",
        f"{m.cost:.2f}",
        f"{m.starts_per_hour:.1f}",
        f"{m.replicas_max}",
        f"{m.busy:.0%}",
    )


def page(title: str, lines: Sequence[Compared]) -> str:
    """The whole document."""
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in cells(line)) + "</tr>"
        for line in lines
    )
    jobs = lines[0].measures.jobs if lines else 0
    hours = lines[0].result.duration / 3600.0 if lines else 0.0
    drawings = "".join(
        f"<h2>{escape(line.label)}</h2>{drawing(line.result)}{_reasons(line.result)}"
        for line in lines
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>{jobs:,} jobs in {hours:.1f} hours. GPU-hours run from the order of a replica to its "
        "end, its cold start included.</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        '</div><p class="dim">Replicas: paid for (light) and ready (line). Jobs that arrive, in '
        f"orange, to a scale of their own.</p>{drawings}</html>"
    )


def drawing(result: Result) -> str:
    """Replicas and arrivals over the time of the trace, as SVG."""
    paid, ready = curve(result), curve(result, ready=True)
    most = max([n for _, n in paid] + [1])
    end = result.ended

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT) * at / end

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 8) * share

    def steps(points: list[tuple[float, int]]) -> str:
        parts = [f"M{x(0.0):.1f} {y(0.0):.1f}"]
        for when, n in points:
            parts.append(f"H{x(when):.1f}V{y(n / most):.1f}")
        return "".join(parts) + f"H{x(end):.1f}"

    counts = arrivals_in_bins(result)
    peak = max([*counts, 1])
    bars = "".join(
        f"L{x((i + 0.5) * end / BINS):.1f} {y(0.9 * n / peak):.1f}" for i, n in enumerate(counts)
    )
    marks = "".join(
        f'<text x="{x(end * i / 6):.0f}" y="{HEIGHT - 6}" '
        f'text-anchor="{"start" if i == 0 else "end" if i == 6 else "middle"}">'
        f"{end * i / 6 / 3600.0:.1f} h</text>"
        for i in range(7)
    )
    scale = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y(n / most):.1f}" y2="{y(n / most):.1f}" '
        f'stroke="var(--line)"/><text x="{LEFT - 6}" y="{y(n / most) + 4:.1f}" '
        f'text-anchor="end">{n}</text>'
        for n in sorted({0, (most + 1) // 2, most})
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="replicas over time, at most {most}">{scale}'
        f'<path d="{steps(paid)}V{y(0.0):.1f}Z" fill="var(--paid)"/>'
        f'<path d="{steps(ready)}" fill="none" stroke="var(--ready)"/>'
        f'<path d="M{x(0.0):.1f} {y(0.0):.1f}{bars}" fill="none" stroke="var(--jobs)"/>'
        f"{marks}</svg>"
    )


def arrivals_in_bins(result: Result) -> list[int]:
    """Arrivals in each of BINS equal parts of the time."""
    counts = [0] * BINS
    for run in result.runs:
        counts[min(int(run.arrival.at / result.ended * BINS), BINS - 1)] += 1
    return counts


def _reasons(result: Result) -> str:
    """The first changes of plan with their reasons, folded away."""
    if not result.steps:
        return ""
    changes = [
        step
        for before, step in zip((None, *result.steps), result.steps, strict=False)
        if before is None or before.wanted != step.wanted
    ]
    items = "".join(f"<li>{step.at:,.0f} s: {escape(step.reason)}</li>" for step in changes[:200])
    shown = f"the first 200 of {len(changes):,}" if len(changes) > 200 else f"{len(changes)}"
    return f"<details><summary>Plans and reasons: {shown}</summary><ol>{items}</ol></details>"
