"""Each manner changes posture, tempo and size the way its name says."""

import numpy as np
import pytest

from kinesphere.engines.choreo.script import STYLES
from kinesphere.engines.choreo.style import MANNERS, NEUTRAL, style_of
from kinesphere.formats.clip import Clip
from tests.engines.choreo.playing import joints, performed


def stoop(clip: Clip) -> float:
    """How far the head is ahead of the pelvis, m, on average."""
    position = joints(clip)
    return float((position[:, 15, 2] - position[:, 0, 2]).mean())


def arm_swing(clip: Clip) -> float:
    position = joints(clip)
    return float(np.ptp(position[40:100, 20, 2] - position[40:100, 0, 2]))


def test_there_is_a_manner_for_every_style() -> None:
    assert set(MANNERS) == set(STYLES)
    assert style_of(()) == NEUTRAL


def test_the_second_style_counts_half() -> None:
    both = style_of(("tired", "proud"))

    assert both.bend == pytest.approx(MANNERS["tired"].bend + 0.5 * MANNERS["proud"].bend)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_visible(style: str) -> None:
    plain, styled = joints(performed("walk")), joints(performed("walk", styles=(style,)))
    body = plain - plain[:, :1], styled - styled[:, :1]

    assert np.linalg.norm(body[0] - body[1], axis=2).mean() > 0.025


@pytest.mark.parametrize(
    ("style", "stooped", "fast"),
    [("tired", True, False), ("sad", True, False), ("old", True, False), ("angry", True, True),
     ("proud", False, None), ("happy", False, True), ("sneaky", True, False)],
)  # fmt: skip
def test_posture_and_tempo(style: str, stooped: bool, fast: bool | None) -> None:
    plain, styled = performed("walk", 5.0), performed("walk", 5.0, styles=(style,))

    assert (stoop(styled) > stoop(plain) + 0.015) is stooped
    if fast is not None:
        ratio = float(styled.translation[-1, 2] / plain.translation[-1, 2])
        assert ratio > 1.05 if fast else ratio < 0.9


def test_arms_hang_when_tired_and_swing_when_happy() -> None:
    tired, plain, happy = (
        arm_swing(performed("walk", 5.0, styles=styles)) for styles in (("tired",), (), ("happy",))
    )

    assert tired < 0.7 * plain < plain < happy


def test_a_robot_moves_by_starts_and_stops() -> None:
    def stillness(clip: Clip) -> float:
        hand = joints(clip)[:, 21]
        speed = np.linalg.norm(np.diff(hand, axis=0), axis=1)
        return float((speed < 0.1 * speed.max()).mean())

    plain = performed("conduct", 6.0, side="right")
    robot = performed("conduct", 6.0, side="right", styles=("robotic",))

    assert stillness(robot) > 1.3 * stillness(plain)
