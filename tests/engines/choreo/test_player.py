"""What a script promises and the clip keeps."""

import numpy as np
import pytest

from kinesphere.engines.choreo.moves import MOVES
from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.script import STYLES, VERBS, Action, Script, Side
from kinesphere.formats.clip import STANDARD, Clip
from kinesphere.quality import judge
from tests.engines.choreo.playing import heading, joints, peaks, performed, sequence

CALM = {"idle", "stand", "lie", "nod", "shake_head"}
"""Verbs that move less than 5 cm in a short clip."""


def faults(clip: Clip, *, calm: bool = False) -> list[str]:
    """Every measure that fails, and each that only warns in a clip of natural length."""
    report = judge(clip, idle_asked=calm)
    worst = ("fail",) if clip.duration < 4.0 else ("fail", "warn")
    return [f"{m.name} {m.value}" for m in report.measures if m.verdict in worst]


def test_there_is_one_move_for_each_verb() -> None:
    assert set(MOVES) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("duration", "side"), [(0.5, None), (2.0, "left"), (5.0, "right"), (5.0, None), (9.0, "both")]
)
def test_every_verb_moves_like_a_body(verb: str, duration: float, side: Side | None) -> None:
    clip = performed(verb, duration, seed=round(duration), side=side)

    assert clip.frames == round(duration * 30)
    assert clip.skeleton is STANDARD
    assert faults(clip, calm=verb in CALM) == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("verb", ["walk", "wave", "jump", "idle"])
def test_every_style_moves_like_a_body(style: str, verb: str) -> None:
    assert faults(performed(verb, 4.0, styles=(style,)), calm=verb == "idle") == []


@pytest.mark.parametrize("duration", [0.1, 0.5, 1.0, 3.3, 7.77, 30.0])
def test_a_clip_lasts_as_asked(duration: float) -> None:
    script = Script(tuple(Action(verb) for verb in ("walk", "jump", "sit", "wave", "cartwheel")))

    clip = play(script, duration, 1)

    assert clip.frames == round(duration * 30)
    assert np.isfinite(clip.translation).all()
    assert np.isfinite(clip.rotation).all()


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_other_frame_rates_play_the_same_motion(fps: float) -> None:
    script = Script((Action("walk"), Action("kick")))

    clip, usual = play(script, 4.0, 1, fps), play(script, 4.0, 1)

    assert clip.frames == 4 * fps
    assert np.linalg.norm(clip.translation[-1] - usual.translation[-1]) < 0.05


def test_figure_starts_at_the_origin_facing_ahead() -> None:
    for verb in VERBS:
        clip = performed(verb, 2.0)
        assert np.hypot(*clip.translation[0, [0, 2]]) < 0.1, verb
        assert clip.rotation[0, 0, 2, 2] > 0.9, verb


def test_the_same_seed_gives_the_same_bytes() -> None:
    script = Script((Action("dance"), Action("walk", overlay=(Action("wave"),)), Action("bow")))

    first, second = play(script, 6.0, 42), play(script, 6.0, 42)

    assert first.rotation.tobytes() == second.rotation.tobytes()
    assert first.translation.tobytes() == second.translation.tobytes()


@pytest.mark.parametrize("verb", ["walk", "wave", "dance", "punch", "kneel", "sit", "bow"])
def test_other_seeds_differ_visibly(verb: str) -> None:
    clips = [joints(performed(verb, 5.0, seed=seed)) for seed in range(6)]

    apart = [np.linalg.norm(a - b, axis=2).max() for i, a in enumerate(clips) for b in clips[:i]]

    assert min(apart) > 0.03
    assert np.max(apart) > 0.12


def test_seeds_dance_other_phrases() -> None:
    waists = [performed("dance", 10.0, seed=seed).rotation[:, 0] for seed in range(6)]

    alike = [np.abs(a - b).mean() < 0.02 for i, a in enumerate(waists) for b in waists[:i]]

    assert not any(alike)


def test_actions_come_in_order() -> None:
    clip = sequence("jump", "kneel", duration=5.0)
    height = clip.translation[:, 1]

    assert np.argmax(height) < np.argmin(height)
    assert height[-1] < 0.6


