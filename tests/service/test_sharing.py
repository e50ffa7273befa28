"""Asking for what is there, or is being made."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.errands import ChildErrands
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.releases_memory import MemoryReleases
from kinesphere.core.admission import Service as SpeedOf
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import ArtifactRef, Cancel, EventKind, Finish, Job, State
from kinesphere.core.requests import MeshAsk, MotionAsk
from kinesphere.ports import PoolStatus, Progress, Record
from kinesphere.service import Caller, Service, Terms
from tests import pictures
from tests.clock import VirtualClock
from tests.plans import RememberedPlans
from tests.waiting import wait_until

ANN, BOB = Caller("ann"), Caller("bob")
WALK = MotionAsk(prompt="walk", duration=2.0)
MODELS = (
    Model("choreo", "1", "motion", "", (Stage("", "x:X"),), ("bvh", "glb"), durations=(0.5, 30)),
    Model("relief", "1", "mesh", "", (Stage("shape", "x:X"), Stage("texture", "x:X")), ("glb",)),
    Model("round", "1", "mesh", "", (Stage("shape", "x:X"),), ("glb",), sides=("left", "back")),
)


class OneEach:
    """A replica in each pool, which needs a second for a job."""

    def statuses(self) -> Mapping[str, PoolStatus]:
        status = PoolStatus({"ready": 1}, SpeedOf(0.0, 1.0, 1), measured=True, free_in=(0.0,))
        return {pool: status for model in MODELS for pool in model.pools}

    async def warm(self, seconds: float) -> bool:
        return True


class Place:
    """A platform without replicas; the tests do their work."""

    def __init__(self, folder: Path, **terms: Any) -> None:
        self.clock, self.feed, numbers = VirtualClock(), EmbeddedFeed(), count()
        self.ledger = MemoryLedger(self.clock, self.feed)
        self.artifacts = LocalArtifacts(folder, b"0" * 32, self.clock)
        self.service = Service(
            catalog=Catalog(MODELS),
            ledger=self.ledger,
            hints=EmbeddedHints(self.clock),
            feed=self.feed,
            artifacts=self.artifacts,
            pools=OneEach(),
            plans=RememberedPlans(),
            releases=MemoryReleases(),
            clock=self.clock,
            new_id=lambda: f"J{next(numbers):02d}",
            new_seed=lambda: next(numbers),
            terms=Terms(**terms),
            errands=ChildErrands(self.clock),
            player=ChildErrands(self.clock),
        )

    async def ask(self, ask: MotionAsk = WALK, caller: Caller = ANN, key: str | None = None) -> Job:
        return (await self.service.intake.motion(ask, caller, key)).job

    async def make(self, pool: str = "choreo") -> Job:
        (job,) = await self.ledger.claim(pool, "w", 1, 9.0)
        key = f"{job.id}/{job.token}/made"
        await self.artifacts.put(key, b"made")
        made = ArtifactRef(key, "made", "text/plain", 4, "0" * 64, job.stage)
        return await self.ledger.apply(job.id, Finish(job.token, (made,)))

    async def stored(self) -> set[str]:
        listing = self.artifacts.keys()
        return {key async for key, _ in listing}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_a_repeated_request_is_served_what_was_made(place: Place) -> None:
    first = await place.ask()
    made = await place.make()
    again = await place.ask(replace(WALK, prompt=" Walk"), BOB)
    assert (first.cached, again.cached, again.artifacts) == (False, True, made.artifacts)
    assert again.request["seed"] == first.request["seed"]
    pinned = replace(WALK, seed=int(str(first.request["seed"])))
    assert (await place.ask(pinned)).in_line


async def test_who_wants_it_anew_gets_it_anew(place: Place) -> None:
    anew = replace(WALK, cache=False)
    assert [(await place.ask(anew)).joined for _ in range(2)] == [False, False]
    await place.make()
    await place.make()
    assert (await place.ask(WALK)).in_line


@pytest.mark.parametrize(
    ("share", "own", "others"),
    [("everyone", True, True), ("user", True, False), ("off", False, False)],
)
async def test_who_shares_is_a_setting(tmp_path: Path, share: Any, own: bool, others: bool) -> None:
    place = Place(tmp_path, cache_share=share)
    await place.ask()
    assert (await place.ask()).joined is own
    assert (await place.ask(caller=BOB)).joined is others


async def test_a_file_that_was_deleted_is_made_again(place: Place) -> None:
    await place.ask()
    made = await place.make()
    await place.artifacts.delete(made.artifacts[0].key)
    again = await place.ask()
    assert (again.cached, again.in_line) == (False, True)
    await place.make()
    assert (await place.ask()).cached


async def test_a_full_queue_refuses_new_work_only(tmp_path: Path) -> None:
    place = Place(tmp_path, max_queue=1)
    first = await place.ask(key="k")
    other = replace(WALK, prompt="bow")
    assert (await place.ask(key="k")).id == first.id
    assert (await place.ask(caller=BOB)).joined
    with pytest.raises(Rejected) as refused:
        await place.ask(other)
    assert refused.value.code == "QUEUE_FULL"
    await place.make()
    await place.ask(other)
    assert (await place.ask()).cached
    assert (await place.ask(key="k")).state is State.SUCCEEDED


async def test_a_deadline_refuses_new_work_only(place: Place) -> None:
    soon = place.clock.now() + 0.001
    with pytest.raises(Rejected) as refused:
        await place.ask(replace(WALK, deadline=soon))
    assert refused.value.code == "DEADLINE_UNREACHABLE"
    await place.ask()
    assert (await place.ask(replace(WALK, deadline=soon), caller=BOB)).joined
    await place.make()
    later = replace(WALK, deadline=place.clock.now() + 0.001)
    assert (await place.ask(later)).cached


async def test_a_replay_comes_before_whatever_would_be_refused(place: Place) -> None:
    soon = replace(WALK, deadline=place.clock.now() + 5)
    first = await place.ask(soon, key="k")
    place.clock.tick(9)
    assert (await place.ask(soon, key="k")).id == first.id
    with pytest.raises(Rejected, match="in the past"):
        await place.ask(soon, key="another")
    with pytest.raises(Rejected) as refused:
        await place.ask(replace(soon, duration=3.0), key="k")
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    place.service.intake.closed = True
    assert (await place.ask(soon, key="k")).id == first.id
    with pytest.raises(Rejected) as refused:
        await place.ask()
    assert refused.value.code == "SHUTTING_DOWN"


async def test_pictures_of_what_is_there_are_not_kept(place: Place) -> None:
    ask, picture = MeshAsk(texture=False), pictures.png()
    intake = place.service.intake
    await intake.mesh(ask, picture, None, ANN)
    joined = (await intake.mesh(ask, picture, None, BOB)).job
    assert len(await place.stored()) == 2
    await place.make("relief.shape")
    again = (await intake.mesh(ask, picture, None, ANN)).job
    assert (joined.joined, again.cached, again.inputs) == (True, True, ())
    assert len(await place.stored()) == 3
    other = (await intake.mesh(MeshAsk(), picture, None, ANN)).job
    assert other.in_line


async def test_pictures_of_other_sides_are_part_of_what_is_asked(place: Place) -> None:
    ask, picture = MeshAsk(model="round"), pictures.png()
    intake = place.service.intake
    left, back = ({side: picture} for side in ("left", "back"))
    first = (await intake.mesh(ask, picture, None, ANN, "k", sides=left)).job
    assert [ref.name for ref in first.inputs] == ["picture", "left"]
    assert (await intake.mesh(ask, picture, None, ANN, "k", sides=left)).job.id == first.id
    assert (await intake.mesh(ask, picture, None, BOB, sides=left)).job.joined
    assert not (await intake.mesh(ask, picture, None, BOB, sides=back)).job.joined
    for sides, code in ((back, "IDEMPOTENCY_CONFLICT"), ({"right": picture}, "INVALID_REQUEST")):
        with pytest.raises(Rejected) as refused:
            await intake.mesh(ask, picture, None, ANN, "k" if sides is back else None, sides=sides)
        assert refused.value.code == code


async def test_a_follower_is_told_of_the_run_through_every_heir(place: Place) -> None:
    leader, heir, last = await place.ask(), await place.ask(caller=BOB), await place.ask()
    (held,) = await place.ledger.claim("choreo", "w", 1, 9.0)
    told: list[Record | Progress] = []

    async def follow() -> None:
        told.extend([item async for item in place.service.jobs.follow(last.id, ANN)])

    async def say(job_id: str, fraction: float) -> None:
        listeners = place.feed._listeners
        await wait_until(lambda: job_id in listeners, f"somebody listens to {job_id}")
        place.feed.progress(Progress(job_id, held.token, 0, fraction, "walking"))

    following = asyncio.create_task(follow())
    await say(leader.id, 0.25)
    assert place.service.jobs.progress(last) == (0.25, "walking")
    await place.ledger.apply(leader.id, Cancel())
    await say(heir.id, 0.5)
    await asyncio.sleep(0)
    await place.ledger.apply(heir.id, Finish(1, (ArtifactRef("x/1/y", "y", "t", 1, ""),)))
    await following
    assert [item.job_id for item in told] == [last.id] * len(told)
    assert [item.fraction for item in told if isinstance(item, Progress)] == [0.25, 0.5]
    kinds = [item.event.kind for item in told if isinstance(item, Record)]
    assert kinds == [EventKind.SUBMITTED, EventKind.SUCCEEDED]


async def test_a_follower_can_be_waited_for(place: Place) -> None:
    await place.ask()
    follower = await place.ask(caller=BOB)
    waiting = asyncio.create_task(place.service.jobs.wait(follower, BOB, 60.0))
    await asyncio.sleep(0)
    await place.make()
    assert (await waiting).state is State.SUCCEEDED


async def test_what_ended_before_it_was_waited_for_is_answered_at_once(place: Place) -> None:
    submitted = await place.ask()
    await place.make()
    async with asyncio.timeout(5.0):
        ended = await place.service.jobs.wait(submitted, ANN, 60.0)
    assert ended.state is State.SUCCEEDED
