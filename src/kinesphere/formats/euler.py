"""Rotation matrices to Euler angles and back, in the order that BVH and FBX files use."""

from collections.abc import Sequence

import numpy as np

from kinesphere.formats.clip import Floats

LOCKED = 1e-7
"""Cosine of the middle angle under which the outer two turn about one axis: gimbal lock."""


def zxy_degrees(rotation: Floats) -> Floats:
    """Continuous angles of R = Rz Rx Ry.

    Each rotation has two triples of angles, and each angle any number of turns; of these the one
    nearest to the frame before is taken, so that players which interpolate angles turn the short
    way. In gimbal lock Y keeps its last value.

    Args:
        rotation: (T, J, 3, 3) rotations over time.

    Returns:
        (T, J, 3) degrees about Z, X and Y.
    """
    horizontal = np.hypot(rotation[..., 2, 0], rotation[..., 2, 2])
    x = np.arctan2(rotation[..., 2, 1], horizontal)
    y = np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    z = np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    locked = horizontal < LOCKED
    if locked.any():
        frames = np.arange(len(rotation))[:, None]
        held = np.maximum.accumulate(np.where(locked, 0, frames), axis=0)
        y = np.where(locked[0] & (held == 0), 0.0, np.take_along_axis(y, held, axis=0))
        both = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
        z = np.where(locked, both - np.sign(x) * y, z)
    return _continuous(np.degrees(np.stack((z, x, y), axis=-1)))


def _continuous(angles: Floats) -> Floats:
    """The same rotations by angles without leaps, (T, J, 3) degrees."""
    flipped = angles * [1.0, -1.0, 1.0] + 180.0
    kept = np.abs(_wrapped(angles[1:] - angles[:-1])).sum(axis=-1)
    changed = np.abs(_wrapped(flipped[1:] - angles[:-1])).sum(axis=-1)
    # Taking the other triple in both frames leaves their distance as it is, so whether a frame
    # takes the other triple than the frame before does not depend on which that one took.
    toggled = np.cumsum(changed < kept, axis=0) % 2 == 1
    angles[1:][toggled] = flipped[1:][toggled]
    turns = np.rint((angles[1:] - angles[:-1]) / 360.0)
    angles[1:] -= 360.0 * np.cumsum(turns, axis=0)
    return angles


def _wrapped(angle: Floats) -> Floats:
    return np.asarray(angle - 360.0 * np.rint(angle / 360.0))


def from_degrees(angles: Floats, axes: Sequence[int]) -> Floats:
    """Rotations of which each turns about the axes that those before it have turned.

    Args:
        angles: (..., N) degrees.
        axes: N axes, 0 for X, 1 for Y, 2 for Z; any number, any order.

    Returns:
        (..., 3, 3).
    """
    # Columns of the matrices lie apart, each entry contiguous over all rotations.
    radians = np.radians(np.moveaxis(angles, -1, 0), order="C")
    sines, cosines = np.sin(radians), np.cos(radians)
    columns = np.zeros((3, 3, *angles.shape[:-1]))
    for axis in range(3):
        columns[axis, axis] = 1.0
    for number, (axis, sine, cosine) in enumerate(zip(axes, sines, cosines, strict=True)):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        if number == 0:
            columns[one, one], columns[other, other] = cosine, cosine
            columns[one, other], columns[other, one] = sine, -sine
            continue
        first, second = columns[one], columns[other]
        columns[one], columns[other] = (
            cosine * first + sine * second,
            cosine * second - sine * first,
        )
    return np.ascontiguousarray(np.moveaxis(columns, (1, 0), (-2, -1)))
