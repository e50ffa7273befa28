"""Algebra of rotations, all at once over any leading axes.

Matrices (..., 3, 3) act on column vectors, quaternions (..., 4) are unit ones with the scalar
first, and rotation vectors (..., 3) are in radians.
"""

from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats

Vectors = tuple[Floats, Floats, Floats]
"""Their first, second and third entries."""

EXACT: Final = 1e-12
"""Deviation up to which a matrix counts as a rotation in double precision."""


def deviation(matrix: Floats) -> Floats:
    """How far matrices are from rotations, (...): the largest of |MᵀM - 1| and |det M - 1|."""
    entries = np.ascontiguousarray(np.moveaxis(matrix, (-1, -2), (0, 1)))
    first, second, third = ((x, y, z) for x, y, z in entries)
    worst = np.abs(_dot(first, first) - 1.0)
    for one, other, wanted in (
        (second, second, 1.0), (third, third, 1.0),
        (first, second, 0.0), (first, third, 0.0), (second, third, 0.0),
        (first, _cross(second, third), 1.0),
    ):  # fmt: skip
        np.maximum(worst, np.abs(_dot(one, other) - wanted), out=worst)
    return worst


def _dot(one: Vectors, other: Vectors) -> Floats:
    return np.asarray(one[0] * other[0] + one[1] * other[1] + one[2] * other[2])


def _cross(one: Vectors, other: Vectors) -> Vectors:
    (a, b, c), (x, y, z) = one, other
    return b * z - c * y, c * x - a * z, a * y - b * x


def orthonormal(matrix: Floats) -> Floats:
    """The rotations nearest to matrices whose `deviation` is at most 0.1, in the least squares.

    The Newton-Schulz iteration towards the orthogonal factor of the polar decomposition: each
    step squares the error, so single precision takes one and the worst case five.
    """
    # Each entry contiguous over all matrices, several times as fast as many small products.
    entries = np.ascontiguousarray(np.moveaxis(matrix, (-2, -1), (0, 1)))
    one = np.eye(3).reshape(3, 3, *(1,) * (matrix.ndim - 2))
    for _ in range(5):
        excess = np.einsum("ki...,kj...->ij...", entries, entries) - one
        if np.abs(excess).max(initial=0.0) < EXACT:
            break
        entries = entries - 0.5 * np.einsum("ik...,kj...->ij...", entries, excess)
    return np.ascontiguousarray(np.moveaxis(entries, (0, 1), (-2, -1)))


def to_quaternion(matrix: Floats) -> Floats:
    """Quaternions of rotations, the scalar not negative.

    The scalar is the pivot where it is at least a half, else the largest of the other three
    (Shepperd, 1978), so that half turns lose no precision.
    """
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    quaternion = np.empty((*trace.shape, 4))
    quaternion[..., 0] = 1.0 + trace
    quaternion[..., 1] = m[..., 2, 1] - m[..., 1, 2]
    quaternion[..., 2] = m[..., 0, 2] - m[..., 2, 0]
    quaternion[..., 3] = m[..., 1, 0] - m[..., 0, 1]
    far = trace < 0.0
    if far.any():
        quaternion[far] = _of_large_turns(m[far])
    quaternion /= lengths(quaternion)[..., None]
    return quaternion


