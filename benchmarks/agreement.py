"""Plays one trace through a real server and through the simulator, and tells how far they agree.

The server is the one that users start, with the policy that they would give it; its supervisor
starts and drains real replica processes, whose engine is simulated and takes each job the time that
the trace says. To have an hour of meshes in minutes all times are divided by `--speed`: of the
trace, of the engines, and of the policy. Figures are told on the trace's own scale.

The simulator plays the same arrivals with the same policy, and with the cold start that the
replicas of the run really took: at twenty times the speed a Python process needs seconds of the
trace to start. When in the trace the policy looks is chance on a server, and a look a second sooner
may find a job just in time that a later one finds too late. So the simulator plays it with PHASES
beginnings of the first look, and its figures are means, told with the least and the most.

Each job is due after twice its own time and 10 s. By default neither is told so: the policy has
jobs wait 60 s at most, and the due times are looked at afterwards. `--deadlines` tells both; the
server then refuses what it cannot make in time, which the simulator serves too late.

    python -m benchmarks.agreement [--trace NAME] [--minutes 30] [--speed 4] [--load 2.5]
"""

import argparse
import asyncio
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

import httpx
from tests.servers import ServerProcess

from kinesphere.core.admission import Service
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.values import Limits
from kinesphere.elastic.simulator import Arrival, Measures, Pool, measure, simulate
from kinesphere.elastic.simulator.files import DeadlineRule, PoolsFile, PoolTable, Workload
from kinesphere.elastic.simulator.traces import prepared, read_trace

TRACES: Final = Path(__file__).parents[1] / "tests" / "elastic" / "traces"
WORK: Final = 75.0
"""Mean seconds of a job: a mesh on an A10, as in `benchmarks/elastic.py`."""

CLIP: Final = 5.0
"""Seconds of the clip whose work is the mean; a job's own work is asked for by its length."""

COLD_START: Final = 30.0
TARGET_WAIT: Final = 60.0
"""Seconds that a job without a deadline may wait: more than a cold start, as its due time has it.
"""

PHASES: Final = 20
"""Beginnings of the policy's first look that are simulated, evenly over its interval."""

LOOK: Final = 0.1
"""Seconds between two looks at the replicas."""

_ENDS: Final = ("succeeded", "failed", "cancelled", "expired")


@dataclass(frozen=True)
class Outcome:
    """What became of a trace; all times in seconds of the trace.

    Attributes:
        jobs: How many came.
        served: How many were made.
        met: Share of all that were made by their deadline.
        wait_mean: From a served job's arrival to its start.
        wait_p50: Of those, half waited no longer.
        wait_p95: 95 % waited no longer.
        gpu_hours: From the order of a replica to its end, cold starts included.
        starts: Replicas that were ordered, but for those that were there at the start.
        busiest: Replicas at most.
        cold_start: Median time from the order of a replica until it was ready.
    """

    jobs: int
    served: int
    met: float
    wait_mean: float
    wait_p50: float
    wait_p95: float
    gpu_hours: float
    starts: int
    busiest: int
    cold_start: float


def arrivals(name: str, minutes: float, load: float, seed: int) -> tuple[list[Arrival], float]:
    """The first minutes of a trace, thinned until `load` replicas are busy on average."""
    trace = read_trace(TRACES / f"{name}.npz")
    duration = min(trace.duration, 60.0 * minutes)
    rows = tuple(row for row in trace.rows if row.at < duration)
    table = PoolTable(
        name="gpu", per_job=WORK, spread=0.35, estimates="exact", deadline=DeadlineRule()
    )
    file = PoolsFile(workload=Workload(load=load, seed=seed), pools=(table,))
    jobs, _ = prepared(replace(trace, rows=rows, duration=duration), file)
    return list(jobs), duration


def policy(most: int, speed: float = 1.0) -> LookAhead:
    """The default policy, in a world that is `speed` times as fast."""
    usual = LookAhead()
    times, least, longest = usual.stabilise
    return replace(
        usual,
        limits=Limits(minimum=1, maximum=most),
        interval=usual.interval / speed,
        target_wait=TARGET_WAIT / speed,
        rate_window=usual.rate_window / speed,
        load_window=usual.load_window / speed,
        stabilise=(times, least / speed, longest / speed),
    )


