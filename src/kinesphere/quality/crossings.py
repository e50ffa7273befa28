"""Which faces of a mesh pass through others."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MOST_PAIRS: Final = 12_000_000
"""Of neighbours that are looked at; in denser tangles evenly chosen faces stand for all."""
CELLS_A_FACE: Final = 8.0
"""Of the grid that finds neighbours, in the mean; a cell grows until there are no more."""
_CHUNK: Final = 400_000


def crossing_share(vertices: NDArray[Any], faces: Indices) -> float:
    """Share of faces with an edge through another face that has no vertex in common with it."""
    corners = vertices.astype(np.float64)[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    keys, owners = _cells(low, high)
    first_row = np.searchsorted(keys, keys, "left")
    neighbours = np.searchsorted(keys, keys, "right") - first_row
    stride = -(-int(neighbours.sum()) // MOST_PAIRS)
    rows = np.flatnonzero(owners % stride == 0)
    struck = np.zeros(len(faces), dtype=np.bool_)
    for part in np.array_split(rows, max(1, int(neighbours[rows].sum()) // _CHUNK)):
        counts = neighbours[part]
        face = np.repeat(owners[part], counts)
        shift = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
        other = owners[np.repeat(first_row[part], counts) + shift]
        # Boxes that do not meet are by far the most pairs, and the cheapest to tell.
        for axis in range(3):
            meet = low[face, axis] <= high[other, axis]
            meet &= low[other, axis] <= high[face, axis]
            face, other = face[meet], other[meet]
        near = face != other
        for a in range(3):
            for b in range(3):
                near &= faces[face, a] != faces[other, b]
        face, other = face[near], other[near]
        met = _pierces(corners[face], corners[other]) | _pierces(corners[other], corners[face])
        struck[face[met]] = True
    return float(struck[::stride].mean())


def _cells(low: Floats, high: Floats) -> tuple[Indices, Indices]:
    """Cells of a grid, ascending, and the face whose box is in each; both (N,)."""
    start = low.min(axis=0)
    cell = max(1.5 * float((high - low).max(axis=1).mean()), 1e-12)
    while True:
        first = np.floor((low - start) / cell).astype(np.int64)
        last = np.floor((high - start) / cell).astype(np.int64)
        spans = last - first + 1
        total = spans.prod(axis=1)
        if total.mean() <= CELLS_A_FACE and last.max() < 2**20:
            break
        cell *= 1.5
    owners = np.repeat(np.arange(len(low)), total)
    shift = np.arange(len(owners)) - np.repeat(np.cumsum(total) - total, total)
    span = spans[owners]
    at = first[owners]
    at[:, 2] += shift % span[:, 2]
    at[:, 1] += shift // span[:, 2] % span[:, 1]
    at[:, 0] += shift // (span[:, 2] * span[:, 1])
    keys = (at[:, 0] << 42) | (at[:, 1] << 21) | at[:, 2]
    order = np.argsort(keys, kind="stable")
    return keys[order], owners[order]


def _pierces(edges_of: Floats, through: Floats) -> NDArray[np.bool_]:
    """(N,) whether an edge of one triangle goes through the inside of the other.

    After Möller and Trumbore (1997), for each of the three edges.
    """
    met = np.zeros(len(through), dtype=np.bool_)
    one, two = through[:, 1] - through[:, 0], through[:, 2] - through[:, 0]
    for start, stop in ((0, 1), (1, 2), (2, 0)):
        along = edges_of[:, stop] - edges_of[:, start]
        across = np.cross(along, two)
        determinant = np.einsum("ij,ij->i", one, across)
        with np.errstate(divide="ignore", invalid="ignore"):
            to = edges_of[:, start] - through[:, 0]
            u = np.einsum("ij,ij->i", to, across) / determinant
            side = np.cross(to, one)
            v = np.einsum("ij,ij->i", along, side) / determinant
            t = np.einsum("ij,ij->i", two, side) / determinant
            met |= (u > 0.0) & (v > 0.0) & (u + v < 1.0) & (t > 0.0) & (t < 1.0)
    return met
