"""The suite for engines: ours keep its rules, and an engine that breaks one is found out."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kinesphere.core.failures import Failure
from kinesphere.engines.choreo.engine import Choreo
from kinesphere.ports import File, Made, Outcome, Work
from kinesphere.testing import engines

WORKS = tuple(
    Work({"prompt": prompt, "duration": 2.0, "seed": seed, "format": "bvh"})
    for seed, prompt in enumerate(("walk forward", "wave twice"))
)


class Sound:
    """An engine that keeps every rule; the others break one each."""

    def load(self, device: str) -> None:
        pass

    def warm_up(self) -> None:
        pass

    def unload(self) -> None:
        pass

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        return [
            Failure("CANCELLED", "") if cancelled(index) else self.made(index, work, report)
            for index, work in enumerate(batch)
        ]

    def made(self, index: int, work: Work, report: Callable[[int, float, str], None]) -> Outcome:
        report(index, 0.5, "writing")
        return self.written(f"{work.request['seed']}")

    def written(self, text: str) -> Outcome:
        return Made((File("words.txt", "text/plain", text.encode()),))


class CannotLoad(Sound):
    def load(self, device: str) -> None:
        raise OSError("no weights")


class UnknownCode(Sound):
    def written(self, text: str) -> Outcome:
        return Failure("OUT_OF_LUCK", text)


class LosesOne(Sound):
    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        return super().run(batch[:1], report, cancelled)


class GoesBack(Sound):
    def made(self, index: int, work: Work, report: Callable[[int, float, str], None]) -> Outcome:
        report(index, 0.9, "writing")
        return super().made(index, work, report)


class MindsCompany(Sound):
    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        self.company = len(batch)
        return super().run(batch, report, cancelled)

    def written(self, text: str) -> Outcome:
        return super().written(f"{text} of {self.company}")


class NeverStops(Sound):
    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        return super().run(batch, report, lambda _: False)


class Forgets(Sound):
    slept = False

    def sleep(self) -> None:
        self.slept = True

    def wake(self) -> None:
        pass

    def written(self, text: str) -> Outcome:
        return super().written("what was it?" if self.slept else text)


class Wanders(Sound):
    def load(self, device: str) -> None:
        os.chdir(os.sep)


@pytest.mark.parametrize(
    ("engine", "rule"),
    [
        (CannotLoad, "it loads"),
        (UnknownCode, "it makes what can be delivered"),
        (LosesOne, "it has one outcome"),
        (GoesBack, "it tells progress"),
        (MindsCompany, "equal work gives equal results"),
        (NeverStops, "work that is cancelled before"),
        (NeverStops, "the rest of a batch"),
        (Forgets, "it is the same after it slept"),
        (Wanders, "it leaves the working directory alone"),
    ],
)
def test_a_broken_rule_is_found(
    engine: type[Sound], rule: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = [each.rule for each in engines.examine(engine(), WORKS) if each.problem]
    assert any(each.startswith(rule) for each in broken), broken


def test_a_sound_engine_is_found_sound() -> None:
    assert not [each for each in engines.examine(Sound(), WORKS) if each.problem]


def test_choreo_keeps_the_rules() -> None:
    assert not [each for each in engines.examine(Choreo(), WORKS) if each.problem]


def test_the_command_tells_each_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "works.json"
    case.write_text(json.dumps({"works": [{"request": dict(work.request)} for work in WORKS]}))
    assert engines.main([f"{__name__}:Sound", str(case)]) == 0
    assert engines.main([f"{__name__}:GoesBack", str(case)]) == 1
    told = capsys.readouterr().out
    assert "BROKEN it tells progress of work that it was given, forwards: 0.5 after 0.9" in told
