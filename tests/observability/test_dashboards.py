"""The dashboards as files; their queries are run in `test_at_work`."""

import json
from itertools import combinations
from typing import Any

import pytest
from deploy.observability.dashboards import DASHBOARDS
from deploy.observability.dashboards.__main__ import FOLDER
from deploy.observability.dashboards.model import COLUMNS, Dashboard, document


def test_the_files_are_those_of_the_code() -> None:
    written = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert written == {each.name: document(each) for each in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_a_dashboard_is_one_that_grafana_can_lay_out(dashboard: Dashboard) -> None:
    told: dict[str, Any] = json.loads(document(dashboard))
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]
    names = {variable["name"] for variable in told["templating"]["list"]}
    for panel in panels:
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}"
            assert "$pool" not in target["expr"] or "pool" in names
            assert "$model" not in target["expr"] or "model" in names
            assert "$gpu" not in target["expr"] or "gpu" in names


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )
