"""`kinesphere simulate`: a trace played against a scaling policy, and against others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesphere.cli import console
from kinesphere.cli.exits import Exit, interruptible, leave
from kinesphere.core.scaling.plan import Policy
from kinesphere.core.scaling.tiers import Mix
from kinesphere.elastic.policies import FileInvalid, PolicyFile, read
from kinesphere.elastic.simulator.comparison import Compared, bound, compare, hardware, rivals
from kinesphere.elastic.simulator.files import PoolsFile
from kinesphere.elastic.simulator.history import read_history
from kinesphere.elastic.simulator.page import HEADINGS, cells, page
from kinesphere.elastic.simulator.picture import png
from kinesphere.elastic.simulator.traces import Trace, prepared, read_trace
from kinesphere.elastic.simulator.values import Pool


@dataclass(frozen=True, slots=True)
class Source:
    """Where the jobs come from: a trace, or a ledger."""

    trace: Path | None
    ledger: Path | None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write, and whether standard output is for machines."""

    json: Path | None
    html: Path | None
    plot: Path | None


def run(source: Source, policy: Path | None, pools: Path, against: bool, outputs: Outputs) -> None:
    """Play it, tell the table, and write what was asked for."""
    with interruptible():
        try:
            lines, advice = _played(source, policy, read(pools, PoolsFile), against)
        except (FileInvalid, ValueError) as error:
            raise leave(Exit.USAGE, str(error)) from None
        console.table(HEADINGS, [cells(line) for line in lines], "nothing was played")
        for line in advice:
            print(line)
        try:
            _write(outputs, lines)
        except OSError as error:
            raise leave(Exit.FAILED, str(error)) from None


def _played(
    source: Source, policy: Path | None, pools: PoolsFile, against: bool
) -> tuple[list[Compared], list[str]]:
    trace = _trace(source, pools)
    arrivals, duration = prepared(trace, pools)
    chosen = PolicyFile() if policy is None else read(policy, PolicyFile)
    epoch = pools.epoch if trace.began is None else trace.began
    simulated = [table.pool() for table in pools.pools]
    own = {pool.name: chosen.of(pool.name).made(epoch) for pool in simulated}
    label = chosen.policy if policy is None else f"{chosen.policy} ({policy.name})"
    policies: dict[str, dict[str, Policy]] = {label: own}
    if against:
        limits = {pool.name: chosen.of(pool.name).limits(epoch) for pool in simulated}
        others = {name: rivals(each) for name, each in limits.items()}
        for rival in next(iter(others.values())):
            policies[rival] = {name: others[name][rival] for name in others}
    seed = pools.workload.seed
    lines = compare(simulated, policies, arrivals, duration, seed=seed)
    if against and len(simulated) == 1:
        pool = simulated[0]
        lines.append(bound(pool, arrivals, duration, chosen.of(pool.name).limits(epoch)))
    advice = [
        _told(pool, mix)
        for pool in simulated
        if len(pool.tiers) > 1
        and (mix := hardware(pool, arrivals, duration, chosen.of(pool.name).limits(epoch)))
    ]
    return lines, advice


def _told(pool: Pool, mix: Mix) -> str:
    """The cheapest hardware for the mean load, in a sentence."""
    counts = " and ".join(f"{n} of {name}" for name, n in mix.counts.items()) or "none"
    told = (
        f"{pool.name}: the cheapest hardware for the mean load is {counts}, {mix.price:.2f} an hour"
    )
    if mix.good:
        return told
    return f"{pool.name}: no mix within the limits keeps the waits short; the best is {counts}"


def _trace(source: Source, pools: PoolsFile) -> Trace:
    if source.ledger is not None and source.trace is None:
        return read_history(source.ledger, pools)
    if source.trace is not None and source.ledger is None:
        return read_trace(source.trace)
    raise ValueError("give either --trace or --from-ledger")


def _write(outputs: Outputs, lines: list[Compared]) -> None:
    if outputs.json is not None:
        text = json.dumps(_facts(lines), ensure_ascii=False, indent=2)
        console.store(outputs.json, (text + "\n").encode())
    if outputs.html is not None:
        console.store(outputs.html, page("Scaling, simulated", lines).encode())
    if outputs.plot is not None:
        console.store(outputs.plot, png(lines))


def _facts(lines: list[Compared]) -> list[dict[str, Any]]:
    """Measures and the curve of each line; steps with their reasons."""
    return [
        {
            "label": line.label,
            **line.measures.as_json(),
            "steps": [
                {
                    "at": step.at,
                    "pool": step.pool,
                    "wanted": step.wanted,
                    "present": step.present,
                    "ready": step.ready,
                    "waiting": step.waiting,
                    "reason": step.reason,
                }
                for step in line.result.steps
            ],
        }
        for line in lines
    ]
