import asyncio
import logging
from dataclasses import replace

import pytest

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.job_log import JobLog, keywords
from kinesphere.adapters.job_news import REMEMBERED, JobNews
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Cancel, Event, EventKind, Fail, Finish, Job
from kinesphere.ports import LedgerUnavailable, Record
from tests.clock import VirtualClock

PROMPT = "A person is slowly walking, then waves with the left hand"


def job(number: int = 1, pools: tuple[str, ...] = ("choreo",)) -> Job:
    return Job(
        id=f"J{number}",
        task="motion",
        model="choreo",
        model_version="1",
        user="ann",
        request={"prompt": PROMPT, "duration": 4.0, "seed": 1},
        pools=pools,
        created_at=1_800_000_000.0,
        ready_at=1_800_000_000.0,
        request_id="R1",
    )


class Stage:
    """A ledger whose events are logged."""

    def __init__(self, *, prompt_text: bool = False) -> None:
        self.clock = VirtualClock()
        self.feed = EmbeddedFeed()
        self.ledger = MemoryLedger(self.clock, self.feed)
        self.told: list[tuple[Record, Job | None]] = []
        tellers = (JobLog(prompt_text=prompt_text).tell, lambda r, j: self.told.append((r, j)))
        self.news = JobNews(self.feed, self.ledger.get, tellers)

    async def __aenter__(self) -> "Stage":
        self.task = asyncio.create_task(self.news.run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.settle()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "kinesphere.jobs")
    return caplog


async def test_a_life_in_lines(written: pytest.LogCaptureFixture) -> None:
    async with Stage() as stage:
        await stage.ledger.submit(job())
        await stage.clock.advance(2)
        await stage.ledger.claim("choreo", "w1", 1, 9)
        await stage.clock.advance(1)
        await stage.ledger.apply("J1", Finish(1, ()))
    lines = [vars(line) for line in written.records]
    assert [line["action"] for line in lines] == ["job.submitted", "job.claimed", "job.succeeded"]
    for line in lines:
        assert (line["job_id"], line["user"], line["model"]) == ("J1", "ann", "choreo")
        assert (line["pool"], line["request_id"], line["clip_sec"]) == ("choreo", "R1", 4.0)
        assert len(line["prompt_hash"]) == 32
    assert lines[1]["waited_sec"] == pytest.approx(2)
    assert lines[2]["duration_sec"] == pytest.approx(3)


async def test_a_failed_job_is_found_by_its_words(written: pytest.LogCaptureFixture) -> None:
    async with Stage() as stage:
        await stage.ledger.submit(job())
        await stage.ledger.claim("choreo", "w1", 1, 9)
        await stage.ledger.apply("J1", Fail(1, Failure("ENGINE_OUTPUT_INVALID", "no clip")))
    line = written.records[-1]
    assert line.levelname == "WARNING"
    assert vars(line)["error_code"] == "ENGINE_OUTPUT_INVALID"
    assert vars(line)["prompt_keywords"] == [
        "person", "slowly", "walking", "waves", "left", "hand",
    ]  # fmt: skip


@pytest.mark.parametrize("prompt_text", [False, True])
async def test_the_prompt_is_logged_only_when_asked(
    written: pytest.LogCaptureFixture, prompt_text: bool
) -> None:
    async with Stage(prompt_text=prompt_text) as stage:
        await stage.ledger.submit(job())
        await stage.ledger.apply("J1", Cancel())
    assert [vars(line).get("prompt") == PROMPT for line in written.records] == [prompt_text] * 2
    assert any(PROMPT in str(vars(line)) for line in written.records) is prompt_text


async def test_each_event_is_told_with_the_pool_it_happened_in(
    written: pytest.LogCaptureFixture,
) -> None:
    async with Stage() as stage:
        await stage.ledger.submit(job(pools=("m.shape", "m.texture")))
        await stage.ledger.claim("m.shape", "w1", 1, 9)
        await stage.settle()
        await stage.ledger.apply("J1", Finish(1, ()))
        await stage.ledger.claim("m.texture", "w2", 1, 9)
        await stage.ledger.apply("J1", Fail(2, Failure("ENGINE_OUTPUT_INVALID", "no mesh")))
    pools = [(vars(line)["action"], vars(line)["pool"]) for line in written.records]
    assert pools == [
        ("job.submitted", "m.shape"),
        ("job.claimed", "m.shape"),
        ("job.stage_finished", "m.shape"),
        ("job.claimed", "m.texture"),
        ("job.failed", "m.texture"),
    ]


async def test_what_cannot_be_looked_up_is_logged_all_the_same(
    written: pytest.LogCaptureFixture,
) -> None:
    async def away(_job_id: str) -> Job | None:
        raise LedgerUnavailable

    feed = EmbeddedFeed()
    task = asyncio.create_task(JobNews(feed, away, (JobLog(prompt_text=True).tell,)).run())
    await asyncio.sleep(0)
    feed.publish([Record(1, "J9", 0.0, Event(EventKind.FAILED, {"code": "OOM_HOST"}))])
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    assert vars(written.records[0])["error_code"] == "OOM_HOST"


async def test_what_is_remembered_is_bounded() -> None:
    async with Stage() as stage:
        for number in range(REMEMBERED + 50):
            await stage.ledger.submit(job(number))
            await asyncio.sleep(0)
        await stage.settle()
        assert len(stage.news._jobs) <= REMEMBERED
        assert len(stage.told) == REMEMBERED + 50


async def test_a_detail_that_quotes_the_prompt(written: pytest.LogCaptureFixture) -> None:
    async with Stage() as stage:
        await stage.ledger.submit(job())
        await stage.ledger.claim("choreo", "w1", 1, 9)
        failure = Failure("ENGINE_OUTPUT_INVALID", f"KeyError: {PROMPT}")
        await stage.ledger.apply("J1", Fail(1, failure))
    assert vars(written.records[-1])["detail"] == "KeyError: [prompt]"


async def test_cancelled_and_expired_jobs_have_their_code(
    written: pytest.LogCaptureFixture,
) -> None:
    async with Stage() as stage:
        await stage.ledger.submit(job(1))
        await stage.ledger.submit(replace(job(2), deadline=stage.clock.now() + 1))
        await stage.ledger.apply("J1", Cancel())
        await stage.clock.advance(2)
        await stage.ledger.reap()
    codes = [vars(line).get("error_code") for line in written.records]
    assert codes == [None, None, "CANCELLED", "DEADLINE_MISSED"]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", []),
        ("the of and", []),
        ("Walk walk WALK", ["walk"]),
        ("call 555-1234 now", ["call", "now"]),
        ("一个人在慢慢地走路", ["人", "慢慢", "走路"]),
        ("他 jumps 很高", ["jumps", "很高"]),
        (" ".join(f"word{chr(97 + n)}" for n in range(15)), [f"word{c}" for c in "abcdefghij"]),
    ],
)
def test_keywords(prompt: str, words: list[str]) -> None:
    assert keywords(prompt) == words
