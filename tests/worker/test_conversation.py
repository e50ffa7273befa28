"""Whatever a child says, leaves unsaid or dies of, every piece of work has exactly one end."""

import asyncio
from collections import Counter
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Job
from kinesphere.worker.conversation import Cause, Conversation, Limits
from kinesphere.worker.held import Held
from kinesphere.worker.messages import BatchEnded, Cancel, Done, Failed, FromChild, Item, Stop, Told
from tests.clock import VirtualClock

LIMITS = Limits(run=30.0, cancel=5.0, answer=10.0)


class Puppet:
    """A child that says what the test says, and is dead once killed."""

    pid = 1

    def __init__(self) -> None:
        self.said: asyncio.Queue[FromChild | None] = asyncio.Queue()
        self.told: list[Any] = []

    def send(self, message: Any) -> None:
        self.told.append(message)

    async def receive(self) -> FromChild | None:
        return await self.said.get()

    def kill(self) -> None:
        self.said.put_nowait(None)

    async def end(self) -> str:
        return "is a puppet"


class Ends:
    """Where work ends; counts how often."""

    def __init__(self) -> None:
        self.ends: Counter[Held] = Counter()
        self.words: dict[str, list[str]] = {}

    def _end(self, held: Held, how: str) -> None:
        self.ends[held] += 1
        self.words.setdefault(how, []).append(held.job.id)

    def tell(self, held: Held, fraction: float, phase: str) -> None:
        assert held not in self.ends

    def finish(self, held: Held, done: Done) -> None:
        self._end(held, "finish")

    def fail(self, held: Held, failure: Failure, *, alone: bool = False) -> None:
        self._end(held, f"{failure.code}{' alone' if alone else ''}")

    def give_back(self, held: Held) -> None:
        self._end(held, "give_back")