def _of_large_turns(m: Floats) -> Floats:
    """Quaternions (N, 4) up to a positive factor, of rotations (N, 3, 3) by over 120 degrees."""
    quaternion = np.empty((len(m), 4))
    pivot = np.argmax(np.diagonal(m, axis1=1, axis2=2), axis=1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        chosen = pivot == i
        r = m[chosen]
        rows = np.empty((len(r), 4))
        rows[:, 0] = r[:, k, j] - r[:, j, k]
        rows[:, 1 + i] = 1.0 + r[:, i, i] - r[:, j, j] - r[:, k, k]
        rows[:, 1 + j] = r[:, j, i] + r[:, i, j]
        rows[:, 1 + k] = r[:, k, i] + r[:, i, k]
        quaternion[chosen] = rows
    return np.asarray(quaternion * np.where(quaternion[:, :1] < 0.0, -1.0, 1.0))


def multiply(first: Floats, second: Floats) -> Floats:
    """Products of quaternions: the rotation `second`, then `first`."""
    a, b, c, d = (first[..., part] for part in range(4))
    w, x, y, z = (second[..., part] for part in range(4))
    product = np.empty(np.broadcast_shapes(first.shape, second.shape))
    product[..., 0] = a * w - b * x - c * y - d * z
    product[..., 1] = a * x + b * w + c * z - d * y
    product[..., 2] = a * y - b * z + c * w + d * x
    product[..., 3] = a * z + b * y - c * x + d * w
    return product


def quaternion_to_vector(quaternion: Floats) -> Floats:
    """Rotation vectors, at most half a turn long, of quaternions whose scalar is not negative."""
    sine = lengths(quaternion[..., 1:])
    angle = 2.0 * np.arctan2(sine, quaternion[..., 0])
    # For the smallest turns the quotient tends to 2.
    factor = np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-150)
    return np.asarray(quaternion[..., 1:] * factor[..., None])


def to_vector(matrix: Floats) -> Floats:
    """Rotation vectors, at most half a turn long, of rotations."""
    return quaternion_to_vector(to_quaternion(matrix))


def from_vector(vector: Floats) -> Floats:
    """Rotations of rotation vectors, by Rodrigues' formula."""
    angle = lengths(vector)
    axis = np.moveaxis(vector, -1, 0) / np.maximum(angle, 1e-150)
    half_sine, half_cosine = np.sin(0.5 * angle), np.cos(0.5 * angle)
    # Not 1 - cos, which would be zero for turns under 1e-8.
    versine, sine = 2.0 * half_sine**2, 2.0 * half_sine * half_cosine
    cosine = 1.0 - versine
    entries = np.empty((3, 3, *angle.shape))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        both, apart = axis[i] * axis[j] * versine, axis[k] * sine
        entries[i, i] = cosine + axis[i] ** 2 * versine
        entries[i, j] = both - apart
        entries[j, i] = both + apart
    return np.ascontiguousarray(np.moveaxis(entries, (0, 1), (-2, -1)))


def twist(quaternion: Floats, axis: Floats) -> Floats:
    """Radians that rotations turn about a unit axis (..., 3) of their rest frame.

    From -π to π where the scalar is not negative, else a whole turn more or less.
    """
    return np.asarray(2.0 * np.arctan2(_along(quaternion, axis), quaternion[..., 0]))


def swing_twist(quaternion: Floats, axis: Floats) -> tuple[Floats, Floats]:
    """Rotations split into a swing of a unit axis (..., 3), after a twist about it.

    Args:
        quaternion: Their scalars are not negative.
        axis: In the rest frame.

    Returns:
        The swing as a rotation vector (..., 3) across the axis, and the radians of the twist,
        -π to π; zero for a half turn across the axis.
    """
    scalar, along = quaternion[..., 0], _along(quaternion, axis)
    length = np.hypot(scalar, along)
    half = length < 1e-150
    safe = np.where(half, 1.0, length)
    back = np.empty(quaternion.shape)
    back[..., 0] = np.where(half, 1.0, scalar) / safe
    back[..., 1:] = -(along / safe)[..., None] * axis
    swing = quaternion_to_vector(multiply(quaternion, back))
    return swing, np.asarray(2.0 * np.arctan2(along, scalar))


def _along(quaternion: Floats, axis: Floats) -> Floats:
    return np.asarray(np.einsum("...i,...i->...", quaternion[..., 1:], axis))


def lengths(vectors: Floats) -> Floats:
    """Lengths (...) of vectors (..., N)."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vectors, vectors)))