@pytest.mark.parametrize("verb", ["kneel", "sit", "sit_floor", "lie", "crouch", "crawl", "push_up"])
def test_the_figure_stands_up_before_it_walks(verb: str) -> None:
    clip = sequence(verb, "walk", duration=11.0)

    assert clip.translation[:, 1].min() < 0.65
    assert clip.translation[-1, 1] > 0.88
    assert np.abs(np.diff(clip.translation, axis=0)).max() < 0.12
    assert faults(clip) == []


def test_arms_do_not_return_to_the_rest_pose_between_actions() -> None:
    clip = sequence("cross_arms", "bow", duration=6.0)
    upper = clip.rotation[:, 16, 1, 0]

    # A T-pose has the upper arm level: its direction's Y is 0, a hanging arm's is near -1.
    assert np.all(upper[:] < -0.3)


def test_a_wave_on_the_knees_stays_on_the_knees() -> None:
    clip = sequence("kneel", "wave", duration=6.0)

    assert clip.translation[-30:, 1].max() < 0.6
    assert joints(clip)[90:, [20, 21], 1].max() > 1.0


@pytest.mark.parametrize(("side", "hand", "other"), [("left", 20, 21), ("right", 21, 20)])
def test_a_wave_moves_the_hand_that_was_asked(side: Side, hand: int, other: int) -> None:
    position = joints(performed("wave", 4.0, side=side))

    assert position[:, hand, 1].max() > 1.45
    assert position[:, other, 1].max() < 1.1


@pytest.mark.parametrize(("side", "foot"), [("left", 10), ("right", 11)])
def test_a_kick_moves_the_foot_that_was_asked(side: Side, foot: int) -> None:
    position = joints(performed("kick", 3.0, side=side))

    assert position[:, foot, 1].max() > 0.6
    assert position[:, 21 - foot, 1].max() < 0.1


@pytest.mark.parametrize(("side", "knee", "other"), [("left", 4, 5), ("right", 5, 4)])
def test_a_kneel_is_on_one_knee_with_the_other_foot_planted(
    side: Side, knee: int, other: int
) -> None:
    position = joints(performed("kneel", 5.0, side=side))[-1]

    assert position[knee, 1] < 0.1
    assert position[other, 1] > 0.4
    assert position[other + 6, 1] < 0.03
    assert position[other + 6, 2] > position[0, 2] > position[knee + 6, 2]


def test_both_knees_go_down_when_asked() -> None:
    position = joints(performed("kneel", 5.0, side="both"))[-1]

    assert position[[4, 5], 1].max() < 0.12


@pytest.mark.parametrize("count", [1, 2, 3])
def test_jumps_are_counted(count: int) -> None:
    clip = performed("jump", 2.0 + 1.5 * count, count=float(count))

    assert int((np.diff((clip.translation[:, 1] > 1.05) * 1) > 0).sum()) == count
    assert int((np.diff((joints(clip)[:, [10, 11], 1].min(axis=1) > 0.06) * 1) > 0).sum()) == count


@pytest.mark.parametrize("count", [2, 3, 5])
def test_waves_are_counted(count: int) -> None:
    position = joints(performed("wave", 5.0, side="left", count=float(count)))
    raised = position[:, 20, 1] > 1.4

    assert peaks(position[raised, 20, 0], 0.08) == count


@pytest.mark.parametrize("count", [1, 3])
def test_squats_are_counted(count: int) -> None:
    assert peaks(-performed("squat", 6.0, count=float(count)).translation[:, 1], 0.2) == count


@pytest.mark.parametrize(("count", "degrees"), [(1.0, 360.0), (2.0, 720.0), (0.5, 180.0)])
def test_a_spin_turns_as_often_as_asked(count: float, degrees: float) -> None:
    turned = heading(performed("spin", 6.0, count=count, direction="left"))

    assert turned[-1] - turned[0] == pytest.approx(degrees, abs=6.0)


