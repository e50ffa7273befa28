"""A run that several jobs wait for outlives the job that began it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinesphere.core.jobs import Cancel, State
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Record
from kinesphere.service.jobs import Jobs
from kinesphere.worker.held import Seams
from kinesphere.worker.supervisor import Replica
from tests.waiting import wait_until
from tests.worker.bench import CALM, Bench


class Deaf:
    """A feed through which no event comes back to the replica."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed

    def publish(self, records: Sequence[Record]) -> None:
        self._feed.publish(records)

    def listen(self, job_id: str | None = None) -> Any:
        return self._feed.listen(job_id or "nobody")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)


class Interrupted:
    """An artifact store at whose first write the job is cancelled that the file is for."""

    def __init__(self, seams: Seams) -> None:
        self._store: Any = seams.artifacts
        self._ledger = seams.ledger
        self._done = False

    async def put(self, key: str, data: bytes, media_type: str = "") -> None:
        await self._store.put(key, data)
        if not self._done:
            self._done = True
            await self._ledger.apply(key.partition("/")[0], Cancel())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def waiting(bench: Bench, folder: Path, **changes: Any) -> tuple[Replica, Path]:
    mark = folder / "go"
    replica = bench.start("WaitsForFile", options={"mark": str(mark)}, **changes)
    return replica, mark


async def shared(bench: Bench) -> tuple[str, str, str]:
    """A leader and two who wait for its run."""
    leader, heir, last = [await bench.submit(content="c") for _ in range(3)]
    assert (await bench.job(heir)).leader == leader
    return leader, heir, last


async def settled_once(bench: Bench, leader: str, heir: str, last: str) -> None:
    """The heir has what one run made, under its own name, and so has the last."""
    done = await bench.ended(heir)
    assert (done.state, done.attempts, done.token) == (State.SUCCEEDED, 1, 1)
    assert [ref.key for ref in done.artifacts] == [f"{heir}/1/out.txt"]
    assert (await bench.ended(last)).artifacts == done.artifacts
    assert (await bench.job(leader)).state is State.CANCELLED
    assert bench.recorder.batches == [1]
    assert await bench.stored() == [f"{heir}/1/out.txt"]
    assert bench.recorder.counts["stale"] == bench.recorder.counts["lost"] == 0


async def test_an_heir_has_the_result_of_the_run_that_goes_on(bench: Bench, tmp_path: Path) -> None:
    leader, heir, last = await shared(bench)
    replica, mark = waiting(bench, tmp_path)
    await bench.told(leader)
    jobs = Jobs(bench.seams.ledger, bench.seams.feed, bench.seams.hints)
    assert jobs.progress(await bench.job(last)) == (0.5, "waiting")
    await bench.seams.ledger.apply(leader, Cancel())
    mark.touch()
    await settled_once(bench, leader, heir, last)
    assert replica.status.children == 1


async def test_an_heir_is_learnt_of_at_renewal(bench: Bench, tmp_path: Path) -> None:
    leader, heir, last = await shared(bench)
    seams = replace(bench.seams, feed=Deaf(bench.seams.feed))
    _, mark = waiting(bench, tmp_path, seams=seams, terms=replace(CALM, lease=30.0))
    await bench.told(leader)
    await bench.seams.ledger.apply(leader, Cancel())
    lease = (await bench.job(heir)).lease_until

    async def renewed() -> bool:
        return (await bench.job(heir)).lease_until != lease

    await wait_until(renewed, "the lease is renewed in the heir's name")
    assert (await bench.job(heir)).progress == 0.5
    mark.touch()
    await settled_once(bench, leader, heir, last)


async def test_an_heir_is_learnt_of_by_the_last_word(bench: Bench, tmp_path: Path) -> None:
    leader, heir, last = await shared(bench)
    seams = replace(bench.seams, feed=Deaf(bench.seams.feed), artifacts=Interrupted(bench.seams))
    _, mark = waiting(bench, tmp_path, seams=seams)
    mark.touch()
    await settled_once(bench, leader, heir, last)


async def test_a_claim_that_moves_while_files_are_written(bench: Bench, tmp_path: Path) -> None:
    leader, heir, last = await shared(bench)
    seams = replace(bench.seams, artifacts=Interrupted(bench.seams))
    _, mark = waiting(bench, tmp_path, seams=seams)
    mark.touch()
    await settled_once(bench, leader, heir, last)


async def test_the_last_who_wants_it_ends_the_run(bench: Bench) -> None:
    leader, heir = [await bench.submit("obeys", content="c") for _ in range(2)]
    replica = bench.start()
    await bench.told(leader)
    await bench.seams.ledger.apply(leader, Cancel())
    await bench.seams.ledger.apply(heir, Cancel())
    await bench.state(replica, ReplicaState.READY)
    assert (await bench.job(heir)).state is State.CANCELLED
    assert await bench.stored() == []


async def test_an_heir_is_given_back_in_its_own_name(bench: Bench, tmp_path: Path) -> None:
    leader, heir, _ = await shared(bench)
    replica, _ = waiting(bench, tmp_path)
    await bench.told(leader)
    await bench.seams.ledger.apply(leader, Cancel())
    await wait_until(lambda: replica.status.held == 1, "the claim is held still")
    replica.stop_now()
    await bench.state(replica, ReplicaState.STOPPED)
    returned = await bench.job(heir)
    assert (returned.state, returned.attempts, returned.token) == (State.QUEUED, 0, 1)
