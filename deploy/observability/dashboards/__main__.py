"""Writes every dashboard as JSON."""

from pathlib import Path
from typing import Final

from deploy.observability.dashboards import DASHBOARDS
from deploy.observability.dashboards.model import document

FOLDER: Final = Path(__file__).parents[1] / "grafana" / "dashboards"


def main() -> None:
    """Write them."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(document(dashboard), "utf-8")


if __name__ == "__main__":
    main()
