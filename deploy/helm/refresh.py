"""Make anew what is made from other files of this repository; tests hold them together.

    python -m deploy.helm.refresh

- the chart's rules and dashboards, copies of those in deploy/observability, because a chart reads
  nothing outside its folder,
- its values.schema.json, from the settings,
- deploy/kubernetes, from the chart and its examples.
"""

import json
from pathlib import Path

from kinesphere.cli.deploy import HEADER
from kinesphere.deploy import chart
from kinesphere.deploy.schema import schema

DEPLOY = Path(__file__).parents[1]
CHART = DEPLOY / "helm" / "kinesphere"
PLAIN = {"production": DEPLOY / "kubernetes", "trial": DEPLOY / "kubernetes" / "trial"}
COPIED = {
    "rules": (DEPLOY / "observability" / "prometheus", "rules.yml"),
    "dashboards": (DEPLOY / "observability" / "grafana" / "dashboards", "*.json"),
}


def files() -> dict[Path, str]:
    """Every file of the chart that is a copy or made, with what it must hold."""
    wanted = {
        CHART / "files" / folder / path.name: path.read_text("utf-8")
        for folder, (source, pattern) in COPIED.items()
        for path in sorted(source.glob(pattern))
    }
    text = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    return wanted | {CHART / "values.schema.json": text}


def manifests() -> dict[Path, str]:
    """Every plain manifest, with what it must hold, by the chart as it is now."""
    wanted: dict[Path, str] = {}
    for name, folder in PLAIN.items():
        (values,) = chart.read([DEPLOY / "helm" / "examples" / f"{name}.yaml"])
        made = chart.rendered(values, chart.Release())
        wanted |= {folder / file: HEADER + text for file, text in made.items()}
    return wanted


def main() -> None:
    """Write all of it, and remove what is of an earlier time."""
    _write(files(), [CHART / "files" / folder for folder in COPIED])
    _write(manifests(), list(PLAIN.values()))


def _write(wanted: dict[Path, str], folders: list[Path]) -> None:
    for folder in folders:
        for old in folder.glob("*.*"):
            if old not in wanted:
                old.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
