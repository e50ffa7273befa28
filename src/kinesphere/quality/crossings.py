"""Which faces of a mesh pass through others."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.quality.topology import cross

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
    low, high = (
        pick(pick(corners[:, 0], corners[:, 1]), corners[:, 2]) for pick in (np.minimum, np.maximum)
    )
    keys, owners = _cells(low, high)
    # Rows of one cell lie together, so that a face's neighbours are the rows around its own.
    begin, end = np.searchsorted(keys, keys, "left"), np.searchsorted(keys, keys, "right")
    stride = -(-int((end - begin).sum()) // MOST_PAIRS)
    rows = np.flatnonzero(owners % stride == 0)
    if stride == 1:
        # Whether two faces cross does not depend on which comes first: each pair is looked at once.
        begin = rows + 1
    neighbours = end - begin
    lows, highs = (np.ascontiguousarray(side[owners].T) for side in (low, high))
    columns = np.ascontiguousarray(faces.T.astype(np.int32))
    struck = np.zeros(len(faces), dtype=np.bool_)
    for part in np.array_split(rows, max(1, int(neighbours[rows].sum()) // _CHUNK)):
        one, two = _meeting(part, begin[part], neighbours[part], lows, highs)
        face, other = owners[one], owners[two]
        near = face != other
        for a in columns:
            corner = a[face]
            for b in columns:
                near &= corner != b[other]
        face, other = face[near], other[near]
        met = _pierces(corners[face], corners[other]) | _pierces(corners[other], corners[face])
        struck[face[met]] = struck[other[met]] = True
    return float(struck[::stride].mean())


def _meeting(
    rows: Indices, begin: Indices, counts: Indices, lows: Floats, highs: Floats
) -> tuple[Indices, Indices]:
    """Pairs of a row with each of the `counts` rows from `begin`, whose boxes meet.

    Args:
        rows: (N,) rows of cells.
        begin: (N,) the first row to pair each with.
        counts: (N,) how many to pair it with.
        lows: (3, R) the boxes' least coordinates, by row.
        highs: (3, R) their largest.
    """
    two = np.arange(int(counts.sum())) + np.repeat(begin - np.cumsum(counts) + counts, counts)
    one = np.repeat(rows, counts)
    # Boxes that do not meet are by far the most pairs, and the cheapest to tell.
    for low, high in zip(lows, highs, strict=True):
        meet = low[one] <= high[two]
        meet &= low[two] <= high[one]
        one, two = one[meet], two[meet]
    return one, two


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
        across = cross(along, two)
        determinant = np.einsum("ij,ij->i", one, across)
        with np.errstate(divide="ignore", invalid="ignore"):
            to = edges_of[:, start] - through[:, 0]
            u = np.einsum("ij,ij->i", to, across) / determinant
            side = cross(to, one)
            v = np.einsum("ij,ij->i", along, side) / determinant
            t = np.einsum("ij,ij->i", two, side) / determinant
            met |= (u > 0.0) & (v > 0.0) & (u + v < 1.0) & (t > 0.0) & (t < 1.0)
    return met
