"""What releases see of the jobs that end, and which model new jobs get."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.releases_memory import MemoryReleases
from kinesphere.core.admission import Service as Speed
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.failures import Failure, Rejected
from kinesphere.core.jobs import Fail, Finish, Job, Json
from kinesphere.core.replicas import Placement, ReplicaState, Status
from kinesphere.core.requests import MotionAsk
from kinesphere.core.rollout import Order, Phase, Release, Terms
from kinesphere.core.routing import Routed
from kinesphere.ports import LedgerUnavailable, PoolStatus
from kinesphere.service import Caller
from kinesphere.service.outlook import Outlook
from kinesphere.service.releases import Rollouts
from kinesphere.service.routing import FRESH, Router
from tests.clock import VirtualClock
from tests.core.jobs import new_job


def model(name: str, rank: int = 0, lite_of: str = "") -> Model:
    return Model(
        name, "1", "motion", "", (Stage("", "x:X"),), ("bvh",), rank=rank, lite_of=lite_of,
        durations=(0.5, 30.0),
    )  # fmt: skip


CATALOG = Catalog((model("old", 2), model("new"), model("light", lite_of="old")))
HALF = Terms(steps=(50.0,), hold=5.0, samples=4)
ADA = Caller("ada")


class Busy:
    """Pools of one replica each, which is free in a time that the test sets."""

    def __init__(self) -> None:
        self.free_in = self.light_free_in = 0.0

    def statuses(self) -> Mapping[str, PoolStatus]:
        return {
            m.name: PoolStatus(
                {"ready": 1},
                Speed(0.0, 1.0, 1),
                True,
                free_in=(self.light_free_in if m.name == "light" else self.free_in,),
            )
            for m in CATALOG.models
        }

    async def warm(self, seconds: float) -> bool:
        return seconds >= 0.0


class Store(MemoryReleases):
    """Releases that can be out of reach, and take a moment as those of a database do."""

    silent = False

    async def current(self) -> Mapping[str, Release]:
        if self.silent:
            raise LedgerUnavailable("silent")
        await asyncio.sleep(0)
        return await super().current()


class Place:
    """A ledger with releases, and any number of processes that decide."""

    def __init__(self) -> None:
        self.clock, self.numbers = VirtualClock(), count(1)
        self.ledger = MemoryLedger(self.clock, EmbeddedFeed())
        self.releases = Store()
        self.pools = Busy()
        self.statuses: list[Status] = []
        self.rollouts = self.process()

    def process(self, changed: Callable[[], None] = lambda: None) -> Rollouts:
        return Rollouts(
            catalog=CATALOG, releases=self.releases, ledger=self.ledger,
            replicas=lambda: self.statuses, clock=self.clock,
            new_id=lambda: f"R{next(self.numbers):025d}", changed=changed,
        )  # fmt: skip

    def router(self) -> Router:
        outlook = Outlook(CATALOG, self.ledger, self.pools, self.clock)
        return Router(
            catalog=CATALOG, releases=self.releases, outlook=outlook, clock=self.clock,
            new_id=lambda: f"{next(self.numbers)}", lite_wait=10.0,
        )  # fmt: skip

    async def ended(self, model: str = "new", *failures: str, **fields: Any) -> Job:
        """A job that has ended, after attempts that failed so."""
        notes: dict[str, Json] = fields.pop("notes", {})
        now = self.clock.now()
        given = {"routed": "release", "created_at": now, "ready_at": now, **fields}
        job = new_job(id=f"{next(self.numbers):026d}", model=model, pools=(model,), **given)
        await self.ledger.submit(job)
        for code in failures:
            (job,) = await self.ledger.claim(model, "w", 1, 60.0)
            job = await self.ledger.apply(job.id, Fail(job.token, Failure(code, "")))
            self.clock.tick(60.0)
        if not job.ended:
            (job,) = await self.ledger.claim(model, "w", 1, 60.0)
            job = await self.ledger.apply(job.id, Finish(job.token, (), notes))
        return job

    async def seen(self) -> dict[str, dict[str, float]]:
        """Jobs compared, and how many were troubled and poor, by model."""
        await self.rollouts.look()
        evidence = (await self.rollouts.get("motion")).evidence
        return {
            name: {"jobs": arm.jobs, **arm.yes}
            for name, arm in (("stable", evidence.stable), ("canary", evidence.canary))
        }


async def test_jobs_are_counted_once_whoever_counts_and_after_a_restart() -> None:
    place = Place()
    await place.ended("old")
    await place.rollouts.start("motion", "new", HALF)
    others = [place.process() for _ in range(3)]
    for _ in range(10):
        await place.ended("old")
        await place.ended("new")
        await asyncio.gather(*(each.look() for each in [place.rollouts, *others]))
    place.rollouts = place.process()
    found = await place.seen()
    assert (found["stable"]["jobs"], found["canary"]["jobs"]) == (10, 10)
    place.clock.tick(5.0)
    await place.rollouts.look()
    assert (await place.rollouts.get("motion")).phase is Phase.PROMOTED


async def test_only_jobs_that_the_release_shared_out_speak() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", HALF)
    for routed in ("pinned", "lite", "default"):
        await place.ended("new", routed=routed)
    await place.ended("new", created_at=place.clock.now() - 60.0)
    await place.ended("light")
    await place.ended("new", cached=True)
    for _ in range(3):
        await place.ended("old")
    assert (await place.seen())["canary"]["jobs"] == 0


async def test_what_a_retry_mended_is_seen_all_the_same() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", replace(HALF, samples=100))
    warned: dict[str, Json] = {"quality": {"warned": ["limit_elbow", "skating"]}}
    skating: dict[str, Json] = {"quality": {"warned": ["skating"]}}
    await place.ended("new", "ENGINE_FAILED")
    await place.ended("new", "ENGINE_CRASHED", "ENGINE_CRASHED", "ENGINE_CRASHED")
    await place.ended("new", "QUALITY_REJECTED", request={"seed": 1, "seed_drawn": True})
    await place.ended("new", notes=warned)
    await place.ended("new", notes=skating)
    for _ in range(5):
        await place.ended("old")
    found = (await place.seen())["canary"]
    assert found == {"jobs": 5, "errors": 2, "quality": 2}


async def test_memory_is_compared_by_the_largest_replica() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", HALF)

    def status(name: str, memory: int, taken: int | None = None) -> Status:
        return Status(
            worker=name, pool=name, model=name, state=ReplicaState.READY, since=0.0, pid=1,
            batches=0, jobs=0, held=0, children=1, load_seconds=None, warm_seconds=None,
            memory=memory, fixed_seconds=0.0, job_seconds=0.0, last_error="",
            placement=Placement(taken=taken),
        )  # fmt: skip

    async def looked(*statuses: Status) -> Release:
        place.statuses = list(statuses)
        for _ in range(3):
            await place.rollouts.look()
        return await place.rollouts.get("motion")

    # Nothing is known of a device's memory where one of the two does not tell.
    same = await looked(status("old", 10**9), status("new", 10**9, 9 * 10**9))
    assert (same.phase, same.memory) == (Phase.RUNNING, {"main": (10**9, 10**9)})
    device = await looked(
        status("old", 10**9, 4 * 10**9),
        status("new", 10**9, 10**9),
        status("new", 10**9, 9 * 10**9),
    )
    assert device.phase is Phase.ROLLED_BACK
    assert "9.00 GB of its device's memory" in device.record[-1].why
    await place.rollouts.start("motion", "new", HALF)
    main = await looked(status("old", 10**9), status("new", 10**6), status("new", 2 * 10**9))
    assert "2.00 GB of main memory" in main.record[-1].why


async def test_orders_and_looks_at_once_are_all_obeyed() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", HALF)
    for _ in range(4):
        await place.ended("old")
    await asyncio.gather(
        place.rollouts.look(), place.rollouts.order("motion", Order.PAUSE), place.process().look()
    )
    release = await place.rollouts.get("motion")
    assert release.phase is Phase.PAUSED
    assert [entry.what for entry in release.record] == ["started", "paused"]


# ------------------------------------------------------------------------------------ the router


async def chosen(
    router: Router, caller: Caller = ADA, duration: float = 4.0, takes: str = "old new light"
) -> tuple[str, Routed]:
    def check(model: Model) -> dict[str, Json]:
        if model.name not in takes.split():
            raise Rejected("PROMPT_NOT_UNDERSTOOD", "")
        return {"duration": duration}

    route, _ = await router.motion(MotionAsk(prompt="walk", duration=duration), caller, check)
    return route.model.name, route.routed


async def test_a_pair_is_rated_once_by_each() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", HALF)
    asked = {"prompt": "wave", "duration": 2.0, "seed": 1}
    old = await place.ended("old", request={**asked, "model": "old"})
    new = await place.ended("new", request={**asked, "model": "new"})
    other = await place.ended("new", request={**asked, "seed": 2})
    rate = place.rollouts.rate
    await rate("motion", [old.id, new.id], new.id, "ada")
    # Whichever of them was on the left, and whatever is said the second time.
    await rate("motion", [new.id, old.id], old.id, "ada")
    await rate("motion", [new.id, old.id], None, "bob")
    told = await rate("motion", [new.id, old.id], old.id, "eve")
    assert (told.ratings.canary, told.ratings.same, told.ratings.stable) == (1, 1, 1)
    assert (await place.releases.current())["motion"] == told
    for pair in ([old.id, other.id], [new.id, other.id], [old.id, old.id], [old.id, "0" * 26]):
        with pytest.raises(Rejected, match="no pair"):
            await rate("motion", pair, None, "ada")
    await place.rollouts.order("motion", Order.ABORT)
    with pytest.raises(Rejected, match="is over"):
        await rate("motion", [old.id, new.id], None, "zoe")


async def test_a_release_is_followed_within_a_second_and_at_once_where_it_was_ordered() -> None:
    place = Place()
    here, there = place.router(), place.router()
    place.rollouts = place.process(here.forget)
    assert await chosen(here) == await chosen(there) == ("old", Routed.DEFAULT)
    await place.rollouts.start("motion", "new", replace(HALF, steps=(100.0,)))
    assert await chosen(here) == ("new", Routed.RELEASE)
    assert await chosen(there) == ("old", Routed.DEFAULT)
    place.clock.tick(FRESH)
    assert await chosen(there) == ("new", Routed.RELEASE)
    # What was promoted is the stable model of the next one, and stays when that is aborted.
    back = await place.rollouts.start("motion", "old", HALF)
    assert (back.stable, back.canary) == ("new", "old")
    await place.rollouts.order("motion", Order.ABORT)
    assert await chosen(here) == ("new", Routed.RELEASE)


async def test_of_many_requests_after_an_order_none_is_answered_by_what_was_before() -> None:
    place = Place()
    here = place.router()
    place.rollouts = place.process(here.forget)
    assert await chosen(here) == ("old", Routed.DEFAULT)
    await place.rollouts.start("motion", "new", replace(HALF, steps=(100.0,)))
    all_at_once = await asyncio.gather(*(chosen(here) for _ in range(16)))
    assert set(all_at_once) == {("new", Routed.RELEASE)}


async def test_what_the_canary_refuses_goes_to_the_stable_model() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", replace(HALF, steps=(99.999,)))
    router = place.router()
    assert await chosen(router) == ("new", Routed.RELEASE)
    assert await chosen(router, takes="old") == ("old", Routed.DEFAULT)


async def test_who_is_nobody_has_a_place_for_each_job() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", HALF)
    router = place.router()
    nobody = Caller("local", anonymous=True)
    assert {(await chosen(router, nobody))[0] for _ in range(40)} == {"old", "new"}
    assert len({(await chosen(router))[0] for _ in range(40)}) == 1


async def test_short_motions_go_to_the_lighter_model_until_the_other_has_caught_up() -> None:
    place = Place()
    router = place.router()
    told = []
    for place.pools.free_in in (9.0, 11.0, 4.0, 2.0, 9.0):
        told.append((await chosen(router, duration=2.9))[0])
    assert told == ["old", "light", "light", "old", "old"]
    place.pools.free_in = 60.0
    assert await chosen(router, duration=2.9) == ("light", Routed.LITE)
    assert await chosen(router, duration=3.0) == ("old", Routed.DEFAULT)
    assert await chosen(router, duration=2.9, takes="old") == ("old", Routed.DEFAULT)
    # One that has more than it can do itself is no relief.
    place.pools.light_free_in = 60.0
    assert await chosen(router, duration=2.9) == ("old", Routed.DEFAULT)


async def test_a_ledger_that_does_not_answer_changes_no_route() -> None:
    place = Place()
    await place.rollouts.start("motion", "new", replace(HALF, steps=(100.0,)))
    router = place.router()
    assert (await chosen(router))[0] == "new"
    place.releases.silent = True
    place.clock.tick(2.0 * FRESH)
    assert (await chosen(router))[0] == "new"
