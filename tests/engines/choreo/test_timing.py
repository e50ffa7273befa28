"""How time is shared out."""

import pytest

from kinesphere.engines.choreo.moves import MOVES
from kinesphere.engines.choreo.script import Action
from kinesphere.engines.choreo.style import NEUTRAL
from kinesphere.engines.choreo.timing import Turn, approach, share


def turn(verb: str, **asked: float) -> Turn:
    move = MOVES[verb]
    action = Action(verb, **asked)  # type: ignore[arg-type] # numbers only, by the tests below
    return Turn(action, move, NEUTRAL, 1.0, approach(action, move, "stand"), move.reps)


@pytest.mark.parametrize("duration", [0.5, 3.0, 8.0, 30.0])
def test_spans_fill_the_duration(duration: float) -> None:
    turns = [turn("walk"), turn("cartwheel"), turn("sit"), turn("jump", count=2.0)]

    share(turns, duration)

    assert sum(one.span for one in turns) == pytest.approx(duration)
    assert min(one.span for one in turns) > 0.0


def test_time_to_spare_goes_to_what_can_repeat() -> None:
    turns = [turn("walk"), turn("jump", count=2.0)]

    share(turns, 20.0)

    assert turns[0].reps > MOVES["walk"].reps
    assert turns[0].span > 4.0 * turns[1].span


def test_seconds_asked_for_are_given() -> None:
    turns = [turn("walk", seconds=3.0), turn("dance")]

    share(turns, 10.0)

    assert turns[0].span == pytest.approx(3.0)
    assert turns[1].span == pytest.approx(7.0)


def test_a_crowded_clip_hurries_the_cartwheel_least() -> None:
    turns = [turn("walk"), turn("cartwheel"), turn("bow")]

    natural = [one.natural for one in turns]

    share(turns, 5.0)

    hurry = [usual / one.span for usual, one in zip(natural, turns, strict=True)]
    assert hurry[1] < hurry[0]


def test_the_way_from_lying_to_walking_passes_a_seat() -> None:
    assert approach(Action("walk"), MOVES["walk"], "lie") == ["sit_floor", "stand"]
    assert approach(Action("push_up"), MOVES["push_up"], "stand") == [
        "kneel_both",
        "fours",
        "plank",
    ]
    assert approach(Action("wave"), MOVES["wave"], "sit") == []
