"""The contract of `kinesphere.ports.Releases`, sentence by sentence."""

import asyncio
from dataclasses import replace

from kinesphere.core.evidence import Sample
from kinesphere.core.rollout import Order, Release, Seen, Terms, begun, decide, obey
from kinesphere.ports import Releases


def release(number: int, task: str = "motion") -> Release:
    return begun(
        release_id=f"{number:026d}", task=task, stable="old", canary="new",
        terms=Terms(steps=(10.0, 12.5, 50.0)), now=1_800_000_000.25,
    )  # fmt: skip


class ReleasesContract:
    """Subclasses give a fixture `releases`, over a ledger that has no events."""

    async def test_without_a_release_there_is_none(self, releases: Releases) -> None:
        assert await releases.current() == {}
        assert not await releases.save(replace(release(1), version=2))

    async def test_a_release_is_kept_with_all_that_it_has_seen(self, releases: Releases) -> None:
        first = await releases.begin(release(1))
        assert first == release(1)
        samples = [
            (f"阿-{n}", n % 10 == 0, Sample(0.1 * n, 0.01, n == 7, n == 9)) for n in range(99)
        ]
        seen, _ = decide(first, Seen(samples, 41), 1_800_000_001.0)
        after = replace(seen, version=2)
        assert await releases.save(after)
        assert await releases.current() == {"motion": after}

    async def test_one_at_a_time_for_each_task(self, releases: Releases) -> None:
        assert await releases.begin(release(1))
        assert await releases.begin(release(2)) is None
        assert await releases.begin(release(3, "mesh"))
        over, _ = obey(release(1), Order.ABORT, 1_800_000_002.0)
        assert await releases.save(replace(over, version=2))
        assert await releases.begin(release(4))
        found = await releases.current()
        assert {task: int(each.id) for task, each in found.items()} == {"motion": 4, "mesh": 3}

    async def test_of_two_that_changed_the_same_version_one_has_to_look_again(
        self, releases: Releases
    ) -> None:
        assert await releases.begin(release(1))
        changes = [replace(release(1), version=2, heavy=n) for n in range(8)]
        saved = await asyncio.gather(*(releases.save(each) for each in changes))
        assert saved.count(True) == 1
        winner = changes[saved.index(True)]
        assert await releases.current() == {"motion": winner}
        assert not await releases.save(replace(winner, version=4))
        assert await releases.save(replace(winner, version=3))

    async def test_of_many_that_begin_at_once_one_does(self, releases: Releases) -> None:
        begins = await asyncio.gather(*(releases.begin(release(n)) for n in range(8)))
        assert sum(each is not None for each in begins) == 1
