"""A release: moving a task's traffic from the stable model to a canary, by steps, or back.

`decide(release, seen, now)` is called with what jobs ended since it was last called. It goes a step
further, promotes or rolls back by itself; `obey(release, order, now)` does what an operator says.

    running ──step held, samples there, no doubt──▶ running (next step) … ──▶ promoted
       │ ▲ pause / resume                                          promote ──▶ promoted
       ▼ │
     paused     a gate trips, in either ──▶ rolled_back            abort ──▶ aborted

The tests of `kinesphere.core.evidence` run over the whole release and share its false-alarm rate
between them, so `alpha` bounds the chance that a canary as good as the stable model is ever rolled
back by one of them. Memory is compared as it is read. All times are seconds since the epoch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from kinesphere.core.evidence import QUESTIONS, TAIL, Evidence, Sample
from kinesphere.core.jobs import Json
from kinesphere.core.rating import Ratings
from kinesphere.core.routing import Split

DOUBT: Final = 5.0
"""E-value at which no further step is taken until more jobs have spoken."""

FLOOR: Final = 256 * 2**20
"""Bytes by which a canary's replica must exceed the stable model's before their ratio counts."""

MEMORY_LOOKS: Final = 3
"""Readings in a row with too much memory: one alone may have met a peak."""

MEMORIES: Final[Mapping[str, str]] = {"main": "main memory", "device": "its device's memory"}
"""What is compared of a replica's memory, in words."""

RECORD: Final = 100
"""Entries that a release keeps, the last ones."""

SKETCH: Final = 256


class Phase(StrEnum):
    """Where a release is."""

    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"


OVER: Final = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ABORTED})


