"""A ledger's own past as a trace: what came, when, and how long it took. Only read."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from kinesphere.core.jobs import EventKind
from kinesphere.elastic.policies import FileInvalid
from kinesphere.elastic.simulator.files import PoolsFile
from kinesphere.elastic.simulator.traces import Row, Trace

FILE: Final = "ledger.db"

_ENTERED: Final = (EventKind.SUBMITTED, EventKind.REVIVED)
_FINISHED: Final = (EventKind.STAGE_FINISHED, EventKind.SUCCEEDED)


class Told(NamedTuple):
    """An event of the ledger: of which job, when, its kind and its facts."""

    job: str
    at: float
    kind: str
    data: Mapping[str, Any]


class Asked(NamedTuple):
    """What the simulator needs to know of a job: whose, its priority, when it expires."""

    user: str
    priority: int
    deadline: float | None


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage of one job, as its events tell it: when it entered, was claimed, was finished."""

    job: str
    pool: str
    entered: float
    claimed: float
    finished: float
    worker: str


def read_history(data: Path, pools: PoolsFile) -> Trace:
    """Every finished stage of every job in the ledger, as a row of its own.

    A stage comes when the one before it was finished. Its seconds are those of the batch that made
    it, without the pool's fixed time, shared equally by the batch. Jobs that failed, were cancelled
    or have not ended are left out, as nobody knows their work.

    Args:
        data: The data folder of a server, or its ledger file.
        pools: For the fixed time of each pool's batches.

    Raises FileInvalid where there is no such ledger, or nothing in it.
    """
    path = data / FILE if data.is_dir() else data
    if not path.is_file():
        raise FileInvalid(f"{path}: no ledger there")
    try:
        # The address is not quoted by hand: a path may hold "?" and "#".
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as ledger:
            ledger.execute("BEGIN")
            events = ledger.execute("SELECT job_id, at, kind, data FROM events ORDER BY seq")
            told = [Told(job, at, kind, json.loads(data)) for job, at, kind, data in events]
            jobs = {
                row[0]: _asked(json.loads(row[1]))
                for row in ledger.execute("SELECT id, document FROM jobs")
            }
    except (sqlite3.Error, json.JSONDecodeError) as error:
        raise FileInvalid(f"{path}: not a ledger: {error}") from None
    trace = trace_of(told, jobs, {table.name: table.fixed for table in pools.pools})
    if trace is None:
        raise FileInvalid(f"{path}: no job in it was finished")
    return trace


def trace_of(
    events: Iterable[Told], jobs: Mapping[str, Asked], fixed: Mapping[str, float]
) -> Trace | None:
    """The trace that events tell, or None where no stage was finished.

    Args:
        events: In order. A stage that was claimed before the first of them is left out.
        jobs: By id; the stages of a job that is not among them are left out.
        fixed: Fixed seconds of each pool's batches; 0 where it is missing.
    """
    stages = [stage for stage in _stages(events) if stage.job in jobs]
    if not stages:
        return None
    sizes = Counter((stage.worker, stage.claimed) for stage in stages)
    began = min(stage.entered for stage in stages)
    rows = [
        _row(stage, jobs[stage.job], began, fixed.get(stage.pool, 0.0), sizes) for stage in stages
    ]
    rows.sort(key=lambda row: row.at)
    ended = max(stage.finished for stage in stages)
    return Trace(tuple(rows), ended - began, began)


def _asked(document: Mapping[str, Any]) -> Asked:
    return Asked(document["user"], document["priority"], document.get("deadline"))


def _stages(events: Iterable[Told]) -> Iterable[_Stage]:
    entered: dict[str, float] = {}
    claimed: dict[str, tuple[float, Mapping[str, Any]]] = {}
    for job, at, kind, data in events:
        if kind in _ENTERED:
            entered[job] = at
        elif kind == EventKind.CLAIMED:
            claimed[job] = at, data
        elif kind in _FINISHED and job in claimed and job in entered:
            when, claim = claimed.pop(job)
            yield _Stage(job, claim["pool"], entered[job], when, at, claim["worker"])
            entered[job] = at


def _row(
    stage: _Stage,
    job: Asked,
    began: float,
    fixed: float,
    sizes: Mapping[tuple[str, float], int],
) -> Row:
    batch = stage.finished - stage.claimed
    return Row(
        at=stage.entered - began,
        seconds=max(batch - fixed, 0.0) / sizes[stage.worker, stage.claimed],
        deadline=None if job.deadline is None else max(job.deadline - stage.entered, 0.0),
        user=job.user,
        priority=job.priority,
        pool=stage.pool,
    )