class Stage:
    """One conversation with a puppet, in virtual time."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock, self.child, self.results = VirtualClock(), Puppet(), Ends()
        child: Any = self.child
        self.talk = Conversation(child, self.clock, self.results, limits)
        self.everything: list[Held] = []
        self.open: list[Held] = []
        self.running: list[Held] = []
        self._numbers = count()

    def run(self, size: int) -> list[Held]:
        batch = [Held(job(f"j{next(self._numbers)}")) for _ in range(size)]
        items = [Item(claim=h.claim, request={}, inputs={}, format="") for h in batch]
        self.talk.run(list(zip(batch, items, strict=True)))
        self.everything += batch
        self.open += batch
        self.running = batch
        return batch

    def cancel(self, held: Held) -> None:
        held.wanted = False
        self.talk.unwanted(held)

    async def say(self, message: FromChild) -> None:
        self.child.said.put_nowait(message)
        await settle()

    async def end_batch(self) -> None:
        self.running = []
        await self.say(BatchEnded(seconds=1.0, memory=0))


def job(name: str) -> Job:
    return Job(
        id=name, task="motion", model="m", model_version="1", user="u", request={},
        pools=("m",), created_at=0.0, ready_at=0.0, token=1,
    )  # fmt: skip


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def done(held: Held) -> Done:
    return Done(claim=held.claim, files=[], notes={})


async def watch_for(stage: Stage, seconds: float) -> None:
    """Let the supervisor watch while time passes."""
    watching = asyncio.create_task(stage.talk.watch())
    await stage.clock.advance(seconds)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


STEPS = ("run", "answer", "fail", "tell", "end", "cancel", "wait", "nonsense", "die", "leave")


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=30))
def test_all_work_has_one_end(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        stage = Stage()
        for step, number in steps:
            if stage.talk.lost:
                break
            await take(stage, step, number)
        await stage.talk.end()
        for held in stage.everything:
            assert stage.results.ends[held] == 1 or not held.wanted
            assert stage.results.ends[held] <= 1

    asyncio.run(play())


async def take(stage: Stage, step: str, number: int) -> None:
    """One step of the play, where it makes sense."""
    if step == "run" and not stage.running:
        stage.run(number + 1)
    elif step in ("answer", "fail") and stage.open:
        held = stage.open.pop(number % len(stage.open))
        failed = Failed(claim=held.claim, code="ENGINE_FAILED", detail="", shared=number > 1)
        await stage.say(done(held) if step == "answer" else failed)
    elif step == "tell" and stage.open:
        held = stage.open[number % len(stage.open)]
        await stage.say(Told(claim=held.claim, fraction=0.5, phase=""))
    elif step == "end" and stage.running:
        await stage.end_batch()
    elif step == "cancel" and stage.open:
        stage.cancel(stage.open[number % len(stage.open)])
    elif step == "wait":
        await watch_for(stage, 2.0 ** (2 * number))
    elif step == "nonsense" and number == 3:
        await stage.say(Done(claim="nobody/9", files=[], notes={}))
    elif step == "die" and number == 3:
        stage.child.kill()
        await settle()
    elif step == "leave" and number == 3:
        stage.talk.leave(stage.clock.monotonic() + 1.0)


async def test_who_waits_for_the_device_goes_on_before_results_are_read() -> None:
    stage = Stage()
    batch = stage.run(3)
    seen: list[int] = []

    async def next_batch() -> None:
        await stage.talk.batch_ended()
        seen.append(sum(stage.results.ends.values()))

    waiting = asyncio.create_task(next_batch())
    await settle()
    stage.child.said.put_nowait(BatchEnded(seconds=1.0, memory=0))
    for held in batch:
        stage.child.said.put_nowait(done(held))
    await waiting
    await settle()
    assert seen == [0]
    assert sum(stage.results.ends.values()) == 3
    await stage.talk.end()


async def test_a_crash_is_shared_by_all_that_was_unanswered() -> None:
    stage = Stage()
    stage.run(2)
    stage.child.kill()
    assert await stage.talk.batch_ended() is None
    await stage.talk.end()
    assert stage.results.words == {"ENGINE_CRASHED alone": ["j0", "j1"]}


async def test_a_timeout_spares_what_was_only_being_encoded() -> None:
    stage = Stage(Limits(run=5.0, cancel=5.0, answer=60.0))
    stage.run(1)
    await stage.end_batch()
    stage.run(2)
    await watch_for(stage, 5.0)
    await stage.talk.watch()
    assert stage.talk.cause is Cause.RAN_TOO_LONG
    await stage.talk.end()
    assert stage.results.words == {"give_back": ["j0"], "ENGINE_TIMEOUT alone": ["j1", "j2"]}


async def test_results_that_are_never_encoded_are_given_up() -> None:
    stage = Stage()
    stage.run(1)
    await stage.end_batch()
    await stage.clock.advance(9.0)
    stage.run(1)
    await watch_for(stage, 1.0)
    await stage.talk.watch()
    assert stage.talk.cause is Cause.ANSWERED_TOO_LATE
    await stage.talk.end()
    assert stage.results.words == {"ENGINE_TIMEOUT": ["j0"], "give_back": ["j1"]}


async def test_disobedience_harms_nobody_else() -> None:
    stage = Stage()
    stage.run(1)
    await stage.end_batch()
    (held,) = stage.run(1)
    stage.cancel(held)
    assert stage.child.told[-1] == Cancel(claim=held.claim)
    await watch_for(stage, 5.0)
    await stage.talk.watch()
    assert stage.talk.cause is Cause.DISOBEYED
    await stage.talk.end()
    assert stage.results.words == {"give_back": ["j0"]}


async def test_answers_are_awaited_before_the_child_is_stopped() -> None:
    stage = Stage()
    (held,) = stage.run(1)
    await stage.end_batch()
    stage.talk.leave(stage.clock.monotonic() + 5.0)
    stopping = asyncio.create_task(stage.talk.stop(5.0))
    await settle()
    assert Stop() not in stage.child.told
    await stage.say(done(held))
    assert stage.child.told[-1] == Stop()
    stage.child.kill()
    await stopping
    await stage.talk.end()
    assert stage.results.words == {"finish": ["j0"]}
