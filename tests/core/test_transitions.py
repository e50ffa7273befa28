"""The job's transitions: a table of cases, and a rule machine over every order of commands."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kinesphere.core.failures import KINDS, Failure, kind
from kinesphere.core.jobs import (
    TERMINAL,
    ArtifactRef,
    Cancel,
    Claim,
    Command,
    Event,
    EventKind,
    Expire,
    Extend,
    Fail,
    Finish,
    GiveBack,
    Job,
    Reap,
    Recover,
    Refused,
    Revive,
    StaleToken,
    State,
    WrongState,
)
from kinesphere.core.transitions import BACKOFF_CAP, MAX_ATTEMPTS, MAX_LOSSES, backoff, decide
from tests.core.jobs import NOW, new_job

CRASH = Failure("ENGINE_CRASHED", "killed by SIGSEGV")
REFUSAL = Failure("PROMPT_NOT_UNDERSTOOD", "nothing recognised")
FILE = ArtifactRef("j/1/motion.bvh", "motion.bvh", "text/x-bvh", 10, "00" * 32)


def claimed(job: Job, now: float = NOW, lease: float = 9.0, worker: str = "w1") -> Job:
    return decide(job, Claim(worker, now + lease), now)[0]


def test_a_claim_raises_the_token_and_counts_an_attempt() -> None:
    job = claimed(new_job())
    assert (job.state, job.token, job.attempts, job.worker) == (State.RUNNING, 1, 1, "w1")
    assert job.lease_until == NOW + 9.0
    assert job.started_at == NOW


def test_a_job_that_backs_off_cannot_be_claimed_before_its_time() -> None:
    with pytest.raises(WrongState):
        decide(new_job(ready_at=NOW + 1), Claim("w", NOW + 9), NOW)


def test_finishing_the_only_stage_succeeds_with_the_artifacts() -> None:
    job, events = decide(claimed(new_job()), Finish(1, (FILE,), {"understood": ["wave"]}), NOW + 1)
    assert job.state is State.SUCCEEDED
    assert job.artifacts == (FILE,)
    assert job.notes == {"understood": ["wave"]}
    assert (job.worker, job.lease_until, job.progress) == (None, None, 1.0)
    assert [e.kind for e in events] == [EventKind.SUCCEEDED]


def test_finishing_a_stage_queues_the_next_with_fresh_attempts() -> None:
    job = new_job(pools=("relief.shape", "relief.texture"), attempts=0)
    job, events = decide(claimed(job), Finish(1, (FILE,)), NOW + 1)
    assert (job.state, job.pool, job.attempts, job.ready_at) == (
        State.QUEUED, "relief.texture", 0, NOW + 1,
    )  # fmt: skip
    assert [e.kind for e in events] == [EventKind.STAGE_FINISHED]
    job, _ = decide(
        claimed(job, NOW + 2), Finish(2, (replace(FILE, key="j/2/b", stage=1),)), NOW + 3
    )
    assert job.state is State.SUCCEEDED
    assert [a.key for a in job.artifacts] == ["j/1/motion.bvh", "j/2/b"]


@pytest.mark.parametrize(
    "word",
    [
        Extend(1, NOW + 20, 0.5),
        Finish(1, (FILE,)),
        Fail(1, CRASH),
        GiveBack(1),
    ],
)
def test_a_holder_that_lost_its_lease_can_say_nothing(word: Command) -> None:
    job = claimed(new_job())
    job, _ = decide(job, Reap(), NOW + 9)
    for state in (job, claimed(job, NOW + 30, worker="w2")):
        with pytest.raises(StaleToken):
            decide(state, word, NOW + 30)


def test_a_lease_is_not_reaped_before_its_end() -> None:
    with pytest.raises(WrongState):
        decide(claimed(new_job()), Reap(), NOW + 8.999)


def test_a_job_fails_after_its_attempts_with_growing_pauses() -> None:
    job, now, pauses = new_job(), NOW, []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = claimed(job, now)
        job, events = decide(job, Fail(attempt, CRASH), now)
        if not job.ended:
            pauses.append(job.ready_at - now)
            now = job.ready_at
    assert job.state is State.FAILED
    assert job.failure == CRASH
    assert events[-1].data["attempts"] == MAX_ATTEMPTS
    assert pauses == [1.0, 2.0]


def test_a_failure_that_no_retry_helps_ends_the_job_at_once() -> None:
    job, _ = decide(claimed(new_job()), Fail(1, REFUSAL), NOW)
    assert (job.state, job.attempts) == (State.FAILED, 1)


def test_a_rejected_result_is_tried_with_another_seed_unless_the_caller_chose_it() -> None:
    rejected = Failure("QUALITY_REJECTED", "The motion failed: skating.")
    drawn = new_job(request={"prompt": "wave", "seed": 1, "seed_drawn": True})
    seeds = []
    job, now = drawn, NOW
    while not job.ended:
        job = claimed(job, now)
        seeds.append(job.request["seed"])
        job, _ = decide(job, Fail(job.token, rejected), now)
    assert len(set(seeds)) == MAX_ATTEMPTS
    assert job.failure == rejected
    pinned, _ = decide(claimed(new_job()), Fail(1, rejected), NOW)
    assert (pinned.state, pinned.attempts) == (State.FAILED, 1)


def test_a_failure_that_took_others_down_isolates_the_job_until_it_succeeds() -> None:
    job, _ = decide(claimed(new_job()), Fail(1, CRASH, alone=True), NOW)
    assert job.alone
    job, _ = decide(claimed(job, NOW + 5), Fail(2, CRASH), NOW + 5)
    assert job.alone
    job, _ = decide(claimed(job, NOW + 9), Finish(3, (FILE,)), NOW + 9)
    assert not job.alone


def test_giving_back_costs_no_attempt() -> None:
    job, events = decide(claimed(new_job()), GiveBack(1), NOW + 1)
    assert (job.state, job.attempts, job.token, job.ready_at) == (State.QUEUED, 0, 1, NOW + 1)
    assert [e.kind for e in events] == [EventKind.REQUEUED]


def test_a_server_that_dies_costs_no_attempt_but_not_for_ever() -> None:
    job, now = new_job(), NOW
    for _ in range(MAX_LOSSES):
        job, _ = decide(claimed(job, now), Recover(), now)
        assert (job.state, job.attempts, job.alone) == (State.QUEUED, 0, True)
        now = job.ready_at
    job, _ = decide(claimed(job, now), Recover(), now)
    assert (job.state, job.failure and job.failure.code) == (State.FAILED, "LEASE_LOST")


def test_cancelling_ends_a_waiting_and_a_running_job_and_fences_the_runner() -> None:
    waiting, _ = decide(new_job(), Cancel(), NOW)
    running, events = decide(claimed(new_job()), Cancel(), NOW)
    assert waiting.state is running.state is State.CANCELLED
    assert events[0].data["while"] == "running"
    with pytest.raises(StaleToken):
        decide(running, Finish(1, (FILE,)), NOW)
    with pytest.raises(WrongState):
        decide(running, Cancel(), NOW)


def test_only_a_waiting_job_expires_and_only_past_its_deadline() -> None:
    job = new_job(deadline=NOW + 5)
    with pytest.raises(WrongState):
        decide(job, Expire(), NOW + 4.9)
    with pytest.raises(WrongState):
        decide(claimed(job), Expire(), NOW + 6)
    assert decide(job, Expire(), NOW + 5)[0].state is State.EXPIRED


def test_reviving_gives_a_failed_job_another_set_of_attempts() -> None:
    job, _ = decide(claimed(new_job()), Fail(1, REFUSAL), NOW)
    job, _ = decide(job, Revive(), NOW + 60)
    assert (job.state, job.attempts, job.finished_at, job.failure) == (State.QUEUED, 0, None, None)
    assert job.token == 1
    with pytest.raises(WrongState):
        decide(job, Revive(), NOW + 61)


def test_backoff_grows_and_is_bounded() -> None:
    assert [backoff(n) for n in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert backoff(10_000) == BACKOFF_CAP


def test_every_kind_of_failure_is_known_and_others_are_not() -> None:
    assert all(kind(code) is KINDS[code] for code in KINDS)
    assert kind("OOM_GPU_24GB").retry
    for unknown in ("OOM_GPU_GB", "OOM_GPU_24GB\n", "oops"):
        with pytest.raises(KeyError):
            kind(unknown)


@dataclass
class Commit:
    """A claim that somebody made and has not forgotten."""

    worker: str
    token: int


class AnyOrder(RuleBasedStateMachine):
    """Every order of commands, from holders and from those who only think that they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.job = new_job(pools=("a", "b"), deadline=NOW + 200)
        self.now = NOW
        self.claims: list[Commit] = []
        self.events: list[Event] = []
        self.committed: list[str] = []

    def say(self, command: Command) -> bool:
        before = self.job
        try:
            after, events = decide(before, command, self.now)
        except Refused:
            assert self.job is before
            return False
        self.job = after
        self.events.extend(events)
        return True

    @rule(seconds=st.floats(0.0, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=st.sampled_from(["w1", "w2"]), lease=st.floats(1.0, 30.0))
    def claim(self, worker: str, lease: float) -> None:
        token = self.job.token
        if self.say(Claim(worker, self.now + lease)):
            assert self.job.token == token + 1
            self.claims.append(Commit(worker, self.job.token))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), what=st.sampled_from(["extend", "finish", "crash", "refuse", "back"]))
    def somebody_speaks(self, data: st.DataObject, what: str) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        token = claim.token
        holds = self.job.state is State.RUNNING and token == self.job.token
        words: dict[str, Command] = {
            "extend": Extend(token, self.now + 9, 0.5),
            "finish": Finish(token, (replace(FILE, key=f"j/{token}/f", stage=self.job.stage),)),
            "crash": Fail(token, CRASH, alone=True),
            "refuse": Fail(token, REFUSAL),
            "back": GiveBack(token),
        }
        assert self.say(words[what]) == holds
        if holds and what == "finish":
            self.committed.append(f"j/{token}/f")

    @rule(command=st.sampled_from([Reap(), Recover(), Cancel(), Expire(), Revive()]))
    def the_platform_speaks(self, command: Command) -> None:
        self.say(command)

    @invariant()
    def the_lease_is_there_exactly_while_running(self) -> None:
        running = self.job.state is State.RUNNING
        assert (self.job.lease_until is not None) == running
        assert (self.job.worker is not None) == running

    @invariant()
    def artifacts_are_what_holders_committed(self) -> None:
        assert [a.key for a in self.job.artifacts] == self.committed

    @invariant()
    def an_ended_job_says_when_and_why(self) -> None:
        assert (self.job.finished_at is not None) == (self.job.state in TERMINAL)
        if self.job.state in TERMINAL - {State.SUCCEEDED}:
            assert self.job.failure is not None
        if self.job.state is State.SUCCEEDED:
            assert self.job.failure is None
            assert len(self.job.artifacts) == 2

    @invariant()
    def attempts_stay_within_the_cap(self) -> None:
        assert 0 <= self.job.attempts <= MAX_ATTEMPTS

    @invariant()
    def history_tells_the_state(self) -> None:
        ends = [e for e in self.events if e.kind.value in {s.value for s in TERMINAL}]
        revivals = [e for e in self.events if e.kind is EventKind.REVIVED]
        assert len(ends) - len(revivals) == int(self.job.ended)
        if self.job.ended:
            assert ends[-1].kind.value == self.job.state.value
        assert sum(e.kind is EventKind.CLAIMED for e in self.events) == self.job.token


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
