"""From the vendor's raw surface to a mesh of ours: one part, few faces, in metres on the ground."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.mesh import Mesh
from kinesphere.quality.topology import closed, largest_part, volumes

Floats = NDArray[np.float64]
Faces = NDArray[np.int64]

_simplify: Callable[..., Any] = import_module("fast_simplification").simplify

FACES: Final = 40_000
"""Where no count is asked for: as many as the vendor reduces to."""
LENGTH: Final = 1.0
"""Metres of the longest side: a picture does not tell its size."""


class NoSurface(Exception):
    """There is nothing left of a surface that could be delivered."""


def finished(vertices: Floats, faces: Faces, wanted: int) -> tuple[Mesh, dict[str, float]]:
    """Clean, reduce and place a surface.

    Args:
        vertices: (V, 3) in any unit, Y up, the front towards +Z.
        faces: (F, 3) rows of `vertices`.
        wanted: Most triangles.

    Returns:
        The mesh, and notes: the share of the area that was in smaller parts and was left out.

    Raises:
        NoSurface: No face has an area, or a number is not finite.
    """
    if not len(faces) or not np.isfinite(vertices).all():
        raise NoSurface("The model made no surface.")
    faces = faces[_areas(vertices, faces) > 0.0]
    if not len(faces):
        raise NoSurface("The model made a surface without area.")
    whole = float(_areas(vertices, faces).sum())
    vertices, faces = largest_part(vertices, faces)
    dropped = max(0.0, 1.0 - float(_areas(vertices, faces).sum()) / whole)
    if len(faces) > wanted:
        vertices, faces = _fewer(vertices, faces, wanted)
    if closed(faces) and volumes(vertices, faces).sum() < 0.0:
        faces = faces[:, ::-1]
    mesh = Mesh(placed(vertices), np.ascontiguousarray(faces, dtype=np.int32))
    return mesh, {"parts_left_out": round(dropped, 4)}


def placed(vertices: Floats) -> NDArray[np.float32]:
    """(V, 3) in metres: over the origin, the lowest point at y = 0, the longest side LENGTH."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (low + high) / 2.0
    longest = float((high - low).max())
    if longest <= 0.0:
        raise NoSurface("The model made a single point.")
    origin = np.array([middle[0], low[1], middle[2]])
    return np.asarray((vertices - origin) * (LENGTH / longest), dtype=np.float32)


def _areas(vertices: Floats, faces: Faces) -> Floats:
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.linalg.norm(across, axis=1) / 2.0)


def _fewer(vertices: Floats, faces: Faces, wanted: int) -> tuple[Floats, Faces]:
    """About `wanted` faces by quadric error; what the reduction cuts loose is left out."""
    fewer, less = _simplify(
        vertices.astype(np.float32), faces.astype(np.int32), target_count=wanted
    )
    if not len(less):
        return vertices, faces
    return largest_part(fewer.astype(np.float64), less.astype(np.int64))
