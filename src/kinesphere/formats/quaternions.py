"""Unit quaternions as glTF has them: the scalar last, continuous over time."""

import numpy as np

from kinesphere.formats.clip import Floats
from kinesphere.formats.rotation import to_quaternion


def continuous_quaternions(rotation: Floats) -> Floats:
    """Unit quaternions (T, J, 4), x y z w, of rotations (T, J, 3, 3) over time.

    Of the two that mean one rotation the one nearest to the frame before is taken, so that
    players which interpolate turn the short way.
    """
    turns = np.roll(to_quaternion(rotation), -1, axis=-1)
    against = np.einsum("tji,tji->tj", turns[1:], turns[:-1]) < 0.0
    turns[1:][np.cumsum(against, axis=0) % 2 == 1] *= -1.0
    return turns


def matrices(turns: Floats) -> Floats:
    """Rotations (..., 3, 3) of unit quaternions (..., 4), x y z w."""
    x, y, z, w = np.moveaxis(turns, -1, 0)
    rows = (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)),
        (2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)),
        (2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
