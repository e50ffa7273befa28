"""Inverse kinematics, joint limits and the rig that joins them."""

import numpy as np
import pytest

from kinesphere.engines.choreo.arms import FORE, UPPER, reach
from kinesphere.engines.choreo.channels import REST, arm_values
from kinesphere.engines.choreo.limbs import soft_length, two_bone
from kinesphere.engines.choreo.limits import clamp
from kinesphere.engines.choreo.rig import GROUND, Feet, solve
from kinesphere.engines.choreo.rotation import (
    from_quaternion,
    from_vector,
    to_quaternion,
    to_vector,
)
from kinesphere.formats.clip import Clip, Floats, forward
from kinesphere.quality.limits import limits


def standing(**changed: float) -> Clip:
    frames = 3
    channels = {name: np.full(frames, value) for name, value in REST.items()}
    for name, value in changed.items():
        channels[name.replace("_", ".")] = np.full(frames, value)
    feet = {
        side: Feet(np.tile([sign * 0.1, GROUND, 0.075], (frames, 1)), np.full(frames, 8.0 * sign))
        for side, sign in (("l", 1.0), ("r", -1.0))
    }
    return solve(channels, feet, 30.0)


def some_rotations(count: int = 200) -> Floats:
    rng = np.random.default_rng(5)
    return from_vector(rng.normal(0.0, 1.2, (count, 3)))


def test_rotations_survive_quaternions_and_vectors() -> None:
    rotation = some_rotations()

    assert from_quaternion(to_quaternion(rotation)) == pytest.approx(rotation)
    assert from_vector(to_vector(rotation)) == pytest.approx(rotation)


def test_a_limb_reaches_its_target_with_a_hinge() -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(0.0, 0.2, (50, 3)) + np.array([0.0, -0.5, 0.0])
    root, pole = np.zeros((50, 3)), np.tile([0.0, 0.1, 1.0], (50, 1))
    limb = two_bone(root, target, pole, 0.41, 0.42, most=148.0)
    distance = np.linalg.norm(target, axis=1)
    reached = (distance < 0.98 * 0.83) & (distance > 0.24)

    end = 0.41 * limb.upper + 0.42 * limb.lower
    assert end == pytest.approx(limb.end)
    assert limb.end[reached] == pytest.approx(target[reached], abs=1e-6)
    assert np.abs(np.sum(limb.hinge * limb.upper, axis=1)).max() < 1e-9
    assert np.abs(np.sum(limb.hinge * limb.lower, axis=1)).max() < 1e-6


def test_a_limb_never_becomes_straight() -> None:
    length = soft_length(np.linspace(0.0, 3.0, 3001), 0.83)

    assert length.max() <= 0.83
    assert np.all(np.diff(length) >= 0.0)
    assert np.abs(np.diff(length, 2)).max() < 1e-3


def test_standing_at_ease_is_upright_on_planted_feet() -> None:
    position, _ = forward(standing())

    assert position[0, 15, 1] > 1.45
    assert position[0, [10, 11], 1] == pytest.approx(GROUND, abs=0.01)
    assert position[0, 20, 1] < 1.0
    assert position[0, 20, 0] > 0.15


def test_left_and_right_are_mirror_images() -> None:
    position, _ = forward(standing())
    left, right = position[0, [4, 7, 10, 18, 20]], position[0, [5, 8, 11, 19, 21]]

    assert left * [-1.0, 1.0, 1.0] == pytest.approx(right, abs=1e-9)


def test_a_foot_out_of_reach_raises_its_heel_then_lowers_the_pelvis() -> None:
    position, _ = forward(standing(y=1.0))

    assert position[0, 10, 1] == pytest.approx(GROUND, abs=0.012)
    assert position[0, 7, 1] > 0.075


def test_a_hand_does_not_enter_the_trunk() -> None:
    inside = reach(-0.16, -0.25, 0.03)
    values = {name.replace(".", "_"): value for name, value in arm_values("l", inside).items()}

    position, world = forward(standing(**values))
    hand = world[0, 9].T @ (position[0, 20] - position[0, 9])

    assert np.hypot(hand[0], hand[2]) > 0.12


def test_arm_poses_are_solved_to_their_targets() -> None:
    arm = reach(0.1, -0.1, 0.3)
    values = {name.replace(".", "_"): value for name, value in arm_values("l", arm).items()}

    position, world = forward(standing(**values))
    hand = world[0, 9].T @ (position[0, 20] - position[0, 16])

    assert hand == pytest.approx([0.1, -0.1, 0.3], abs=0.01)


def test_arm_poses_stay_clear_of_the_half_turn() -> None:
    for out in (-0.3, 0.0, 0.4):
        for up in (-0.5, 0.0, 0.5):
            for ahead in (0.1, 0.4):
                arm = reach(out, up, ahead, (0.8, -0.8, -0.4))
                assert np.linalg.norm(arm.turn) < np.radians(178.0)
                assert 0.0 < arm.elbow < 150.0
    assert pytest.approx(0.53) == UPPER + FORE


def test_clamped_joints_are_within_their_limits() -> None:
    wild = np.broadcast_to(np.eye(3), (200, 22, 3, 3)).copy()
    rng = np.random.default_rng(9)
    for joint in (7, 8, 20, 21):
        wild[:, joint] = from_vector(rng.normal(0.0, 0.6, (200, 3)))

    clamp(wild)

    measures, _ = limits(Clip(np.zeros((200, 3)), wild), exact=False)
    worst = {measure.name: measure.value for measure in measures}
    assert (worst["limit_wrist"] or 0.0) <= 10.0
    assert (worst["limit_ankle"] or 0.0) <= 10.0


def test_clamping_leaves_what_is_in_range_alone() -> None:
    clip = standing()
    before = clip.rotation.copy()

    clamp(clip.rotation)

    assert np.array_equal(before, clip.rotation)
