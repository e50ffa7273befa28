"""The cluster under attack: processes behind links that can be cut, jobs, and the verdict."""

import asyncio
import itertools
import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psycopg
from deploy.onebox.cluster import Cluster, cluster
from deploy.onebox.processes import Process
from deploy.onebox.s3_server import CREDENTIALS

from kinesphere.adapters.artifacts_s3 import S3Artifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.s3_location import Location
from kinesphere.core.failures import kind
from kinesphere.core.jobs import EventKind, Job
from kinesphere.ports import Record
from tests.chaos import engines, history, table
from tests.network import Fault, Link, Network, network

LEASE: Final = 3.0
UPGRADING: Final = 0x4B696E65
"""The advisory lock of PostgreSQL that whoever brings a ledger's tables up to date takes."""

PATIENCE: Final = float(os.environ.get("CHAOS_PATIENCE", "90"))
"""Seconds in which whatever was harmed must be well again; a guard against hanging, not a goal."""

_HINTED: Final = re.compile(r'"action":"hints.taken".*?"job_id":"(\w+)"')
_STEADY: Final = {
    "name": "steady",
    "payload": 64,
    "rank": 50,
    "stages": [{"fixed": 1.0, "per_job": 0.0, "batch_limit": 4}],
}
_ENDS = ("succeeded", "failed", "cancelled", "expired")

Value = TypeVar("Value")


def until(look: Callable[[], Value | None], what: str, seconds: float = PATIENCE) -> Value:
    """What `look` returns, once that is true; AssertionError naming `what` after `seconds`."""
    limit = time.monotonic() + seconds
    while True:
        with suppress(httpx.TransportError, psycopg.OperationalError):
            if found := look():
                return found
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


@dataclass(eq=False)
class Worker:
    """A worker, and its own links to the servers."""

    process: Process
    postgres: Link
    redis: Link
    s3: Link

    @property
    def links(self) -> dict[str, Link]:
        """By the server's name."""
        return {"postgres": self.postgres, "redis": self.redis, "s3": self.s3}

    def metric(self, name: str) -> float:
        """The sum of a counter over its labels."""
        url = self.process.said("worker.begun")["url"]
        lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def hinted(self) -> set[str]:
        """The jobs that hints which Celery brought it have named."""
        return set(_HINTED.findall(self.process.log.read_text()))


