"""The hints, the feed and the clock of one process."""

import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import REMEMBERED, EmbeddedFeed
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.ports import Clock, Feed, Hints
from tests.clock import VirtualClock
from tests.contracts.feed import FeedContract, progress
from tests.contracts.hints import HintsContract


class TestEmbeddedHints(HintsContract):
    @pytest.fixture
    def hints(self, clock: VirtualClock) -> Hints:
        return EmbeddedHints(clock)


class TestEmbeddedFeed(FeedContract):
    @pytest.fixture
    def feed(self) -> Feed:
        return EmbeddedFeed()

    def test_progress_that_comes_too_late_is_forgotten(self, feed: Feed) -> None:
        feed.progress(progress(0.5, "late"))
        for i in range(REMEMBERED):
            feed.progress(progress(0.5, str(i)))
        assert feed.latest("late") is None


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock()], ids=["system", "virtual"])
async def test_clocks(clock: Clock) -> None:
    first, started = clock.now(), clock.monotonic()
    await clock.sleep(0)
    assert clock.now() >= first > 1.6e9
    assert clock.monotonic() >= started
