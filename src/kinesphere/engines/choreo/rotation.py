"""Rotation matrices over frames: (..., 3, 3), acting on column vectors; angles in degrees."""

import numpy as np

from kinesphere.formats.clip import Floats


def about_x(degrees: Floats) -> Floats:
    """Rotation about X, one matrix an angle: (T,) to (T, 3, 3)."""
    return _about(degrees, 1, 2)


def about_y(degrees: Floats) -> Floats:
    """Rotation about Y, one matrix an angle: (T,) to (T, 3, 3)."""
    return _about(degrees, 2, 0)


def about_z(degrees: Floats) -> Floats:
    """Rotation about Z, one matrix an angle: (T,) to (T, 3, 3)."""
    return _about(degrees, 0, 1)


def _about(degrees: Floats, first: int, second: int) -> Floats:
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*angle.shape, 3, 3))
    fixed = 3 - first - second
    matrix[..., fixed, fixed] = 1.0
    matrix[..., first, first] = cosine
    matrix[..., second, second] = cosine
    matrix[..., second, first] = sine
    matrix[..., first, second] = -sine
    return matrix


def from_vector(vector: Floats) -> Floats:
    """Rodrigues' formula: rotation vectors (..., 3) in radians to matrices."""
    angle = norm(vector)
    safe = np.maximum(angle, 1e-12)
    axis = vector / safe[..., None]
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    cosine, sine = np.cos(angle), np.sin(angle)
    rest = 1.0 - cosine
    matrix = np.empty((*angle.shape, 3, 3))
    matrix[..., 0, 0] = cosine + x * x * rest
    matrix[..., 1, 1] = cosine + y * y * rest
    matrix[..., 2, 2] = cosine + z * z * rest
    matrix[..., 0, 1] = x * y * rest - z * sine
    matrix[..., 1, 0] = x * y * rest + z * sine
    matrix[..., 0, 2] = x * z * rest + y * sine
    matrix[..., 2, 0] = x * z * rest - y * sine
    matrix[..., 1, 2] = y * z * rest - x * sine
    matrix[..., 2, 1] = y * z * rest + x * sine
    return matrix


def to_quaternion(matrix: Floats) -> Floats:
    """Unit quaternions (..., 4), scalar first and not negative, of rotation matrices.

    Takes the largest of the four squared components as pivot (Shepperd, 1978), so it is exact
    near half turns too.
    """
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.empty((*trace.shape, 4))
    squares[..., 0] = 1.0 + trace
    for axis in range(3):
        squares[..., 1 + axis] = 1.0 + 2.0 * m[..., axis, axis] - trace
    pivot = np.argmax(squares, axis=-1)
    quaternion = np.empty(squares.shape)
    quaternion[..., 0] = squares[..., 0]
    for part, (i, j) in enumerate(((2, 1), (0, 2), (1, 0)), 1):
        quaternion[..., part] = m[..., i, j] - m[..., j, i]
    for part in range(3):
        chosen = pivot == 1 + part
        if chosen.any():
            quaternion[chosen] = _about_pivot(m[chosen], squares[chosen], part)
    quaternion /= _length_of_four(quaternion)[..., None]
    return np.asarray(quaternion * np.where(quaternion[..., :1] < 0.0, -1.0, 1.0))


def _about_pivot(m: Floats, squares: Floats, part: int) -> Floats:
    """Quaternions (N, 4), not scaled, of matrices (N, 3, 3), by entry `part` of their vectors."""
    j, k = (part + 1) % 3, (part + 2) % 3
    rows = np.empty(squares.shape)
    rows[:, 0] = m[:, k, j] - m[:, j, k]
    rows[:, 1 + part] = squares[:, 1 + part]
    rows[:, 1 + j] = m[:, j, part] + m[:, part, j]
    rows[:, 1 + k] = m[:, k, part] + m[:, part, k]
    return rows


def _length_of_four(quaternion: Floats) -> Floats:
    squared = quaternion * quaternion
    return np.asarray(
        np.sqrt(squared[..., 0] + squared[..., 1] + squared[..., 2] + squared[..., 3])
    )


def from_quaternion(quaternion: Floats) -> Floats:
    """Rotation matrices of unit quaternions (..., 4), scalar first."""
    w, x, y, z = (quaternion[..., part] for part in range(4))
    matrix = np.empty((*w.shape, 3, 3))
    matrix[..., 0, 0] = 1.0 - 2.0 * (y * y + z * z)
    matrix[..., 1, 1] = 1.0 - 2.0 * (x * x + z * z)
    matrix[..., 2, 2] = 1.0 - 2.0 * (x * x + y * y)
    matrix[..., 0, 1] = 2.0 * (x * y - w * z)
    matrix[..., 1, 0] = 2.0 * (x * y + w * z)
    matrix[..., 0, 2] = 2.0 * (x * z + w * y)
    matrix[..., 2, 0] = 2.0 * (x * z - w * y)
    matrix[..., 1, 2] = 2.0 * (y * z - w * x)
    matrix[..., 2, 1] = 2.0 * (y * z + w * x)
    return matrix


def to_vector(matrix: Floats) -> Floats:
    """Rotation vectors (..., 3) in radians, at most half a turn long."""
    quaternion = to_quaternion(matrix)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., :1])
    return np.asarray(quaternion[..., 1:] * (angle / np.maximum(sine, 1e-12)))


def turn(matrix: Floats, vector: Floats) -> Floats:
    """Apply matrices (T, 3, 3) to vectors (T, 3) or (3,)."""
    return np.asarray((matrix @ np.asarray(vector)[..., None])[..., 0])


def cross(first: Floats, second: Floats) -> Floats:
    """Vector product of (..., 3); several times faster than `numpy.cross` on few frames."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    product = np.empty(np.broadcast_shapes(first.shape, second.shape))
    product[..., 0] = b * z - c * y
    product[..., 1] = c * x - a * z
    product[..., 2] = a * y - b * x
    return product


def dot(first: Floats, second: Floats) -> Floats:
    """Scalar products (...) of (..., 3); several times as fast as sums over so short an axis."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    return np.asarray(a * x + b * y + c * z)


def norm(vector: Floats) -> Floats:
    """Lengths (...) of vectors (..., 3)."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vector, vector)))


def unit(vector: Floats) -> Floats:
    """Vectors (..., 3) scaled to length 1; a zero vector stays zero."""
    return np.asarray(vector / np.maximum(norm(vector), 1e-9)[..., None])


def carry(source: Floats, target: Floats, vector: Floats) -> Floats:
    """Turn `vector` by the smallest rotation that takes unit `source` to unit `target`.

    All (T, 3). Undefined only where the two are opposite.
    """
    axis = cross(source, target)
    cosine = dot(source, target)[..., None]
    across = cross(axis, vector)
    rest = cross(axis, across) / np.maximum(1.0 + cosine, 1e-3)
    return np.asarray(vector + across + rest)