class Order(StrEnum):
    """What an operator may say."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


class Ended(Exception):
    """The release is over; nothing can be said to it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a release goes.

    Attributes:
        steps: The canary's part at each step, in percent, rising. After the last, or at 100, where
            nothing is left to compare with, it is promoted.
        hold: Seconds that a step lasts at least.
        samples: Jobs of the canary that a step compares at least.
        alpha: Chance at most that a canary as good as the stable model is rolled back by a test.
        slower: Times the stable model's 95th percentile beyond which a job counts as slow.
        memory: Times the memory of a stable replica that one of the canary may take, main memory
            and the device's each by itself; 0 for any.
    """

    steps: tuple[float, ...] = (10.0, 25.0, 50.0, 100.0)
    hold: float = 600.0
    samples: int = 200
    alpha: float = 0.05
    slower: float = 1.1
    memory: float = 1.5


@dataclass(frozen=True, slots=True)
class Entry:
    """What a release did, when, and by what numbers."""

    at: float
    what: str
    why: str
    # Any, for a recursive alias of JSON cannot be decoded into.
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Users:
    """How many users the canary has answered: exact up to 256, beyond that within about 12 %.

    Keeps the 256 smallest of their digests (Bar-Yossef and others, "Counting distinct elements in a
    data stream", 2002).
    """

    smallest: tuple[int, ...] = ()

    def seen(self, user: str) -> "Users":
        """With this user."""
        digest = int.from_bytes(hashlib.sha256(user.encode()).digest()[:6])
        if digest in self.smallest:
            return self
        return Users(tuple(sorted((*self.smallest, digest)))[:SKETCH])

    @property
    def number(self) -> int:
        """How many, about."""
        if len(self.smallest) < SKETCH:
            return len(self.smallest)
        return round((SKETCH - 1) * 2**48 / self.smallest[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, with all that it needs to go on after a restart.

    Attributes:
        id: ULID.
        task: "motion" or "mesh".
        stable: Name of the model that answered before.
        canary: Name of the new one.
        terms: How it goes.
        started_at: When it began.
        step_at: When the present step began, or went on after a pause.
        step: Index into the steps.
        phase: Where it is.
        version: Grows by 1 with every change that is stored; 1 when it begins.
        cursor: `seq` of the last event of the ledger that it has seen.
        compared: Jobs of the canary that had been compared when the present step began.
        heavy: Readings in a row in which the canary took too much memory.
        memory: The last reading, as in `Seen`.
        evidence: What was seen of both models.
        users: Whom the canary has answered.
        record: What happened, the oldest first.
        ratings: What people said of pairs. It is shown beside the tests, and decides nothing.
    """

    id: str
    task: str
    stable: str
    canary: str
    terms: Terms
    started_at: float
    step_at: float
    step: int = 0
    phase: Phase = Phase.RUNNING
    version: int = 1
    cursor: int = 0
    compared: int = 0
    heavy: int = 0
    memory: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    users: Users = field(default_factory=Users)
    record: tuple[Entry, ...] = ()
    ratings: Ratings = field(default_factory=Ratings)

    @property
    def over(self) -> bool:
        """Whether nothing can change it any more."""
        return self.phase in OVER

    @property
    def part(self) -> float:
        """The canary's part of the traffic, 0 to 1."""
        if self.over:
            return 1.0 if self.phase is Phase.PROMOTED else 0.0
        return min(1.0, self.terms.steps[self.step] / 100.0)

    @property
    def split(self) -> Split:
        """How it shares the traffic."""
        return Split(self.id, self.stable, self.canary, self.part)

    @property
    def settled(self) -> str:
        """The model that answers whoever does not have the canary, or everybody once it is over."""
        return self.canary if self.phase is Phase.PROMOTED else self.stable

    @property
    def threshold(self) -> float:
        """E-value at which a test rolls back: the tests share `alpha` evenly."""
        return len(QUESTIONS) / self.terms.alpha


@dataclass(frozen=True, slots=True)
class Seen:
    """What has come since the last decision.

    Attributes:
        samples: Ended jobs of the release: the user, whether the canary's, and how it went.
        cursor: `seq` of the last event that was looked at.
        memory: Bytes of the largest replica of the stable model and of the canary, by the names of
            MEMORIES; the device's is the most that its engine took. What is not known of both is
            left out.
    """

    samples: Sequence[tuple[str, bool, Sample]]
    cursor: int
    memory: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def begun(
    *, release_id: str, task: str, stable: str, canary: str, terms: Terms, now: float
) -> Release:
    """A release at its first step."""
    new = Release(
        id=release_id, task=task, stable=stable, canary=canary, terms=terms,
        started_at=now, step_at=now,
    )  # fmt: skip
    if terms.steps[0] >= 100.0:
        return _told(replace(new, phase=Phase.PROMOTED), "promoted", "its only step is 100 %", now)
    return _told(new, "started", f"{canary} takes {terms.steps[0]:g} %", now)


def decide(release: Release, seen: Seen, now: float) -> tuple[Release, tuple[Entry, ...]]:
    """The release after what was seen, and what it did."""
    if release.over:
        return release, ()
    noted = _noted(release, seen)
    tripped = _tripped(noted)
    if tripped:
        return _done(replace(noted, phase=Phase.ROLLED_BACK), "rolled_back", tripped, now)
    if noted.phase is Phase.RUNNING and _held(noted, now):
        return _stepped(noted, now)
    return noted, ()


def obey(release: Release, order: Order, now: float) -> tuple[Release, tuple[Entry, ...]]:
    """The release after an operator's order. What is so already stays so. Raises Ended."""
    if release.over:
        raise Ended
    match order:
        case Order.PAUSE if release.phase is Phase.RUNNING:
            return _done(replace(release, phase=Phase.PAUSED), "paused", "by an operator", now)
        case Order.RESUME if release.phase is Phase.PAUSED:
            onward = replace(release, phase=Phase.RUNNING, step_at=now)
            return _done(onward, "resumed", "by an operator", now)
        case Order.PROMOTE:
            return _done(replace(release, phase=Phase.PROMOTED), "promoted", "by an operator", now)
        case Order.ABORT:
            return _done(replace(release, phase=Phase.ABORTED), "aborted", "by an operator", now)
        case _:
            return release, ()


def figures(release: Release) -> dict[str, Json]:
    """The numbers that decisions rest on."""
    evidence = release.evidence
    arms = {"stable": evidence.stable, "canary": evidence.canary}
    return {
        "canary_percent": 100.0 * release.part,
        "canary_users": release.users.number,
        "threshold": release.threshold,
        "jobs": {name: arm.jobs for name, arm in arms.items()},
        "p95_seconds": {name: arm.seconds.quantile(TAIL) for name, arm in arms.items()},
        "p95_running_seconds": {name: arm.running.quantile(TAIL) for name, arm in arms.items()},
        "memory_bytes": _compared(release.memory.get("main")),
        "device_bytes": _compared(release.memory.get("device")),
        "tests": {
            question: {
                "evidence": test.evidence,
                "stable": evidence.stable.share(question),
                "canary": evidence.canary.share(question),
            }
            for question, test in evidence.tests.items()
        },
    }


def _compared(memory: tuple[int, int] | None) -> dict[str, Json]:
    stable, canary = memory if memory is not None else (None, None)
    return {"stable": stable, "canary": canary}


def _noted(release: Release, seen: Seen) -> Release:
    evidence, users = release.evidence, release.users
    for user, canary, sample in seen.samples:
        if canary:
            users = users.seen(user)
        waiting = evidence.seen(sample, canary=canary)
        evidence = waiting.compared(release.part, release.terms.slower)
        if evidence is waiting:
            continue
        if any(test.evidence >= release.threshold for test in evidence.tests.values()):
            # What came after does not speak for it any more.
            break
    noted = replace(release, evidence=evidence, users=users, cursor=seen.cursor)
    if not seen.memory:
        return noted
    heavy = any(_too_much(release.terms, *each) for each in seen.memory.values())
    return replace(noted, memory=dict(seen.memory), heavy=release.heavy + 1 if heavy else 0)


def _too_much(terms: Terms, stable: int, canary: int) -> bool:
    return terms.memory > 0.0 and canary > max(terms.memory * stable, stable + FLOOR)


def _tripped(release: Release) -> str:
    """Why it must be rolled back, or ""."""
    evidence = release.evidence
    for question, test in evidence.tests.items():
        if test.evidence >= release.threshold:
            shares = (evidence.canary.share(question), evidence.stable.share(question))
            return "{}: {:.2%} of the canary's jobs, {:.2%} of the stable model's".format(
                question, *shares
            )
    if release.heavy < MEMORY_LOOKS:
        return ""
    return next(
        f"memory: a canary's replica takes {canary / 1e9:.2f} GB of {MEMORIES[name]}, "
        f"over {release.terms.memory:g} times the stable model's {stable / 1e9:.2f} GB"
        for name, (stable, canary) in release.memory.items()
        if _too_much(release.terms, stable, canary)
    )


def _held(release: Release, now: float) -> bool:
    terms, evidence = release.terms, release.evidence
    return (
        now - release.step_at >= terms.hold
        and evidence.canary.jobs - release.compared >= terms.samples
        and all(test.evidence < DOUBT for test in evidence.tests.values())
    )


def _stepped(release: Release, now: float) -> tuple[Release, tuple[Entry, ...]]:
    steps, following = release.terms.steps, release.step + 1
    if following >= len(steps) or steps[following] >= 100.0:
        why = "no gate found it worse"
        return _done(replace(release, phase=Phase.PROMOTED), "promoted", why, now)
    why = f"{release.canary} takes {steps[following]:g} %"
    onward = replace(release, step=following, step_at=now, compared=release.evidence.canary.jobs)
    return _done(onward, "stepped", why, now)


def _done(release: Release, what: str, why: str, now: float) -> tuple[Release, tuple[Entry, ...]]:
    told = _told(release, what, why, now)
    return told, told.record[-1:]


def _told(release: Release, what: str, why: str, now: float) -> Release:
    entry = Entry(now, what, why, figures(release))
    return replace(release, record=(*release.record, entry)[-RECORD:])
