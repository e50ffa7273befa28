"""Prompts and requests: what is allowed, and what is said of the rest."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core import prompts
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.failures import Rejected
from kinesphere.core.requests import LARGEST_SEED, MotionAsk, check_motion, choose

MODEL = Model(
    name="choreo", version="1", task="motion", title="t", stages=(Stage("", "m:E"),),
    formats=("bvh", "npz"), durations=(0.5, 30.0),
)  # fmt: skip
WAVE = MotionAsk(prompt="wave")


def rejected(ask: MotionAsk) -> Rejected:
    with pytest.raises(Rejected) as error:
        check_motion(ask, MODEL, now=1000.0)
    return error.value


def test_a_right_request_is_kept_as_asked() -> None:
    ask = MotionAsk(prompt=" 挥手 ", duration=2, seed=7, format="npz")
    assert check_motion(ask, MODEL, 0.0) == {
        "prompt": " 挥手 ", "duration": 2, "seed": 7, "format": "npz",
    }  # fmt: skip
    assert check_motion(WAVE, MODEL, 0.0)["format"] == "bvh"


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("", "INVALID_REQUEST"),
        (" \n\t ", "INVALID_REQUEST"),
        ("wave\x00", "INVALID_REQUEST"),
        ("wave \ud800", "INVALID_REQUEST"),
        ("\x1b[31mwave", "INVALID_REQUEST"),
        ("walk " * 31, "PROMPT_TOO_LONG"),
        ("跳" * 61, "PROMPT_TOO_LONG"),
        ("walk " * 16 + "跳" * 31, "PROMPT_TOO_LONG"),
        ("walk " * 10_000, "PROMPT_TOO_LONG"),
    ],
)
def test_prompts_that_are_not_taken(prompt: str, code: str) -> None:
    error = rejected(replace(WAVE, prompt=prompt))
    assert error.code == code
    assert error.fields[0].field == "prompt"
    assert error.fields[0].allowed


@pytest.mark.parametrize(
    "prompt", ["walk " * 30, "跳" * 60, "walk " * 15 + "跳" * 30, "don't — stop!", "走\n跳"]
)
def test_prompts_at_the_limit_are_taken(prompt: str) -> None:
    prompts.check(prompt, MODEL)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"duration": -1.0}, "duration"),
        ({"duration": math.nan}, "duration"),
        ({"duration": math.inf}, "duration"),
        ({"duration": 1e9}, "duration"),
        ({"duration": 0.49}, "duration"),
        ({"seed": -1}, "seed"),
        ({"seed": LARGEST_SEED + 1}, "seed"),
        ({"format": "exe"}, "format"),
        ({"priority": 10}, "priority"),
        ({"priority": -1}, "priority"),
        ({"deadline": 999.0}, "deadline"),
        ({"deadline": math.nan}, "deadline"),
    ],
)
def test_each_wrong_field_is_named_with_what_is_allowed(
    change: dict[str, float], field: str
) -> None:
    error = rejected(replace(WAVE, **change))  # type: ignore[arg-type] # one field at a time
    assert error.code == "INVALID_REQUEST"
    assert [f.field for f in error.fields] == [field]
    assert error.fields[0].allowed


def test_all_wrong_fields_are_named_at_once() -> None:
    error = rejected(replace(WAVE, duration=99.0, seed=-1, format="x"))
    assert [f.field for f in error.fields] == ["duration", "seed", "format"]


def test_the_best_model_answers_unless_another_is_named() -> None:
    better = replace(MODEL, name="hy-motion-1.0", rank=10)
    catalog = Catalog((MODEL, better))
    assert choose(catalog, "motion", None) is better
    assert choose(catalog, "motion", "choreo") is MODEL
    for task, name in (("motion", "nobody"), ("mesh", None), ("mesh", "choreo")):
        with pytest.raises(Rejected) as error:
            choose(catalog, task, name)  # type: ignore[arg-type] # a row of a table
        assert error.value.code == "MODEL_UNKNOWN"


@given(st.text(max_size=300))
def test_any_text_is_taken_or_rejected_with_a_field(prompt: str) -> None:
    try:
        prompts.check(prompt, MODEL)
    except Rejected as error:
        assert error.fields[0].field == "prompt"
    else:
        assert prompts.digest(prompt) == prompts.digest(f"  {prompt}\n")


def test_equal_prompts_have_one_digest() -> None:
    assert prompts.digest("Wave  ＴＷＩＣＥ") == prompts.digest("wave twice")
    assert prompts.digest("wave twice") != prompts.digest("wave thrice")


def test_equal_requests_have_one_digest_and_others_do_not() -> None:
    assert WAVE.digest() == MotionAsk(prompt="wave").digest()
    assert WAVE.digest() != replace(WAVE, seed=0).digest()