def simulated(
    jobs: Sequence[Arrival], duration: float, most: int, cold_start: float, *, told: bool
) -> list[Outcome]:
    """The simulator's accounts, by when it looks; `told` says whether it knows the due times."""
    interval = policy(most).interval
    begins = [interval * phase / PHASES for phase in range(PHASES)]
    return [_simulated(jobs, duration, most, cold_start, told=told, late=late) for late in begins]


def _simulated(
    jobs: Sequence[Arrival],
    duration: float,
    most: int,
    cold_start: float,
    *,
    told: bool,
    late: float,
) -> Outcome:
    """With everything `late` seconds later, but for the policy's looks."""
    moved = [job._replace(at=job.at + late, deadline=_later(job.deadline, late)) for job in jobs]
    pool = Pool(name="gpu", service=Service(0.0, WORK, 1), cold_start=cold_start)
    asked = moved if told else [job._replace(deadline=None) for job in moved]
    result = simulate([pool], {"gpu": policy(most)}, asked, duration + late)
    found: Measures = measure(result)
    due = [job.deadline or math.inf for job in moved]
    return Outcome(
        jobs=len(jobs),
        served=found.jobs,
        met=sum(run.ended <= by for run, by in zip(result.runs, due, strict=True)) / len(jobs),
        wait_mean=found.wait_mean,
        wait_p50=found.wait_p50,
        wait_p95=found.wait_p95,
        gpu_hours=found.gpu_hours,
        starts=found.starts,
        busiest=found.replicas_max,
        cold_start=cold_start,
    )


def _later(deadline: float | None, seconds: float) -> float | None:
    return None if deadline is None else deadline + seconds


@dataclass
class Lived:
    """A replica: when it was first seen, last seen, and first seen ready."""

    ordered: float
    ended: float
    ready: float | None = None


