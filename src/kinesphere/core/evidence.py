"""Whether a canary is worse than the stable model: tests that may be looked at after every job.

Each question is a yes or no of one job, such as whether an attempt at it failed. The null
hypothesis is that the canary's share of yes is at most the stable model's. Jobs are compared in
blocks of fixed size, `canary` of one and `stable` of the other, in the order in which they end.
Before a block is looked at, a bet is made from earlier blocks alone: a pooled share θ, and shares
θc > θ > θs with `canary` * θc + `stable` * θs = (`canary` + `stable`) * θ. The block multiplies the
bet's wealth by

    Π over canary jobs (θc/θ if yes, else (1-θc)/(1-θ)) · the same over stable jobs with θs.

Under the null its expectation is at most 1, whatever the true shares are (Turner, Ly and Grünwald,
"Generic E-variables for exact sequential k-sample tests that allow for optional stopping", 2024;
the proof for this one-sided form is in `docs/decisions/0020-sequential-tests.md`). So the wealth is
a nonnegative supermartingale, as is the mean over several bets, and by Ville's inequality it ever
reaches 1/α with probability at most α: to look again and again costs nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

RATIOS: Final = (1.5, 2.0, 3.0, 6.0, 20.0)
"""How many times worse the canary is in each bet."""

Question: TypeAlias = Literal["errors", "latency", "running", "quality"]
QUESTIONS: Final[tuple[Question, ...]] = ("errors", "latency", "running", "quality")

WAITING: Final = 200
"""Jobs of one model that wait for a block at most; what comes beyond is left out of the tests."""

TAIL: Final = 0.95
WARM: Final = 20
"""Stable jobs before their 95th percentile is taken for known."""

_BUCKET: Final = math.log(1.02)
_SHORTEST: Final = 1e-3
_PRIOR: Final = (0.5, 10.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One ended job of a release.

    Attributes:
        seconds: From acceptance to its end.
        running: From its first claim to its end, in seconds.
        troubled: Whether an attempt at it failed, not by the caller's fault nor for its quality.
        poor: Whether a joint of what it made was warned of, or an attempt was rejected for quality.
    """

    seconds: float
    running: float
    troubled: bool
    poor: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Times by logarithmic buckets of 2 %: number of times by bucket."""

    counts: Mapping[int, int] = field(default_factory=dict)

    def seen(self, seconds: float) -> "Spread":
        """With one time more, in seconds."""
        bucket = math.floor(math.log(max(seconds, _SHORTEST)) / _BUCKET)
        return Spread({**self.counts, bucket: self.counts.get(bucket, 0) + 1})

    def quantile(self, share: float) -> float | None:
        """The time that `share` of them do not exceed, at most 2 % too much; None without any."""
        left = share * sum(self.counts.values())
        for bucket in sorted(self.counts):
            left -= self.counts[bucket]
            if left <= 0:
                return math.exp((bucket + 1) * _BUCKET)
        return None


@dataclass(frozen=True, slots=True)
class Arm:
    """What was seen of one model in the blocks so far.

    Attributes:
        jobs: How many.
        yes: How many were a yes, by question.
        seconds: Times from acceptance to end.
        running: Times from first claim to end.
    """

    jobs: int = 0
    yes: Mapping[str, int] = field(default_factory=dict)
    seconds: Spread = field(default_factory=Spread)
    running: Spread = field(default_factory=Spread)

    def after(self, samples: Sequence[Sample], answers: Sequence[Mapping[str, bool]]) -> "Arm":
        """With these jobs, and their answers in the same order."""
        seconds, running, yes = self.seconds, self.running, dict(self.yes)
        for sample, answer in zip(samples, answers, strict=True):
            seconds, running = seconds.seen(sample.seconds), running.seen(sample.running)
            for question, said in answer.items():
                yes[question] = yes.get(question, 0) + said
        return Arm(self.jobs + len(samples), yes, seconds, running)

    def share(self, question: str) -> float:
        """Share of yes; 0 without jobs."""
        return self.yes.get(question, 0) / self.jobs if self.jobs else 0.0


@dataclass(frozen=True, slots=True)
class Bets:
    """The test of one question.

    Attributes:
        wealth: Logarithm of each bet's wealth, in the order of RATIOS.
        jobs: Jobs of earlier blocks, both models together.
        yes: How many of them were a yes.
    """

    wealth: tuple[float, ...] = (0.0,) * len(RATIOS)
    jobs: int = 0
    yes: int = 0

    @property
    def evidence(self) -> float:
        """The e-value: mean wealth of the bets, at most 1 in expectation if the canary is fine."""
        top = max(self.wealth)
        mean = sum(math.exp(each - top) for each in self.wealth) / len(self.wealth)
        return math.exp(min(top + math.log(mean), 700.0))

    def after(self, canary: Sequence[bool], stable: Sequence[bool]) -> "Bets":
        """With one block more. Neither side may be empty."""
        share = (self.yes + _PRIOR[0]) / (self.jobs + _PRIOR[1])
        many = len(stable) / len(canary)
        hits, others = sum(canary), sum(stable)
        wealth = tuple(
            known + _gain(hits, len(canary), high, share) + _gain(others, len(stable), low, share)
            for known, (high, low) in zip(
                self.wealth, (_alternative(share, many, ratio) for ratio in RATIOS), strict=True
            )
        )
        return Bets(wealth, self.jobs + len(canary) + len(stable), self.yes + hits + others)


def _alternative(share: float, many: float, ratio: float) -> tuple[float, float]:
    """The shares of canary and stable that a bet supposes, `many` stable jobs for each canary's."""
    high = min(ratio * share * (1.0 + many) / (ratio + many), 1.0 - (1.0 - share) / 4.0)
    return high, ((1.0 + many) * share - high) / many