@dataclass(eq=False)
class Rig:
    """The cluster, and what the tests do with it."""

    made: Cluster
    net: Network
    chance: random.Random
    workers: list[Worker] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _starting: list[threading.Thread] = field(default_factory=list)

    def worker(self, pool: str, **settings: str) -> Worker:
        """One more worker, begun, with links of its own."""
        made, name = self.made, f"{pool}-{next(self._numbers)}"
        links = [self.net.link(s.port) for s in (made.postgres, made.redis, made.s3)]
        postgres, redis, s3 = links
        redis_url = f"redis://127.0.0.1:{redis.port}/0"
        own = {
            "KINESPHERE_DATABASE_URL": database_url(made.postgres.url_at(postgres.port), name),
            "KINESPHERE_REDIS_URL": redis_url,
            "KINESPHERE_BROKER_URL": redis_url,
            "KINESPHERE_ARTIFACTS_URL": made.s3.url("kinesphere").replace(
                str(made.s3.port), str(s3.port)
            ),
        }
        words = ["worker", "--pool", pool, "--probes", "0", "--log-level", "debug"]
        process = Process(name, words, made.folder, made.settings | own | settings)
        made.workers.append(process)
        self.workers.append(Worker(process, postgres, redis, s3))
        process.start()
        return self.workers[-1]

    def start(self, process: Process) -> None:
        """Start a process; the cluster works on meanwhile."""
        self._starting.append(threading.Thread(target=process.start))
        self._starting[-1].start()

    def started(self) -> None:
        """Wait for every process that was to start."""
        while self._starting:
            self._starting.pop().join()

    def leave(self, worker: Worker) -> None:
        """End a worker for good."""
        worker.process.kill()
        self.workers.remove(worker)
        self.made.workers.remove(worker.process)

    # -------------------------------------------------------------------------------- jobs

    def submit(self, model: str = "steady", prompt: str = "he walks", api: int = 0) -> str:
        """One job, asked for with a key at one API after the other until it is acknowledged."""
        number = next(self._numbers)
        urls = itertools.cycle(self.made.apis[api:] + self.made.apis[:api])

        def ask() -> str | None:
            answer = httpx.post(
                next(urls).url + "/v1/motions",
                json={"prompt": prompt, "duration": 1, "seed": number, "model": model},
                headers={"idempotency-key": f"job-{number}"},
                timeout=10,
            )
            if answer.status_code in (200, 202):
                return str(answer.json()["id"])
            assert answer.status_code == 503, answer.text
            assert kind(answer.json()["error_code"]).retry, answer.text
            time.sleep(0.05)
            return None

        job_id = until(ask, "a job is accepted")
        self.accepted.append(job_id)
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """The job, as an API that answers shows it."""
        urls = itertools.cycle(api.url for api in self.made.apis)

        def look() -> dict[str, Any] | None:
            answer = httpx.get(f"{next(urls)}/v1/jobs/{job_id}", timeout=10)
            return dict(answer.json()) if answer.status_code == 200 else None

        return until(look, f"an API shows {job_id}")

    def happened(self, job_id: str, what: EventKind) -> dict[str, Any] | None:
        """The facts of the last such event of a job."""
        rows = self.rows(
            f"SELECT data FROM events WHERE job_id = '{job_id}' AND kind = '{what.value}' "
            "ORDER BY seq DESC LIMIT 1"
        )
        return dict(json.loads(str(rows[0][0]))) if rows else None

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What PostgreSQL answers."""
        return self.made.postgres.execute(statement)

    def ended(self, job_ids: Sequence[str], seconds: float = PATIENCE) -> float:
        """Wait until all have ended, and tell how long that took."""
        began = time.monotonic()
        names = ", ".join(f"'{job_id}'" for job_id in job_ids)
        states = ", ".join(f"'{state}'" for state in _ENDS)
        query = f"SELECT count(*) FROM jobs WHERE id IN ({names}) AND state IN ({states})"
        until(lambda: self.rows(query) == [(len(job_ids),)], "every job has ended", seconds)
        return time.monotonic() - began

    def holder(self, job_id: str) -> Worker:
        """The worker whose claim is the last of this job."""
        claim = until(lambda: self.happened(job_id, EventKind.CLAIMED), f"{job_id} is claimed")
        pid = int(str(claim["worker"]).split("/")[1])
        return next(w for w in self.workers if w.process.pid == pid)

    def stored(self, job_id: str) -> bool:
        """Whether a file of this job is in the store."""

        async def look() -> bool:
            keys = _store(self.made).keys()
            return any([key.startswith(job_id) async for key, _ in keys])

        return asyncio.run(look())

    # ------------------------------------------------------------------------------ the verdict

    def restored(self) -> None:
        """Mend every link, and start whatever does not run."""
        for worker in self.workers:
            for link in worker.links.values():
                link.break_down(Fault.NONE)
                link.delay(0.0)
        self.started()
        for process in self.made.processes:
            if not process.running:
                self.start(process)
        self.started()

    def everything(self) -> tuple[dict[str, Job], list[Record], set[str]]:
        """Jobs, events and keys, as `history.everything`."""
        made = self.made

        async def read() -> tuple[dict[str, Job], list[Record], set[str]]:
            ledger = await SqlLedger.open(
                made.postgres.url, SystemClock(), EmbeddedFeed(), upgrade=False
            )
            found = await history.everything(ledger, _store(made))
            await ledger.close()
            return found

        return asyncio.run(read())

    @contextmanager
    def case(self, name: str) -> Iterator[table.Row]:
        """A case: whatever its block did, all that was accepted must have come to its one end."""
        row, before = table.Row(name), len(self.accepted)
        yield row
        self.restored()
        row.seconds.append(self.ended(self.accepted))
        jobs, records, stored = self.everything()
        row.broken = history.violations(self.accepted, jobs, records, stored)
        mine = set(self.accepted[before:])
        row.jobs = len(mine)
        claimed = EventKind.CLAIMED
        row.claims = sum(r.event.kind is claimed and r.job_id in mine for r in records)
        table.tell(row)
        assert row.broken == []

    @contextmanager
    def writers_held(self) -> Iterator[None]:
        """While in the block, nobody commits an event: each takes this row last, to number it."""
        with psycopg.connect(self.made.postgres.url.replace("+psycopg", "", 1)) as connection:
            connection.execute("SELECT seq FROM head FOR UPDATE")
            yield

    def waits_to_commit(self, worker: Worker) -> bool:
        """Whether a transaction of this worker waits for a row that another has locked."""
        name = worker.process.name
        return bool(
            self.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event IN ('transactionid', 'tuple') "
                f"AND application_name = '{name}'"
            )
        )


def database_url(url: str, name: str) -> str:
    """By which PostgreSQL can tell who is connected."""
    return f"{url}?application_name={name}"


def _store(made: Cluster) -> S3Artifacts:
    return S3Artifacts(Location.parse(made.s3.url("kinesphere")), SystemClock(), CREDENTIALS)


@contextmanager
def rig(folder: Path, seed: int) -> Iterator[Rig]:
    """Two APIs, two sweepers and two workers of `steady`, ready."""
    settings = {
        "KINESPHERE_RATE_LIMIT": "0",
        "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
        "KINESPHERE_CACHE_SHARE": "off",
        "KINESPHERE_MODELS": "steady,poison",
        "KINESPHERE_SIMULATED": json.dumps([_STEADY]),
        "KINESPHERE_LEASE_SECONDS": str(LEASE),
        "KINESPHERE_REAP_SECONDS": "0.25",
        **engines.installed(folder),
    }
    with ExitStack() as stack:
        made = stack.enter_context(cluster(folder, settings))
        net = stack.enter_context(network())
        ours = Rig(made, net, random.Random(seed))
        for _ in range(2):
            made.sweeper()
            ours.worker("steady")
        starting = [threading.Thread(target=made.api) for _ in range(2)]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        made.ready()
        yield ours


def kill(pid: int) -> None:
    """`kill -9`."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