@pytest.mark.parametrize(("direction", "sign"), [("left", 1.0), ("right", -1.0)])
def test_a_turn_goes_where_asked(direction: str, sign: float) -> None:
    turned = heading(performed("turn", 3.0, direction=direction, degrees=90.0))

    assert turned[-1] == pytest.approx(90.0 * sign, abs=5.0)


@pytest.mark.parametrize(
    ("verb", "direction", "axis", "sign"),
    [
        ("walk", "forward", 2, 1), ("walk", "backward", 2, -1), ("sidestep", "left", 0, 1),
        ("sidestep", "right", 0, -1), ("run", "forward", 2, 1), ("jump", "forward", 2, 1),
        ("dodge", "left", 0, 1), ("crawl", "forward", 2, 1), ("walk", "left", 0, 1),
        ("jump", "backward", 2, -1), ("cartwheel", "right", 0, -1), ("skip", None, 2, 1),
    ],
)  # fmt: skip
def test_travel_goes_where_asked(verb: str, direction: str, axis: int, sign: int) -> None:
    clip = performed(verb, 5.0, direction=direction)

    assert sign * clip.translation[-1, axis] > 0.25


def test_walking_backward_keeps_the_face_ahead() -> None:
    assert np.abs(heading(performed("walk", 4.0, direction="backward"))).max() < 15.0


def test_a_circle_is_a_circle() -> None:
    clip = performed("walk", 9.0, path="circle", direction="left")
    path = clip.translation[:, [0, 2]]
    system = np.column_stack([2.0 * path, np.ones(len(path))])
    centre = np.linalg.lstsq(system, (path**2).sum(axis=1), rcond=None)[0]
    radius = np.linalg.norm(path - centre[:2], axis=1)

    assert radius.std() / radius.mean() < 0.05
    assert centre[0] > 0.4
    assert np.linalg.norm(path[-1] - path[0]) < 0.3
    assert heading(clip)[-1] == pytest.approx(360.0, abs=15.0)


def test_a_zigzag_turns_both_ways() -> None:
    turned = heading(performed("walk", 8.0, path="zigzag"))

    assert turned.max() > 25.0
    assert turned.min() < -25.0


def test_walking_in_place_stays() -> None:
    assert np.abs(performed("march", 5.0, path="in_place").translation[:, [0, 2]]).max() < 0.12


def test_an_overlay_moves_the_arms_and_leaves_the_legs() -> None:
    plain = performed("walk", 5.0)
    laid = performed("walk", 5.0, overlay=(Action("wave", side="left"),))

    assert joints(laid)[:, 20, 1].max() > 1.4 > joints(plain)[:, 20, 1].max()
    assert np.abs(plain.translation - laid.translation).max() < 1e-9
    assert (
        np.abs(plain.rotation[:, [1, 2, 4, 5, 7, 8]] - laid.rotation[:, [1, 2, 4, 5, 7, 8]]).max()
        < 1e-9
    )


def test_seconds_are_kept() -> None:
    script = Script((Action("idle", seconds=2.0), Action("walk")))

    moved = np.linalg.norm(play(script, 6.0, 2).translation[:, [0, 2]], axis=1) > 0.15

    assert 1.9 < np.argmax(moved) / 30.0 < 3.2


def test_speed_and_amplitude_are_seen() -> None:
    slow, fast = (performed("walk", 5.0, speed=speed) for speed in (0.6, 1.5))
    small, large = (joints(performed("wave", 4.0, amplitude=size)) for size in (0.5, 1.3))

    assert fast.translation[-1, 2] > 1.5 * slow.translation[-1, 2]
    assert np.ptp(large[40:80, 20:22, 0]) > np.ptp(small[40:80, 20:22, 0])


def test_five_verbs_in_half_a_second_make_a_whole_clip() -> None:
    script = Script(tuple(Action(verb) for verb in ("run", "cartwheel", "lie", "stand", "dance")))

    clip = play(script, 0.5, 7)

    identity = clip.rotation @ np.swapaxes(clip.rotation, -1, -2)
    assert np.abs(identity - np.eye(3)).max() < 1e-9
    assert joints(clip)[..., 1].min() > -0.05
