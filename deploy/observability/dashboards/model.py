"""Panels and dashboards, and the JSON that Grafana (10 and later) reads.

Written out here because the builders that Grafana publishes for Python leave panels without ids and
options, and check nothing: what can go wrong with a panel is its query, and that is tested.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SCHEMA: Final = 39
"""The form of the document as of Grafana 10.4; newer ones bring it up to date by themselves."""

COLUMNS: Final = 24
HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `name` is how its series are called, with {{label}} for a label's value."""

    expr: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows.
        unit: Grafana's id of a unit: s, percentunit, bytes, reqps, short…
        queries: Its series.
        help: How to read it, in a sentence or two.
        kind: How it is drawn.
        width: Columns of 24.
        limit: A value from which on it is drawn red, or None.
        stacked: Whether series are drawn upon each other.
        most: The axis' end, or None for that of the data.
        exemplars: Whether traces of single jobs are shown as points.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    help: str = ""
    kind: Kind = "timeseries"
    width: int = 8
    limit: float | None = None
    stacked: bool = False
    most: float | None = None
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top: the values of a label of a metric."""

    name: str
    metric: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels by title."""

    name: str
    title: str
    help: str
    rows: dict[str, tuple[Panel, ...]]
    variables: tuple[Variable, ...] = field(default=(Variable("pool", "kinesphere_queue_depth"),))

    @property
    def panels(self) -> Sequence[Panel]:
        """All of them."""
        return [panel for row in self.rows.values() for panel in row]


def document(dashboard: Dashboard) -> str:
    """The JSON of a dashboard, with a line's end."""
    content = {
        "uid": f"kinesphere-{dashboard.name}",
        "title": f"Kinesphere / {dashboard.title}",
        "description": dashboard.help,
        "tags": ["kinesphere"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_alerts()]},
        "links": [
            {
                "title": "Kinesphere",
                "type": "dashboards",
                "tags": ["kinesphere"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_source(), *map(_variable, dashboard.variables)]},
        "panels": list(_laid_out(dashboard)),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Kinesphere.*", alertstate="firing"}',
        "titleFormat": "{{alertname}} {{pool}}{{model}}",
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "variable"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _laid_out(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Rows, and their panels from left to right."""
    number, y = 1, 0
    for title, panels in dashboard.rows.items():
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        yield {
            "id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": place,
        }  # fmt: skip
        number, x, y = number + 1, 0, y + 1
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + HEIGHT
            place = {"h": HEIGHT, "w": panel.width, "x": x, "y": y}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            number, x = number + 1, x + panel.width
        y += HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.kind),
        "targets": [_target(panel, i, query) for i, query in enumerate(panel.queries)],
    }


def _options(kind: Kind) -> dict[str, Any]:
    if kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area"}
    if kind == "table":
        return {"showHeader": True}
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(panel: Panel, index: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + index),
        "datasource": _SOURCE,
        "expr": query.expr,
        "legendFormat": query.name or "__auto",
        "exemplar": panel.exemplars,
        "instant": panel.kind == "table",
        "range": panel.kind != "table",
        "format": "table" if panel.kind == "table" else "time_series",
    }
