"""From a solid to a closed mesh: marching cubes, smoothing, decimation; each step is checked."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from skimage import measure

from kinesphere.engines.relief.collapse import collapsed
from kinesphere.engines.relief.solid import Solid
from kinesphere.engines.relief.standing import Post
from kinesphere.engines.relief.vessel import Vessel
from kinesphere.quality.topology import closed, directed, largest_part

Floats = NDArray[np.float64]
Faces = NDArray[np.int64]

_simplify: Callable[..., Any] = import_module("fast_simplification").simplify
_marching_cubes: Callable[..., Any] = measure.marching_cubes

MOST_CELLS: Final = 40_000_000
SOFT: Final = 0.8
"""Pixels by which a cup's field is blurred; its wall is two thick at least."""
TOLERANCE: Final = 0.05
"""Share by which the count of faces may miss the one asked for."""


class NotClosed(Exception):
    """No closed surface came of the solid."""


def surface_of(solid: Solid) -> tuple[Floats, Faces]:
    """The solid's surface, closed and outward.

    Returns:
        (V, 3) pixels of the grid: x to the right, y down as seen, z towards the eye; and the
        (F, 3) faces, counter-clockwise from outside once y points up.

    Raises:
        NotClosed: The surface is not closed and manifold.
    """
    field, bottom = _hollow(solid.vessel) if solid.vessel is not None else _full(solid)
    # A corner exactly on the surface would make faces of no area.
    field[np.abs(field) < 1e-3] = -1e-3
    for axis in range(3):
        for end in (0, -1):
            if (np.take(field, end, axis=axis) > 0.0).any():
                raise NotClosed("the solid reaches its grid's edge")
    places, faces, _, _ = _marching_cubes(field, 0.0, allow_degenerate=False)
    vertices = places[:, [1, 0, 2]].astype(np.float64)
    vertices[:, 2] += bottom
    vertices, faces = largest_part(vertices, faces.astype(np.int64))
    if not closed(faces):
        raise NotClosed("marching cubes left the surface open")
    return vertices, faces


def _hollow(vessel: Vessel) -> tuple[Any, int]:
    """The field of a cup, (h, w, d), and the z of its first layer."""
    reach = int(np.ceil(max(float(vessel.radii.max()), float(vessel.handle.max())))) + 2
    if vessel.handle.size * (2 * reach + 1) > MOST_CELLS:
        raise NotClosed("the solid is too deep for its grid")
    field = vessel.field(np.arange(-reach, reach + 1, dtype=np.float32))
    # Edges that run askew to the grid, as all of a tilted cup do, would be rows of teeth.
    for column in range(field.shape[1]):
        plane = np.ascontiguousarray(field[:, column])
        field[:, column] = cv2.GaussianBlur(plane, (0, 0), SOFT)
    return field, -reach


def _full(solid: Solid) -> tuple[Any, int]:
    """The field of a solid by its height, (h, w, d), and the z of its first layer."""
    half = np.sqrt(np.maximum(solid.height, 0.0))
    front = half + np.maximum(solid.bump, -0.4 * half)
    top = int(np.ceil(float((solid.centre + np.maximum(front, half)).max()))) + 2
    bottom = int(np.floor(float((solid.centre - half).min()))) - 2
    for post in solid.posts:
        top = max(top, int(np.ceil(post.z + post.radius)) + 2)
        bottom = min(bottom, int(np.floor(post.z - post.radius)) - 2)
    if solid.height.size * (top - bottom + 1) > MOST_CELLS:
        raise NotClosed("the solid is too deep for its grid")
    z = np.arange(bottom, top + 1, dtype=np.float32) - solid.centre[..., None]
    squared = np.where(solid.height > 0.0, front * front, solid.height)
    height = np.where(z > 0.0, squared[..., None], solid.height[..., None])
    field = (height - z * z).astype(np.float32)
    for post in solid.posts:
        _add(post, field, bottom)
    return field, bottom


def _add(post: Post, field: Any, bottom: int) -> None:
    """Put a post into a field, where it reaches."""
    reach = int(post.radius) + 3
    x, y = (sorted(pair) for pair in zip(post.foot, post.top, strict=True))
    ends = ((y[0], y[1]), (x[0], x[1]), (post.z - bottom, post.z - bottom))
    box = tuple(
        slice(max(0, int(low) - reach), min(size, int(high) + reach + 1))
        for (low, high), size in zip(ends, field.shape, strict=True)
    )
    rows, columns, layers = (np.arange(part.start, part.stop, dtype=np.float32) for part in box)
    own = post.field(columns[None, :, None], rows[:, None, None], layers + np.float32(bottom))
    field[box] = np.maximum(field[box], own)


def smoothed(vertices: Floats, faces: Faces, rounds: int = 5) -> Floats:
    """Taubin's smoothing (1995): a shrinking and a growing step a round, so that size stays."""
    edges = directed(faces)
    ones, size = np.ones(len(edges)), (len(vertices), len(vertices))
    around = coo_array((ones, (edges[:, 0], edges[:, 1])), size).tocsr()
    count = np.maximum(1, np.diff(around.indptr))[:, None]
    for _ in range(rounds):
        for factor in (0.5, -0.53):
            vertices = vertices + factor * (around @ vertices / count - vertices)
    return vertices


def decimated(vertices: Floats, faces: Faces, wanted: int) -> tuple[Floats, Faces]:
    """The surface with about `wanted` faces by quadric error (Garland and Heckbert 1997).

    The library is fast and does not promise a closed result. Where it opens the surface, its
    closed result at a larger count is taken down further by `collapse`, which keeps it closed and
    ends above the count where no further edge can go without tearing or folding the surface.

    Raises:
        NotClosed: The surface came open.
    """
    if abs(len(faces) - wanted) <= 0.01 * wanted:
        return vertices, faces
    aim = wanted
    while aim < len(faces):
        fewer, less = _simplify(
            vertices.astype(np.float32), faces.astype(np.int32), target_count=aim
        )
        if closed(less.astype(np.int64)):
            vertices, faces = fewer.astype(np.float64), less.astype(np.int64)
            break
        aim = round(1.5 * aim) + 50
    if len(faces) > wanted + 1:
        vertices, faces = collapsed(vertices, faces, wanted)
    if not closed(faces):
        raise NotClosed(f"no closed surface of {wanted} faces was found")
    return vertices, faces
