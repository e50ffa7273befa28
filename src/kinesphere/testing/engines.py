"""The contract of `kinesphere.ports.Engine` as a suite that any engine is run through.

`python -m kinesphere.testing.engines package.module:Class works.json` runs it in the environment
that the engine needs, and prints a line for each rule. It needs no test framework::

    {"options": {"weights": "/weights"}, "device": "cpu",
     "works": [{"request": {"prompt": "walk", "duration": 2, "seed": 1, "format": "bvh"}}]}

Give at least two pieces of work that can be made and are unlike each other. Inputs are paths of
files by name.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from kinesphere.core.failures import Failure, kind
from kinesphere.ports import (
    LOAD_PHASES,
    Engine,
    Made,
    Outcome,
    Sleeps,
    TellsMemory,
    TellsSetUp,
    Work,
)
from kinesphere.worker.products import product

PATIENCE: Final = 5.0
"""Seconds that an engine may go on with a batch that nobody wants, as the platform's default."""
NEAR: Final = 1e-5
"""By which numbers of a clip may differ where sums were made in another order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one rule; `problem` is "" where it is kept."""

    rule: str
    problem: str = ""


@dataclass(slots=True)
class Run:
    """What a batch led to.

    Attributes:
        outcomes: As returned.
        told: Each word of progress: index, fraction, phase.
        seconds: It took; from the first cancellation on, where there was one.
    """

    outcomes: Sequence[Outcome]
    told: list[tuple[int, float, str]] = field(default_factory=list)
    seconds: float = 0.0


class Broken(Exception):
    """A rule is not kept; the text says how."""


class Examination:
    """One engine under examination: `findings` runs every rule, in order, on one instance."""

    def __init__(self, engine: Engine, device: str, works: Sequence[Work], near: float) -> None:
        if len(works) < 2:
            raise ValueError("two pieces of work are needed at least")
        self._engine = engine
        self._device = device
        self._works = works
        self._near = near
        self._alone: list[Outcome] = []

    def findings(self) -> list[Finding]:
        """Every rule, and what is wrong. Rules after one that raises are still tried."""
        folder = Path.cwd()
        rules: list[tuple[str, Callable[[], None]]] = [
            ("it loads and warms up", self._set_up),
            ("it makes what can be delivered", self._deliverable),
            ("it has one outcome for each piece of work", self._one_each),
            ("it tells progress of work that it was given, forwards", self._progress),
            ("equal work gives equal results, whatever else is in the batch", self._company),
            ("work that is cancelled before it begins is skipped", self._cancelled_before),
            ("the rest of a batch goes on without a cancelled member", self._cancelled_one),
            ("a batch that is cancelled while it runs ends soon", self._cancelled_midway),
            ("it is the same after it slept", self._sleeps),
            ("it says what it measured in known words", self._measured),
            ("it unloads", self._engine.unload),
        ]
        found = [_tried(name, rule) for name, rule in rules]
        moved = "" if Path.cwd() == folder else f"it is now {Path.cwd()}"
        return [*found, Finding("it leaves the working directory alone", moved)]

    # ---------------------------------------------------------------------------------- rules

    def _set_up(self) -> None:
        self._engine.load(self._device)
        self._engine.warm_up()

    def _deliverable(self) -> None:
        self._alone = [self._run([work]).outcomes[0] for work in self._works]
        for work, outcome in zip(self._works, self._alone, strict=True):
            made = product(outcome, str(work.request.get("format", "")))
            if isinstance(made, Failure):
                raise Broken(f"{made.code}: {made.detail}")

    def _one_each(self) -> None:
        outcomes: object = self._run(self._works).outcomes
        if not isinstance(outcomes, Sequence) or len(outcomes) != len(self._works):
            raise Broken(f"{outcomes!r:.200} for {len(self._works)}")
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                kind(outcome.code)
            elif not isinstance(outcome, Made):
                raise Broken(f"{type(outcome).__name__} is no outcome")

    def _progress(self) -> None:
        last = [0.0] * len(self._works)
        for index, fraction, phase in self._run(self._works).told:
            if not 0 <= index < len(last):
                raise Broken(f"work {index} of {len(last)}")
            if not (math.isfinite(fraction) and last[index] <= fraction <= 1.0):
                raise Broken(f"{fraction} after {last[index]}")
            if not isinstance(phase, str):
                raise Broken(f"a phase that is {type(phase).__name__}")
            last[index] = fraction

    def _company(self) -> None:
        self._expect(self._run(self._works).outcomes, set())
        doubled = self._run([self._works[0], self._works[1], self._works[0]]).outcomes
        if not self._same(doubled[0], doubled[2]):
            raise Broken("the same work twice in a batch")

    def _cancelled_before(self) -> None:
        self._expect(
            self._run(self._works, cancelled=lambda _: True).outcomes, set(range(len(self._works)))
        )

    def _cancelled_one(self) -> None:
        self._expect(self._run(self._works, cancelled=lambda index: index == 0).outcomes, {0})

    def _cancelled_midway(self) -> None:
        ran = self._run(self._works, stop_at_first_word=True)
        if ran.told and ran.seconds > PATIENCE:
            raise Broken(f"after {ran.seconds:.1f} s; {PATIENCE:g} s are allowed")
        for outcome in ran.outcomes:
            if isinstance(outcome, Failure) and outcome.code != "CANCELLED":
                raise Broken(f"it failed with {outcome.code}")
        # And the next batch is as if nothing had been.
        self._expect(self._run(self._works).outcomes, set())

    def _sleeps(self) -> None:
        if not isinstance(self._engine, Sleeps):
            return
        for _ in range(2):
            self._engine.sleep()
            self._engine.wake()
        self._expect(self._run(self._works).outcomes, set())

    def _measured(self) -> None:
        if isinstance(self._engine, TellsSetUp):
            told = self._engine.set_up()
            odd = [name for name, took in told.phases.items() if not took >= 0.0]
            odd += [name for name in told.phases if name not in LOAD_PHASES]
            if odd:
                raise Broken(f"phases {', '.join(odd)}")
        if isinstance(self._engine, TellsMemory) and self._engine.peak_device_bytes() < 0:
            raise Broken("less than no memory")

    # --------------------------------------------------------------------------------- tools

    def _run(
        self,
        works: Sequence[Work],
        *,
        cancelled: Callable[[int], bool] = lambda _: False,
        stop_at_first_word: bool = False,
    ) -> Run:
        ran = Run(())
        since = time.monotonic()

        def report(index: int, fraction: float, phase: str) -> None:
            nonlocal since
            if not ran.told and stop_at_first_word:
                since = time.monotonic()
            ran.told.append((index, fraction, phase))

        def unwanted(index: int) -> bool:
            return bool(ran.told) if stop_at_first_word else cancelled(index)

        ran.outcomes = self._engine.run(works, report, unwanted)
        ran.seconds = time.monotonic() - since
        return ran

    def _expect(self, outcomes: Sequence[Outcome], skipped: set[int]) -> None:
        """Raise Broken unless those of `skipped` are cancelled and the others as they are alone."""
        for index, outcome in enumerate(outcomes):
            gone = isinstance(outcome, Failure) and outcome.code == "CANCELLED"
            if gone != (index in skipped):
                raise Broken(f"work {index} is {'' if gone else 'not '}skipped")
            if not gone and not self._same(outcome, self._alone[index]):
                raise Broken(f"work {index} is other than alone")

    def _same(self, one: Outcome, other: Outcome) -> bool:
        if isinstance(one, Failure) or isinstance(other, Failure):
            return one == other
        if isinstance(one.asset, tuple) or isinstance(other.asset, tuple):
            return one.asset == other.asset
        pairs = [
            (one.asset.translation, other.asset.translation),
            (one.asset.rotation, other.asset.rotation),
        ]
        return all(a.shape == b.shape and abs(a - b).max() <= self._near for a, b in pairs)


