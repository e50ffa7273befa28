"""A simulation as plain values, for a process apart: rows and tables in, numbers and curves out."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kinesphere.elastic.policies import PolicyTable
from kinesphere.elastic.simulator.comparison import Compared, compare
from kinesphere.elastic.simulator.files import PoolsFile
from kinesphere.elastic.simulator.measures import curve
from kinesphere.elastic.simulator.traces import Row, Trace, prepared

POINTS: Final = 120
"""Moments of a curve, evenly spaced: what a chart on a page can show."""


def replay(
    rows: Sequence[Sequence[Any]],
    duration: float,
    began: float,
    pool: Mapping[str, Any],
    policies: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Play a trace of one pool against several policies.

    Args:
        rows: Fields of `Row`.
        duration: s.
        began: s since the epoch.
        pool: Fields of a `PoolTable`.
        policies: Fields of a `PolicyTable`, by label.

    Returns:
        For each label: `label`, the fields of `Measures`, and `curve`, see `_curve`.
    """
    file = PoolsFile.model_validate({"pools": [pool]})
    # A trace of one job begins and ends with it, and lasts no time where that took none.
    trace = Trace(tuple(Row(*row) for row in rows), duration or 1.0, began)
    arrivals, seconds = prepared(trace, file)
    simulated = [table.pool() for table in file.pools]
    name = simulated[0].name
    made = {
        label: {name: PolicyTable.model_validate(table).made(began)}
        for label, table in policies.items()
    }
    lines = compare(simulated, made, arrivals, seconds)
    # The moments are the same for all, so that they can be laid over each other; the last is before
    # the end, at which every replica is given back.
    end = max(line.result.ended for line in lines)
    moments = [end * i / POINTS for i in range(POINTS)]
    return [
        {"label": line.label, **line.measures.as_json(), "curve": _curve(line, moments)}
        for line in lines
    ]


def _curve(line: Compared, moments: list[float]) -> dict[str, list[float]]:
    """Replicas paid for and ready, and jobs waiting, at even moments: `at` in s of the trace."""
    result = line.result
    came = sorted(run.arrival.at for run in result.runs)
    began = sorted(run.began for run in result.runs)
    return {
        "at": moments,
        "paid": _at(curve(result), moments),
        "ready": _at(curve(result, ready=True), moments),
        "waiting": [float(bisect_right(came, at) - bisect_right(began, at)) for at in moments],
    }


def _at(steps: Sequence[tuple[float, int]], moments: Sequence[float]) -> list[float]:
    times = [when for when, _ in steps]
    found = ((bisect_right(times, at) - 1) for at in moments)
    return [float(steps[i][1]) if i >= 0 else 0.0 for i in found]
