"""Traces of arrivals, from CSV and NPZ files, made ready to be played."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import numpy as np

from kinesphere.core.jobs import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY
from kinesphere.elastic.policies import FileInvalid
from kinesphere.elastic.simulator.files import PoolsFile, PoolTable
from kinesphere.elastic.simulator.values import Arrival

COLUMNS: Final = ("at", "seconds", "deadline", "user", "priority", "pool", "estimate")

MOST_JOBS: Final = 5_000_000


class Row(NamedTuple):
    """A job as a trace has it; None and "" where it does not say.

    Attributes:
        at: s from the start of the trace.
        seconds: Of its own work.
        deadline: s after `at`.
        user: Who asked.
        priority: 0 to 9.
        pool: Where.
        estimate: s of work that could be told beforehand.
    """

    at: float
    seconds: float | None = None
    deadline: float | None = None
    user: str = ""
    priority: int = DEFAULT_PRIORITY
    pool: str = ""
    estimate: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows in order of time.

    Attributes:
        rows: The jobs.
        duration: s of the whole.
        began: When it began, in seconds since the epoch (UTC), where that is known.
    """

    rows: tuple[Row, ...]
    duration: float
    began: float | None = None


def read_trace(path: Path) -> Trace:
    """A trace from a `.npz` file with `t` and `duration`, or from a CSV file.

    A CSV file has a header with `at`, or `t`, and any of the other fields of `Row`. Raises
    FileInvalid.
    """
    try:
        trace = _from_npz(path) if path.suffix == ".npz" else _from_csv(path)
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror or error}") from None
    if not trace.rows:
        raise FileInvalid(f"{path}: no arrivals")
    if trace.duration <= 0.0:
        raise FileInvalid(f"{path}: it lasts no time")
    return trace


def _from_npz(path: Path) -> Trace:
    try:
        with np.load(path, allow_pickle=False) as stored:
            times = np.sort(np.asarray(stored["t"], dtype=np.float64))
            last = float(times[-1]) if len(times) else 0.0
            duration = float(stored["duration"]) if "duration" in stored else last
    except (KeyError, ValueError) as error:
        raise FileInvalid(f"{path}: not a trace with `t` and `duration`: {error}") from None
    if len(times) and not (np.isfinite(times).all() and times[0] >= 0.0):
        raise FileInvalid(f"{path}: t: times must be finite and not under 0")
    return Trace(tuple(Row(at) for at in times.tolist()), max(duration, last))


def _from_csv(path: Path) -> Trace:
    rows: list[Row] = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        header = ["at" if name == "t" else name for name in reader.fieldnames or ()]
        if "at" not in header:
            raise FileInvalid(f"{path}: the header names no column `at`")
        if unknown := [name for name in header if name not in COLUMNS]:
            raise FileInvalid(f"{path}: no column is named {unknown[0]!r}: {', '.join(COLUMNS)}")
        reader.fieldnames = header
        for number, values in enumerate(reader, start=2):
            try:
                rows.append(_row(values))
            except (ValueError, TypeError) as error:
                raise FileInvalid(f"{path}: row {number}: {error}") from None
    if len(rows) > MOST_JOBS:
        raise FileInvalid(f"{path}: over {MOST_JOBS:,} jobs")
    rows.sort(key=lambda row: row.at)
    return Trace(tuple(rows), rows[-1].at if rows else 0.0)


def _row(values: dict[str, str]) -> Row:
    priority = int(values.get("priority") or DEFAULT_PRIORITY)
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise ValueError(f"priority {priority} is not {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}")
    at = _number(values, "at")
    if at is None:
        raise ValueError("no time")
    return Row(
        at=at,
        seconds=_number(values, "seconds"),
        deadline=_number(values, "deadline"),
        user=values.get("user") or "",
        priority=priority,
        pool=values.get("pool") or "",
        estimate=_number(values, "estimate"),
    )


def _number(values: dict[str, str], name: str) -> float | None:
    text = values.get(name)
    if not text:
        return None
    number = float(text)
    if not (math.isfinite(number) and number >= 0.0):
        raise ValueError(f"{name} {text} is not a finite number of seconds, 0 or more")
    return number


def prepared(trace: Trace, file: PoolsFile) -> tuple[tuple[Arrival, ...], float]:
    """The jobs to play and the length of the trace, by the pools file's workload.

    What a trace does not say of a job is drawn: its seconds from a lognormal distribution with the
    pool's mean and spread, its deadline by the pool's rule.

    Raises FileInvalid where a job asks for a pool that the file does not have.
    """
    work = file.workload
    factor = 1.0 if work.hours is None else work.hours * 3600.0 / trace.duration
    duration = trace.duration * factor
    random = Random(work.seed)  # noqa: S311 - chance, not secrecy
    tables = {table.name: table for table in file.pools}
    first = file.pools[0]
    rows = [row._replace(at=row.at * factor) for row in trace.rows]
    for row in rows:
        if row.pool and row.pool not in tables:
            raise FileInvalid(f"the trace has jobs for pool {row.pool!r}, the pools file has not")
    if work.load is not None:
        share = _share(rows, tables, first, work.load * duration)
        rows = [row for row in rows if random.random() < share]
    arrivals = tuple(_arrival(row, tables.get(row.pool, first), random) for row in rows)
    if not arrivals:
        raise FileInvalid("no job is left of the trace: raise workload.load or workload.hours")
    return arrivals, duration


def _share(
    rows: Sequence[Row], tables: dict[str, PoolTable], first: PoolTable, wanted: float
) -> float:
    """The share of the rows that makes `wanted` seconds of work."""
    total = 0.0
    for row in rows:
        table = tables.get(row.pool, first)
        own = table.per_job if row.seconds is None else row.seconds
        total += own + table.fixed / table.batch_limit
    if wanted > total:
        raise FileInvalid(
            f"workload.load: all jobs of the trace are {total / wanted:.3g} times what is asked; "
            "fewer hours make it denser"
        )
    return wanted / total


def _arrival(row: Row, table: PoolTable, random: Random) -> Arrival:
    own = row.seconds
    if own is None:
        own = lognormal(random, table.per_job, table.spread)
    given = row.deadline
    if given is None and table.deadline is not None:
        given = table.deadline.times * (table.fixed + own) + table.deadline.plus
    estimate = row.estimate
    if estimate is None and table.estimates == "exact":
        estimate = own
    deadline = None if given is None else row.at + given
    return Arrival(row.at, own, deadline, row.user, row.priority, row.pool, estimate)


def lognormal(random: Random, mean: float, spread: float) -> float:
    """A draw with this mean and this standard deviation over the mean."""
    if spread <= 0.0 or mean <= 0.0:
        return mean
    variance = math.log1p(spread * spread)
    return random.lognormvariate(math.log(mean) - variance / 2.0, math.sqrt(variance))