def examine(
    engine: Engine, works: Sequence[Work], *, device: str = "cpu", near: float = NEAR
) -> list[Finding]:
    """Run an engine that is not loaded yet through every rule.

    Args:
        engine: Constructed; it is loaded, used and unloaded here.
        works: At least two, unlike each other, that can be made.
        device: For `load`.
        near: By which the numbers of two clips that should be equal may differ.
    """
    return Examination(engine, device, works, near).findings()


def _tried(name: str, rule: Callable[[], None]) -> Finding:
    try:
        rule()
    except Broken as broken:
        return Finding(name, str(broken))
    except Exception as error:
        return Finding(name, f"{type(error).__name__}: {error}"[:500] or type(error).__name__)
    return Finding(name)


def _work(given: Mapping[str, Any]) -> Work:
    inputs = {name: Path(path).read_bytes() for name, path in given.get("inputs", {}).items()}
    return Work(given["request"], inputs)


def main(arguments: Sequence[str]) -> int:
    """Examine the engine that is named; 1 where a rule is not kept."""
    where, case = arguments
    module, _, name = where.partition(":")
    told = json.loads(Path(case).read_text(encoding="utf-8"))
    engine: Engine = getattr(import_module(module), name)(**told.get("options", {}))
    works = [_work(each) for each in told["works"]]
    findings = examine(engine, works, device=told.get("device", "cpu"))
    for each in findings:
        mark = "BROKEN" if each.problem else "kept  "
        sys.stdout.write(f"{mark} {each.rule}{': ' if each.problem else ''}{each.problem}\n")
    return int(any(each.problem for each in findings))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
