"""Fencing, storing, and a ledger that is away."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kinesphere.core.jobs import Command, Job, State
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Hold, LedgerUnavailable, StorageFailed
from kinesphere.worker.fleet import Keeper
from kinesphere.worker.held import Held
from kinesphere.worker.holding import Holding
from tests.waiting import wait_until
from tests.worker.bench import CALM, Bench


class Cut:
    """A ledger behind a cable that can be pulled: calls named in `cut` find nobody there."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.cut: set[str] = set()
        self.missed = 0

    def _through(self, name: str) -> None:
        if name in self.cut:
            self.missed += 1
            raise LedgerUnavailable(name)

    async def apply(self, job_id: str, command: Command) -> Job:
        self._through("apply")
        job: Job = await self._ledger.apply(job_id, command)
        return job

    async def claim(self, *arguments: Any) -> Any:
        self._through("claim")
        return await self._ledger.claim(*arguments)

    async def extend(self, holds: Sequence[Hold], lease: float) -> Any:
        self._through("extend")
        return await self._ledger.extend(holds, lease)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class Moody:
    """An artifact store whose first `failures` writes fail."""

    def __init__(self, store: Any, failures: int) -> None:
        self._store = store
        self.failures = failures

    async def put(
        self, key: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("no space left")
        await self._store.put(key, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_finished_job_has_its_artifact_and_notes(bench: Bench) -> None:
    job_id = await bench.submit("moves")
    bench.start()
    job = await bench.ended(job_id)
    assert job.state is State.SUCCEEDED
    (ref,) = job.artifacts
    assert (ref.key, ref.name) == (f"{job_id}/1/motion.bvh", "motion.bvh")
    data = await bench.seams.artifacts.read(ref.key)
    assert (ref.size, data[:9]) == (len(data), b"HIERARCHY")
    assert job.notes["understood"] == ["stand"]
    quality = job.notes["quality"]
    assert isinstance(quality, dict)
    assert quality["verdict"] in ("pass", "warn")


async def test_who_lost_the_lease_cannot_finish(bench: Bench) -> None:
    """A replica that cannot renew finishes late; another has finished the job meanwhile."""
    cable = Cut(bench.seams.ledger)
    cut_off = replace(bench.seams, ledger=cable)
    job = await bench.submit("moves")
    first = bench.start(seams=cut_off, terms=replace(CALM, lease=3.0))
    cable.cut = {"extend", "apply"}
    await wait_until(lambda: cable.missed >= 2, "the first replica cannot say a word")
    keeper = Keeper(bench.seams.clock, bench.seams.ledger, bench.seams.hints, 1.0)

    async def reaped() -> bool:
        await keeper.round()
        return (await bench.job(job)).state is State.QUEUED

    cable.cut |= {"claim"}
    await wait_until(reaped, "the lease lapsed")
    bench.start()
    ended = await bench.ended(job)
    assert (ended.state, ended.token) == (State.SUCCEEDED, 2)
    cable.cut = set()
    await wait_until(lambda: bench.recorder.counts["stale"] == 1, "the late word was refused")
    await wait_until(lambda: first.status.held == 0, "the first replica holds nothing")
    assert bench.recorder.counts["succeeded"] == 1
    assert await bench.stored() == [f"{job}/2/motion.bvh"]
    kinds = [record.event.kind.value for record in await bench.events(job)]
    assert kinds.count("succeeded") == 1


async def test_who_lost_the_lease_is_told_to_stop(bench: Bench) -> None:
    job = await bench.submit("obeys")
    ledger = bench.seams.ledger
    replica = bench.start(terms=replace(CALM, lease=30.0))
    await bench.told(job)
    recovered = await ledger.recover("server/")
    assert [j.id for j in recovered] == [job]
    await wait_until(lambda: bench.recorder.counts["lost"] >= 1, "the loss was seen")
    await wait_until(lambda: replica.status.batches >= 1, "the engine obeyed")
    assert replica.status.children == 1


async def test_who_claims_a_job_anew_has_lost_the_claim_before(bench: Bench) -> None:
    dropped: list[Held] = []
    holding = Holding(bench.seams, "m", "server/m/1", 30.0, dropped.append)
    await bench.submit()
    (first,) = await holding.claim(1)
    await bench.seams.ledger.recover("server/")
    (second,) = await holding.claim(1)
    assert dropped == [first]
    assert (first.wanted, second.wanted, len(holding)) == (False, True, 1)
    assert bench.recorder.counts["lost"] == 1


async def test_a_result_outlasts_a_ledger_that_is_away(bench: Bench) -> None:
    cable = Cut(bench.seams.ledger)
    job = await bench.submit()
    cable.cut = {"apply"}
    bench.start(seams=replace(bench.seams, ledger=cable))
    await wait_until(lambda: cable.missed >= 3, "the replica tries again")
    cable.cut = set()
    ended = await bench.ended(job)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 1)


async def test_no_claim_while_the_ledger_is_away(bench: Bench) -> None:
    cable = Cut(bench.seams.ledger)
    cable.cut = {"claim"}
    job = await bench.submit()
    replica = bench.start(seams=replace(bench.seams, ledger=cable))
    await wait_until(lambda: cable.missed >= 2, "the replica asks again")
    assert replica.status.state is ReplicaState.READY
    cable.cut = set()
    assert (await bench.ended(job)).state is State.SUCCEEDED


async def test_work_is_found_without_hints(bench: Bench) -> None:
    class Down:
        def ring(self, pool: str, job_id: str = "") -> None:
            pass

        async def wait(self, pool: str, seconds: float) -> bool:
            raise ConnectionError("no broker")

    replica = bench.start(seams=replace(bench.seams, hints=Down()))
    await bench.state(replica, ReplicaState.READY)
    assert (await bench.ended(await bench.submit())).state is State.SUCCEEDED


async def test_a_full_store_is_tried_again(bench: Bench) -> None:
    store = Moody(bench.seams.artifacts, failures=2)
    job_id = await bench.submit()
    bench.start(seams=replace(bench.seams, artifacts=store))
    job = await bench.ended(job_id)
    assert (job.state, job.attempts) == (State.SUCCEEDED, 3)
    events = [r.event.data.get("code") for r in await bench.events(job_id)]
    assert events.count("STORAGE_FAILED") == 2
    assert await bench.stored() == [f"{job_id}/3/out.txt"]


async def test_a_second_stage_reads_what_the_first_one_made(bench: Bench) -> None:
    job_id = await bench.submit(pools=("m.first", "m.second"))
    bench.start(pool="m.first")
    bench.start("Second", pool="m.second")
    job = await bench.ended(job_id)
    assert job.state is State.SUCCEEDED
    assert [ref.stage for ref in job.artifacts] == [0, 1]
    assert await bench.seams.artifacts.read(job.artifacts[1].key) == b"second of made"


async def test_a_missing_input_is_a_failure_of_the_store(bench: Bench) -> None:
    job_id = await bench.submit(pools=("m.first", "m.second"))
    bench.start(pool="m.first")

    async def onward() -> bool:
        return (await bench.job(job_id)).stage == 1

    await wait_until(onward, "the first stage is finished")
    await bench.seams.artifacts.delete((await bench.job(job_id)).artifacts[0].key)
    bench.start("Second", pool="m.second")
    job = await bench.ended(job_id)
    assert job.failure is not None
    assert (job.state, job.failure.code) == (State.FAILED, "STORAGE_FAILED")