def _gain(hits: int, jobs: int, supposed: float, share: float) -> float:
    return hits * math.log(supposed / share) + (jobs - hits) * math.log(
        (1.0 - supposed) / (1.0 - share)
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a release has seen.

    Attributes:
        stable: The stable model in the blocks so far.
        canary: The canary in them.
        tests: The test of each question.
        stable_waiting: Stable jobs that wait for a block, the oldest first.
        canary_waiting: Canary's that do.
    """

    stable: Arm = field(default_factory=Arm)
    canary: Arm = field(default_factory=Arm)
    tests: Mapping[str, Bets] = field(default_factory=lambda: {q: Bets() for q in QUESTIONS})
    stable_waiting: tuple[Sample, ...] = ()
    canary_waiting: tuple[Sample, ...] = ()

    def seen(self, sample: Sample, *, canary: bool) -> "Evidence":
        """With one job more, which waits for its block."""
        if canary:
            return replace(self, canary_waiting=(*self.canary_waiting, sample)[:WAITING])
        return replace(self, stable_waiting=(*self.stable_waiting, sample)[:WAITING])

    def compared(self, share: float, slower: float) -> "Evidence":
        """With one block compared, or the same where there is no whole block.

        Args:
            share: The canary's part of the traffic, between 0 and 1; it makes the block's size.
            slower: How many times the stable model's 95th percentile is still not slow.
        """
        many, few = block(share)
        canary, stable = self.canary_waiting[:many], self.stable_waiting[:few]
        if len(canary) < many or len(stable) < few:
            return self
        # From earlier blocks alone, so that a bet never knows what it is made on.
        limits = self.limits(slower)
        told = [_answers(sample, limits) for sample in canary]
        others = [_answers(sample, limits) for sample in stable]
        tests = {
            question: bets.after([t[question] for t in told], [o[question] for o in others])
            if question in told[0]
            else bets
            for question, bets in self.tests.items()
        }
        return Evidence(
            self.stable.after(stable, others),
            self.canary.after(canary, told),
            tests,
            self.stable_waiting[few:],
            self.canary_waiting[many:],
        )

    def limits(self, slower: float) -> tuple[float, float] | None:
        """Seconds beyond which a job is slow from acceptance and from its claim, once known."""
        if self.stable.jobs < WARM:
            return None
        seconds, running = self.stable.seconds, self.stable.running
        return (
            slower * (seconds.quantile(TAIL) or math.inf),
            slower * (running.quantile(TAIL) or math.inf),
        )


def block(share: float) -> tuple[int, int]:
    """Jobs of the canary and of the stable model in a block, for the canary's part of traffic."""
    if share <= 0.5:
        return 1, max(1, min(19, round((1.0 - share) / share)))
    return max(1, min(19, round(share / (1.0 - share)))), 1


def _answers(sample: Sample, limits: tuple[float, float] | None) -> dict[str, bool]:
    told = {"errors": sample.troubled, "quality": sample.poor}
    if limits is not None:
        told |= {"latency": sample.seconds > limits[0], "running": sample.running > limits[1]}
    return told
