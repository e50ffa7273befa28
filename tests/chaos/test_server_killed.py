"""`kill -9` of the whole server at random moments: what was accepted is done, exactly once."""

import asyncio
import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.jobs import EventKind, Job, State
from kinesphere.ports import Record
from tests.chaos.history import everything, violations
from tests.servers import ServerProcess

KILLS = int(os.environ.get("CHAOS_KILLS", "10"))
JOBS = int(os.environ.get("CHAOS_JOBS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))


PROMPT = "walk, jump twice, then bow"


class Submitter(threading.Thread):
    """Asks for jobs as a careful client does: with a key, again and again until acknowledged."""

    def __init__(self, server: ServerProcess, count: int) -> None:
        super().__init__(daemon=True)
        self.accepted: dict[int, str] = {}
        self.given_up = threading.Event()
        self._server = server
        self._count = count

    def run(self) -> None:
        for number in range(self._count):
            while number not in self.accepted and not self.given_up.is_set():
                try:
                    answer = httpx.post(
                        self._server.url + "/v1/motions",
                        json={
                            "prompt": "walk, jump twice, then bow",
                            "duration": 8,
                            # Each fourth asks for what the one before it asks for.
                            "seed": number - (number % 4 == 3),
                        },
                        headers={"idempotency-key": f"job-{number}"},
                        timeout=5.0,
                    )
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                assert answer.status_code in (200, 202), answer.text
                self.accepted[number] = answer.json()["id"]


async def kept(data: Path) -> tuple[dict[str, Job], list[Record], set[str]]:
    clock = SystemClock()
    ledger = await SqlLedger.open(f"sqlite:///{data / 'ledger.db'}", clock, EmbeddedFeed())
    found = await everything(ledger, LocalArtifacts(data / "artifacts", b"0" * 32, clock))
    await ledger.close()
    return found


@pytest.mark.slow
@pytest.mark.timeout(60 + 8 * KILLS + 2 * JOBS)
def test_jobs_survive_a_server_that_is_killed_again_and_again(tmp_path: Path) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    server = ServerProcess(tmp_path / "data", {"KINESPHERE_CACHE_SHARE": "everyone"}).start()
    submitter = Submitter(server, JOBS)
    submitter.start()
    try:
        for _ in range(KILLS):
            # Ready, so that jobs are running when it is killed, not only waiting.
            time.sleep(chance.uniform(0.0, 0.4))
            server.kill()
            server.start()
        submitter.join(60.0 + JOBS)
        assert len(submitter.accepted) == JOBS
        with httpx.Client(base_url=server.url, timeout=30.0) as http:
            limit = time.monotonic() + 60.0 + JOBS
            while time.monotonic() < limit:
                states = [
                    http.get(f"/v1/jobs/{job_id}").json()["state"]
                    for job_id in submitter.accepted.values()
                ]
                if all(state not in ("queued", "running") for state in states):
                    break
                time.sleep(0.2)
        assert server.stop() == 0
    finally:
        submitter.given_up.set()
        server.kill()
    jobs, records, stored = asyncio.run(kept(server.data))
    assert violations(submitter.accepted.values(), jobs, records, stored) == []
    assert {job.state for job in jobs.values()} == {State.SUCCEEDED}
    assert len(jobs) == JOBS
    claims = sum(record.event.kind is EventKind.CLAIMED for record in records)
    shared = sum(job.cached or job.joined for job in jobs.values())
    assert shared >= JOBS // 4
    assert claims > JOBS - shared, "no kill hit a running job"
    print(f"{JOBS} jobs, {shared} of them shared, {KILLS} kills, {claims} claims")
