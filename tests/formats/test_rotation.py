"""The algebra of rotations against SciPy's, near every turn where formulas lose precision."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesphere.formats import rotation
from kinesphere.formats.clip import Floats

AXES = [(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)]
TURNS = [0.0, 1e-9, 1e-4, 1.0, 2.0, 2.1, np.pi - 1e-9]


def scipys(turns: Rotation) -> Floats:
    """Quaternions with the scalar first and not negative."""
    return np.asarray(turns.as_quat(canonical=True, scalar_first=True))


def random_turns(count: int = 200) -> Rotation:
    return Rotation.random(count, rng=np.random.default_rng(5))


def special_turns() -> Rotation:
    """About the axes and between them, from none to nearly half a turn."""
    axes = np.array([*AXES, (0.6, 0.8, 0.0), (0.6, 0.0, -0.8), (-0.48, 0.6, 0.64)])
    return Rotation.from_rotvec((np.array(TURNS)[:, None, None] * axes).reshape(-1, 3))


@pytest.mark.parametrize("turns", [random_turns(), special_turns()])
def test_conversions_agree_with_scipy(turns: Rotation) -> None:
    matrix, vector = turns.as_matrix(), turns.as_rotvec()
    np.testing.assert_allclose(rotation.to_quaternion(matrix), scipys(turns), atol=1e-15)
    np.testing.assert_allclose(rotation.to_vector(matrix), vector, atol=1e-14)
    np.testing.assert_allclose(rotation.from_vector(vector), matrix, atol=1e-15)


@pytest.mark.parametrize("axis", [*AXES, (0.6, 0.8, 0.0), (-0.48, 0.6, 0.64)])
def test_exact_half_turns_keep_their_axis(axis: tuple[float, float, float]) -> None:
    along = np.array(axis)
    vector = rotation.to_vector(2.0 * np.outer(along, along) - np.eye(3))
    assert np.linalg.norm(vector) == pytest.approx(np.pi)
    np.testing.assert_allclose(np.abs(vector), np.pi * np.abs(along), atol=1e-15)


def test_leading_axes_are_kept_and_may_be_empty() -> None:
    matrix = random_turns(24).as_matrix().reshape(2, 3, 4, 3, 3)
    vector = rotation.to_vector(matrix)
    assert vector.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(rotation.from_vector(vector), matrix, atol=1e-14)
    assert rotation.deviation(matrix).shape == (2, 3, 4)
    assert rotation.to_vector(np.zeros((0, 3, 3))).shape == (0, 3)
    assert rotation.orthonormal(np.zeros((0, 3, 3))).shape == (0, 3, 3)


def test_products_turn_by_the_second_first() -> None:
    first, second = random_turns(), random_turns()[::-1]
    product = rotation.multiply(scipys(first), scipys(second))
    expected = scipys(first * second)
    np.testing.assert_allclose(product * np.sign(product[:, :1]), expected, atol=1e-15)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("turns", [random_turns(), special_turns()])
def test_swing_after_twist_is_the_rotation(turns: Rotation, axis: tuple[float, ...]) -> None:
    about = np.array(axis)
    swing, twist = rotation.swing_twist(scipys(turns), about)
    np.testing.assert_allclose(swing @ about, 0.0, atol=1e-14)
    np.testing.assert_array_equal(twist, rotation.twist(scipys(turns), about))
    again = Rotation.from_rotvec(swing) * Rotation.from_rotvec(twist[:, None] * about)
    np.testing.assert_allclose(again.as_matrix(), turns.as_matrix(), atol=1e-14)


def test_a_half_turn_across_the_axis_has_no_twist() -> None:
    swing, twist = rotation.swing_twist(np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(swing, [np.pi, 0.0, 0.0])
    assert twist == 0.0


@given(seed=st.integers(0, 2**32), noise=st.floats(0.0, 0.02))
@example(seed=0, noise=1e-7)
def test_the_nearest_rotation_is_that_of_the_singular_values(seed: int, noise: float) -> None:
    draw = np.random.default_rng(seed)
    matrix = Rotation.random(9, rng=draw).as_matrix() + draw.uniform(-noise, noise, (9, 3, 3))
    left, _, right = np.linalg.svd(matrix)
    nearest = rotation.orthonormal(matrix)
    np.testing.assert_allclose(nearest, left @ right, atol=1e-12)
    assert rotation.deviation(nearest).max() < 1e-11


def test_deviation_is_of_lengths_angles_and_handedness() -> None:
    matrices = np.array(
        [
            np.eye(3),
            np.diag([1.0, 1.01, 1.0]),
            np.eye(3) + 0.2 * np.eye(3, k=2),
            np.diag([-1.0, 1.0, 1.0]),
        ]
    )
    np.testing.assert_allclose(rotation.deviation(matrices), [0.0, 0.0201, 0.2, 2.0], atol=1e-15)
