"""A server at work, read by a real Prometheus: every panel has data, and alerts reach people."""

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from deploy.observability.dashboards import DASHBOARDS

from tests.observability.conftest import SILENT, Watched
from tests.observability.hints import HINTS
from tests.observability.scene import BACKLOG, GPU, HOT
from tests.observability.test_rules import ALERTS

pytestmark = pytest.mark.slow

PATIENCE: Final = 45.0
PAUSE: Final = 0.5
"""Seconds between two looks, about as long as Prometheus takes to read again."""

_MEANT: Final = {
    "$__rate_interval": "15s",
    "$__range": "5m",
    "$pool": ".*",
    "$model": ".*",
    "$gpu": ".*",
}


def queries() -> Iterator[tuple[str, str]]:
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.title} / {panel.title} / {query.name}", spelled(query.expr)


def spelled(expr: str) -> str:
    for name, value in _MEANT.items():
        expr = expr.replace(name, value)
    return expr


def until(watched: Watched, what: Callable[[], list[str]]) -> None:
    """Go on acting until nothing of `what` is missing any more."""
    limit = time.monotonic() + PATIENCE
    while missing := what():
        assert time.monotonic() < limit, f"not within {PATIENCE:g} s:\n" + "\n".join(missing)
        watched.scene.act()
        time.sleep(PAUSE)


def tells(series: list[dict[str, Any]]) -> bool:
    """Whether some series has a number."""
    return any(not math.isnan(float(each["value"][1])) for each in series)


def every_panel_has_data(watched: Watched) -> None:
    left = dict(queries())

    def missing() -> list[str]:
        for name, expr in list(left.items()):
            if tells(watched.prometheus.query(expr)):
                del left[name]
        return [f"{name}: {expr}" for name, expr in left.items()]

    until(watched, missing)


def test_every_panel_has_data(watched: Watched) -> None:
    every_panel_has_data(watched)


def test_the_numbers_are_those_of_the_run(watched: Watched) -> None:
    every_panel_has_data(watched)

    def value(expr: str) -> float:
        (series,) = watched.prometheus.query(expr)
        return float(series["value"][1])

    assert value("max(redis_queue_length)") == HINTS
    assert value('max(kinesphere_queue_depth{pool="jammed"})') >= BACKLOG - 1
    assert value("max(hy_motion_queue_length)") >= BACKLOG - 1
    assert value(f'max(kinesphere_gpu_temperature_celsius{{gpu="{GPU}"}})') == HOT
    # Generation 4, 8 lanes.
    assert value("kinesphere:gpu_pcie_use:ratio") == pytest.approx(45e6 / 16e9)
    assert value('max(kinesphere_release_weight{model="fresh"})') == 0.5
    assert value("sum(kinesphere_cost_total)") == pytest.approx(
        value("sum(kinesphere_replica_seconds_total)") * 0.72 / 3600
    )


def test_every_rule_is_evaluated_and_alerts_reach_people(watched: Watched) -> None:
    rules = watched.prometheus.get("rules")["groups"]
    told = {rule["name"] for group in rules for rule in group["rules"]}
    assert set(ALERTS) <= told
    expected = {"KinesphereGpuHot", "KinesphereQueueBacklog", "KinesphereDown"}

    def heard() -> set[str]:
        bodies = watched.receiver.at("/team") + watched.receiver.at("/on-call")
        return {alert["labels"]["alertname"] for b in bodies for alert in json.loads(b)["alerts"]}

    until(watched, lambda: sorted(expected - heard()))
    assert not [
        rule["name"] for group in rules for rule in group["rules"] if rule.get("health") == "err"
    ]
    firing = watched.alertmanager.firing()
    assert firing["KinesphereGpuHot"]["labels"]["gpu"] == GPU
    assert firing["KinesphereQueueBacklog"]["labels"]["pool"] == "jammed"
    assert firing["KinesphereDown"]["labels"]["instance"] == SILENT
    # Nothing else is wrong with what runs here but that the canary makes mistakes.
    assert set(firing) <= expected | {"KinesphereDeadLetters", "KinesphereDeadlineBurnFast"}
    on_call = [json.loads(body) for body in watched.receiver.at("/on-call")]
    assert {a["labels"]["severity"] for each in on_call for a in each["alerts"]} == {"critical"}


def test_a_slow_bucket_leads_to_a_trace(watched: Watched) -> None:
    def traces() -> set[str]:
        now = float(watched.prometheus.get("query", query="time()")["result"][0])
        seen = watched.prometheus.get(
            "query_exemplars",
            query="kinesphere_job_latency_seconds_bucket",
            start=str(now - 300),
            end=str(now),
        )
        return {one["labels"]["trace_id"] for series in seen for one in series["exemplars"]}

    until(watched, lambda: [] if traces() else ["an exemplar"])
    found = traces()
    logged = {line.get("trace_id") for line in watched.scene.server.logged()}
    assert found <= logged
