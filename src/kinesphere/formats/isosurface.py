"""Closed surfaces of implicit solids by surface nets (Gibson, 1998) on a grid of uneven steps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Floats

Field = Callable[[Floats], Floats]
"""(N, 3) m to (N,): about the distance to the surface, negative inside."""
Indices = NDArray[np.intp]

RELAXATIONS = 4
_STEP = 1e-4
_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = np.array(
    [(a, b) for a in range(8) for b in range(a, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]
)


@dataclass(frozen=True, slots=True)
class Surface:
    """A closed surface of quads.

    Attributes:
        points: (V, 3) m.
        quads: (Q, 4) counter-clockwise seen from outside.
        cells: (V, 3) the grid cell in which each point lies; no two lie in one.
    """

    points: Floats
    quads: Indices
    cells: Indices


def surface_of(field: Field, samples: Floats, axes: tuple[Floats, Floats, Floats]) -> Surface:
    """The surface on which a field is zero, its points evenly spread and on the surface.

    Args:
        field: Of the solid, for points near its surface.
        samples: (X, Y, Z) of the field on the grid; positive all over the grid's boundary.
        axes: Ascending coordinates of the grid's planes, m.
    """
    inside = samples < 0.0
    counts = np.zeros([side - 1 for side in samples.shape], dtype=np.int8)
    for i, j, k in _CORNERS:
        x, y, z = (slice(at, at + side) for at, side in zip((i, j, k), counts.shape, strict=True))
        counts += inside[x, y, z]
    cells = np.argwhere((counts > 0) & (counts < len(_CORNERS)))
    points = _crossings(cells, samples, axes)
    number = np.full(counts.shape, -1, dtype=np.intp)
    number[tuple(cells.T)] = np.arange(len(cells))
    quads = np.concatenate([_quads(inside, number, axis) for axis in range(3)])
    return Surface(_relaxed(field, points, quads), quads, cells)


def _crossings(cells: Indices, samples: Floats, axes: tuple[Floats, Floats, Floats]) -> Floats:
    """The mean of the points where a cell's edges cross the surface, (V, 3) m."""
    corners = cells[:, None] + _CORNERS
    values = samples[tuple(np.moveaxis(corners, -1, 0))]
    places = np.stack([axes[axis][corners[..., axis]] for axis in range(3)], axis=-1)
    first, second = values[:, _EDGES[:, 0]], values[:, _EDGES[:, 1]]
    crossed = (first < 0.0) != (second < 0.0)
    along = np.where(crossed, first / np.where(crossed, first - second, 1.0), 0.0)[..., None]
    start, end = places[:, _EDGES[:, 0]], places[:, _EDGES[:, 1]]
    total = np.where(crossed[..., None], start + along * (end - start), 0.0).sum(axis=1)
    return np.asarray(total / crossed.sum(axis=1)[:, None])


def _quads(inside: NDArray[np.bool_], number: Indices, axis: int) -> Indices:
    """One quad around each grid edge along an axis that crosses the surface."""
    turned, cells = np.moveaxis(inside, axis, 0), np.moveaxis(number, axis, 0)
    if axis == 1:  # keeps the three axes in a right-handed order
        turned, cells = np.swapaxes(turned, 1, 2), np.swapaxes(cells, 1, 2)
    a, b, c = np.nonzero(turned[:-1] != turned[1:])
    quads = np.stack(
        (cells[a, b - 1, c - 1], cells[a, b, c - 1], cells[a, b, c], cells[a, b - 1, c]), axis=1
    )
    leaving = turned[a, b, c]
    quads[~leaving] = quads[~leaving, ::-1]
    return quads


def _relaxed(field: Field, points: Floats, quads: Indices) -> Floats:
    """The points evened out among their neighbours, along the surface, and put back on it."""
    sides = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    degree = np.bincount(sides[:, 0], minlength=len(points))[:, None]
    points = onto(field, points)
    for _ in range(RELAXATIONS):
        corners = points[quads]
        facing = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normal = _summed(quads.ravel(), np.repeat(facing, 4, axis=0), len(points))
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        move = 0.5 * (_summed(sides[:, 0], points[sides[:, 1]], len(points)) / degree - points)
        points = points + move - np.einsum("ni,ni->n", move, normal)[:, None] * normal
    return onto(field, points)


def _summed(index: Indices, rows: Floats, count: int) -> Floats:
    """The sums (count, 3) of the rows (N, 3) that share an index."""
    columns = [np.bincount(index, rows[:, axis], minlength=count) for axis in range(3)]
    return np.stack(columns, axis=1)


def onto(field: Field, points: Floats) -> Floats:
    """Points near the surface moved to it, by one Newton step along the gradient."""
    slope = _gradient(field, points)
    square = np.maximum((slope * slope).sum(axis=1), 0.1)
    return np.asarray(points - (field(points) / square)[:, None] * slope)


def normals(field: Field, points: Floats) -> Floats:
    """Outward unit normals (V, 3) at points of the surface."""
    slope = _gradient(field, points)
    return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9))


def _gradient(field: Field, points: Floats) -> Floats:
    steps = _STEP * np.eye(3)
    ahead, behind = (
        field((points[:, None] + sign * steps).reshape(-1, 3)).reshape(-1, 3) for sign in (1, -1)
    )
    return np.asarray((ahead - behind) / (2.0 * _STEP))
