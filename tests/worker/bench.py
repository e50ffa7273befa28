"""A platform of embedded parts around real child processes, in hurried time."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.core.catalog import Stage
from kinesphere.core.jobs import Job, Json
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Record
from kinesphere.worker.course import Post, Terms
from kinesphere.worker.held import Seams
from kinesphere.worker.process import Launch
from kinesphere.worker.supervisor import Replica
from kinesphere.worker.turns import Turns
from tests.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
CALM: Final = Terms(lease=120.0)
"""Leases that no stutter of a busy machine makes lapse."""


class HurriedClock:
    """Real time, `rate` times as fast: back-offs of seconds pass in tenths."""

    def __init__(self, rate: float = 10.0) -> None:
        self._rate = rate
        self._start = time.monotonic()

    def now(self) -> float:
        return 1_800_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._start) * self._rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._rate)


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batches: list[int] = []
        self.states: list[ReplicaState] = []
        self.deaths: list[str] = []

    def replica_entered(self, pool: str, worker: str, state: ReplicaState) -> None:
        self.states.append(state)

    def child_ready(self, pool: str, phases: Mapping[str, float]) -> None:
        self.counts["ready"] += 1

    def child_died(self, pool: str, how: str) -> None:
        self.deaths.append(how)

    def batch_started(self, pool: str, size: int) -> None:
        self.batches.append(size)

    def batch_ended(self, pool: str, size: int, seconds: float) -> None:
        self.counts["batches"] += 1

    def phase_ended(self, job: Job, phase: str, seconds: float, ago: float = 0.0) -> None:
        self.counts[phase] += 1

    def job_settled(self, job: Job) -> None:
        self.counts[job.state.value] += 1

    def lease_lost(self, pool: str) -> None:
        self.counts["lost"] += 1

    def stale_token(self, pool: str) -> None:
        self.counts["stale"] += 1


@dataclass
class Running:
    replica: Replica
    task: asyncio.Task[None]


@dataclass
class Bench:
    """Everything but HTTP; `close` ends what was started and finds what was left."""

    seams: Seams
    recorder: Recorder
    folder: Path
    turns: Turns = field(default_factory=Turns)
    running: list[Running] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    def build(cls, folder: Path, rate: float = 10.0) -> "Bench":
        clock, recorder, feed = HurriedClock(rate), Recorder(), EmbeddedFeed()
        seams = Seams(
            clock=clock,
            ledger=MemoryLedger(clock, feed),
            hints=EmbeddedHints(clock),
            feed=feed,
            artifacts=LocalArtifacts(folder, b"s" * 32, clock),
            observer=recorder,
        )
        return cls(seams, recorder, folder)

    async def submit(self, act: str = "fine", **changes: Any) -> str:
        """Accept a job whose `act` the engine will do; returns its id."""
        request: dict[str, Json] = {"act": act, "format": "bvh", **changes.pop("request", {})}
        now = self.seams.clock.now()
        job = Job(
            id=f"job{next(self._numbers):04d}",
            task="motion",
            model="m",
            model_version="1",
            user="u",
            request=request,
            pools=("m",),
            created_at=now,
            ready_at=now,
        )
        submission = await self.seams.ledger.submit(replace(job, **changes))
        self.seams.hints.ring(submission.job.pool)
        return submission.job.id

    def start(
        self,
        engine: str = "Actor",
        terms: Terms = CALM,
        pool: str = "m",
        seams: Seams | None = None,
        device: str = "cpu",
        gpu: str = "",
        **stage: Any,
    ) -> Replica:
        """Start a replica of an engine of `tests.worker.engines`."""
        values = {"batch_limit": 4, "run_limit": 3000.0, **stage}
        path = engine if ":" in engine else f"tests.worker.engines:{engine}"
        worker = f"server/{pool}/{next(self._numbers)}"
        post = Post(pool, "m", Stage(name="", engine=path, **values), worker)
        on = replace(launch(), device=device, gpu=gpu)
        replica = Replica(seams or self.seams, post, on, terms, self.turns)
        self.running.append(Running(replica, asyncio.create_task(replica.run())))
        return replica

    async def job(self, job_id: str) -> Job:
        """The job as it is."""
        job = await self.seams.ledger.get(job_id)
        assert job is not None
        return job

    async def ended(self, job_id: str, seconds: float = 30.0) -> Job:
        """The job once it has ended."""

        async def has_ended() -> bool:
            return (await self.job(job_id)).ended

        await wait_until(has_ended, f"{job_id} has ended", seconds)
        return await self.job(job_id)

    async def events(self, job_id: str) -> list[Record]:
        """What happened to a job."""
        return list(await self.seams.ledger.events(job_id=job_id))

    async def told(self, job_id: str) -> None:
        """Wait until the engine has said something about the job."""
        latest = self.seams.feed.latest
        await wait_until(lambda: latest(job_id) is not None, f"progress of {job_id}")

    async def state(self, replica: Replica, *states: ReplicaState) -> None:
        """Wait until the replica is in one of these states."""
        names = " or ".join(states)
        await wait_until(lambda: replica.status.state in states, f"the replica is {names}")

    async def stored(self) -> list[str]:
        """Every key in the artifact store."""
        listed = self.seams.artifacts.keys()
        return sorted([key async for key, _ in listed])

    async def close(self) -> None:
        """Stop every replica."""
        for each in self.running:
            each.replica.stop_now()
        await asyncio.wait_for(asyncio.gather(*(each.task for each in self.running)), 20.0)


def launch() -> Launch:
    """Children that find the test engines."""
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": path}
    return Launch(environment=environment)


def open_files() -> list[str]:
    """What this process has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return links


def children() -> list[int]:
    """Process ids of the children of this process, zombies included."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        # A thread may end while they are listed; its children then belong to another.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found
