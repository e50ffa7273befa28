"""The rewriting stage against a service on loopback that is right, late, wrong or broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.core.failures import Failure
from kinesphere.engines.gpu.files import NotLoadable
from kinesphere.engines.hymotion.captions import CAPTION, prompt_of
from kinesphere.engines.hymotion.rewriter import Rewriter
from kinesphere.ports import Made, Outcome, Work
from tests.engines.hymotion import service as says
from tests.engines.hymotion.toy import DOUBLE


@pytest.fixture(scope="module")
def service() -> Iterator[says.Service]:
    with says.Service() as running:
        yield running


def rewriter(
    url: str, seconds: float = 60.0, key_file: str = "", source: Path = DOUBLE
) -> Rewriter:
    made = Rewriter(
        source=str(source), url=url, model="m", key_file=key_file, seconds=seconds, attempts=3
    )
    made.load("cpu")
    made.warm_up()
    return made


def ask(engine: Rewriter, *prompts: str, cancelled: frozenset[int] = frozenset()) -> list[Outcome]:
    works = [Work({"prompt": prompt}) for prompt in prompts]
    return list(engine.run(works, lambda *_: None, cancelled.__contains__))


def caption(outcome: Outcome) -> str:
    """What the sampling stage will read."""
    assert isinstance(outcome, Made) and isinstance(outcome.asset, tuple)
    (file,) = outcome.asset
    assert file.name == CAPTION
    return prompt_of(Work({"prompt": "the caller's"}, {CAPTION: file.data}))


def reason(outcome: Outcome) -> object:
    assert isinstance(outcome, Made)
    told = outcome.notes["rewriter"]
    assert isinstance(told, dict) and told["used"] is False
    return told["reason"]


def test_prompts_are_rewritten_together(service: says.Service) -> None:
    prompts = ("走路", says.FENCED, says.THOUGHTFUL, says.WRONG_ONCE, 'says "{}"')
    outcomes = ask(rewriter(service.url), *prompts)
    assert [caption(each) for each in outcomes] == [f"A person: {each}" for each in prompts]
    assert service.asked.count(says.WRONG_ONCE) == 2
    for outcome in outcomes:
        assert isinstance(outcome, Made)
        told = outcome.notes["rewriter"]
        assert isinstance(told, dict) and told["suggested_duration"] == 3.0


def test_what_goes_wrong_costs_a_note(
    service: says.Service, capfd: pytest.CaptureFixture[str]
) -> None:
    prompts = (says.LONG_WINDED, says.WRONG, says.BROKEN, says.ENDLESS, "right")
    (late,) = ask(rewriter(service.url, seconds=0.3), prompts[0])
    wrong, broken, endless, right = ask(rewriter(service.url, seconds=60.0), *prompts[1:])
    assert reason(late) == "it did not answer within 0.3 s"
    assert reason(wrong) == "its answer has no caption"
    assert reason(broken) == "it answered 500"
    assert reason(endless) == "its answer is too long"
    assert caption(right) == "A person: right"
    own = [caption(each) for each in (late, wrong, broken, endless)]
    assert own == list(prompts[:4])
    assert service.asked.count(says.BROKEN) == 3
    printed = capfd.readouterr().err
    assert "a prompt is not rewritten" in printed
    assert not any(prompt in printed for prompt in prompts)


def test_nobody_there_costs_a_note() -> None:
    (outcome,) = ask(rewriter("http://127.0.0.1:9/v1", seconds=60.0), "walk")
    assert reason(outcome) == "it could not be asked (ConnectError)"
    assert caption(outcome) == "walk"


def test_a_cancelled_prompt_is_let_go_and_the_others_come(service: says.Service) -> None:
    engine = rewriter(service.url, seconds=60.0)
    gone, right = ask(engine, says.LONG_WINDED, "right", cancelled=frozenset({0}))
    assert isinstance(gone, Failure) and gone.code == "CANCELLED"
    assert caption(right) == "A person: right"


def test_a_rewriter_without_its_question_or_key_is_not_set_up(tmp_path: Path) -> None:
    with pytest.raises(NotLoadable, match="MODEL_FILES_MISSING"):
        rewriter("http://127.0.0.1:9/v1", key_file=str(tmp_path / "none"))


def test_without_a_rewriter_the_callers_words_are_sampled() -> None:
    assert prompt_of(Work({"prompt": "the caller's"})) == "the caller's"