class Played:
    """A trace through a real server."""

    def __init__(self, server: ServerProcess, speed: float, *, told: bool) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx.AsyncClient(base_url=server.url, timeout=60.0, limits=limits)
        self._speed = speed
        self._tells = told
        self._start = 0.0
        self._replicas: dict[str, Lived] = {}
        self._busiest = 0

    async def run(self, jobs: Sequence[Arrival], duration: float) -> Outcome:
        """Ask at the trace's times, wait for every end, and add up."""
        async with self._http:
            self._start = _loop_time()
            await self._look()
            watching = asyncio.create_task(self._watch())
            ends = await asyncio.gather(*(self._one(n, job) for n, job in enumerate(jobs)))
            # Replicas are paid for until the trace is over, as in the simulator.
            await asyncio.sleep(max(0.0, self._start + duration / self._speed - _loop_time()))
            watching.cancel()
        return self._told(jobs, ends)

    async def _one(self, number: int, job: Arrival) -> dict[str, Any] | None:
        """The job at its end, or None where it was refused."""
        await asyncio.sleep(max(0.0, self._start + job.at / self._speed - _loop_time()))
        body = {
            "prompt": "a man walks",
            "duration": min(30.0, max(0.5, CLIP * job.seconds / WORK)),
            "seed": number,
        }
        if self._tells and job.deadline is not None:
            by = datetime.now(UTC) + timedelta(seconds=(job.deadline - job.at) / self._speed)
            body["deadline"] = by.isoformat()
        answer = await self._http.post("/v1/motions", json=body)
        if answer.status_code == 503:
            return None
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        while made["state"] not in _ENDS:
            # The stream ends with the job.
            await self._http.get(f"/v1/jobs/{made['id']}/events", timeout=600.0)
            made = (await self._http.get(f"/v1/jobs/{made['id']}")).json()
        return made

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await self._look()

    async def _look(self) -> None:
        members = (await self._http.get("/v1/pools/gpu")).json()["members"]
        now, present = _loop_time(), 0
        for member in members:
            lived = self._replicas.setdefault(member["name"], Lived(now, now))
            lived.ended = now
            present += 1
            if member["state"] in ("ready", "busy") and lived.ready is None:
                lived.ready = now
        self._busiest = max(self._busiest, present)

    def _told(self, jobs: Sequence[Arrival], ends: Sequence[dict[str, Any] | None]) -> Outcome:
        made = {n: end for n, end in enumerate(ends) if end and end["state"] == "succeeded"}
        served = list(made.values())
        waits = sorted(self._speed * _between(job, "created_at", "started_at") for job in served)
        lives = self._replicas.values()
        started = [lived for lived in lives if lived.ordered - self._start > LOOK]
        starts = [lived.ready - lived.ordered for lived in started if lived.ready is not None]
        paid = sum(lived.ended - lived.ordered for lived in lives)
        met = sum(
            self._speed * _between(end, "created_at", "finished_at")
            <= (jobs[n].deadline or math.inf) - jobs[n].at
            for n, end in made.items()
        )
        return Outcome(
            jobs=len(jobs),
            served=len(served),
            met=met / len(jobs),
            wait_mean=sum(waits) / len(waits),
            wait_p50=_quantile(waits, 0.5),
            wait_p95=_quantile(waits, 0.95),
            gpu_hours=self._speed * paid / 3600.0,
            starts=len(started),
            busiest=self._busiest,
            cold_start=self._speed * median(starts) if starts else 0.0,
        )


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _between(job: dict[str, Any], first: str, second: str) -> float:
    """Seconds from the one to the other."""
    return (
        datetime.fromisoformat(job[second]) - datetime.fromisoformat(job[first])
    ).total_seconds()


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def environment(folder: Path, most: int, speed: float) -> dict[str, str]:
    """Settings of the server."""
    scaled = asdict(policy(most, speed))
    limits = scaled.pop("limits")
    names = ("interval", "target_wait", "rate_window", "load_window", "stabilise")
    lines = [f"minimum = {limits['minimum']}", f"maximum = {limits['maximum']}", "[settings]"]
    lines += [f"{name} = {json.dumps(scaled[name])}" for name in names]
    (folder / "policy.toml").write_text("\n".join(lines) + "\n")
    stage = {
        "fixed": 0.0,
        "per_job": WORK / speed,
        "batch_limit": 1,
        "cold_start": COLD_START / speed,
    }
    model = {"name": "gpu", "payload": 100, "grows": 1.0, "stages": [stage]}
    return {
        "KINESPHERE_SCALING_POLICY": str(folder / "policy.toml"),
        "KINESPHERE_MODELS": "gpu",
        "KINESPHERE_SIMULATED": json.dumps([model]),
        "KINESPHERE_LOG_LEVEL": "warning",
    }


def both(
    jobs: Sequence[Arrival], duration: float, most: int, speed: float, *, told: bool = False
) -> tuple[Outcome, list[Outcome]]:
    """What the real server came to, and the simulator, by when it looks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ServerProcess(folder / "data", environment(folder, most, speed)).start()
        try:
            real = asyncio.run(Played(server, speed, told=told).run(jobs, duration))
        finally:
            server.stop()
    return real, simulated(jobs, duration, most, real.cold_start or COLD_START, told=told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", default="servegen_mmimage_24h")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--load", type=float, default=2.5)
    parser.add_argument("--most", type=int, default=8)
    parser.add_argument("--speed", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deadlines", action="store_true")
    options = parser.parse_args()
    jobs, duration = arrivals(options.trace, options.minutes, options.load, options.seed)
    real, plays = both(jobs, duration, options.most, options.speed, told=options.deadlines)
    told = {
        "trace": options.trace,
        "minutes": duration / 60.0,
        "speed": options.speed,
        "jobs": len(jobs),
        "figures": {
            name: {
                "real": round(value, 4),
                "simulated": round(mean, 4),
                "least": round(min(found), 4),
                "most": round(max(found), 4),
                "ratio": round(value / mean, 3) if mean else None,
            }
            for name, value in asdict(real).items()
            for found in [[getattr(play, name) for play in plays]]
            for mean in [fmean(found)]
        },
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
