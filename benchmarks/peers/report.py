"""The figures as tables and plots."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.target import Target

Figures = Mapping[str, Mapping[str, Any]]


def table(figures: Figures, targets: Mapping[str, Target]) -> str:
    """Markdown: a table a workload, a row a target."""
    parts = []
    for workload, by_target in figures.items():
        rows = [_flat(each) for each in by_target.values()]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = ["| target | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
        for name, row in zip(by_target, rows, strict=True):
            cells = " | ".join(str(row.get(column, "")) for column in columns)
            lines.append(f"| {targets[name].title} | {cells} |")
        parts.append(f"## {workload}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _flat(found: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, Mapping) and name != "refused":
            flat |= _flat(value, f"{before}{name} ")
        elif name == "refused":
            if value:
                flat[f"{before}refused"] = value
        else:
            flat[f"{before}{name}"] = value
    return flat


def plots(figures: Figures, targets: Mapping[str, Target], folder: Path) -> None:
    """A picture of each workload that has clients: a line a target."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    for workload, what, label in (
        ("W1", "per_second", "requests a second"),
        ("W2", "share_of_limit", "% of the device's limit"),
    ):
        found = {n: each for n, each in figures.get(workload, {}).items() if "failed" not in each}
        if not found:
            continue
        figure, axes = pyplot.subplots(figsize=(7, 4))
        for name, each in found.items():
            clients = [key for key in each if key.isdigit()]
            axes.plot(
                clients, [each[key][what] for key in clients], "o-", label=targets[name].title
            )
        axes.set(xlabel="clients", ylabel=label, title=workload, ylim=(0, None))
        axes.legend(fontsize=7)
        figure.savefig(folder / f"{workload}.png", dpi=120, bbox_inches="tight")
        pyplot.close(figure)
