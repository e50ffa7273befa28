"""From a cut-out to a mesh in metres that stands on the ground."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kinesphere.engines.relief.cutout import Cutout
from kinesphere.engines.relief.outline import MARGIN, Flags
from kinesphere.engines.relief.painting import Projection
from kinesphere.engines.relief.solid import Solid, solid_of
from kinesphere.engines.relief.surface import (
    TOLERANCE,
    Faces,
    Floats,
    NotClosed,
    decimated,
    smoothed,
    surface_of,
)
from kinesphere.formats.mesh import Mesh
from kinesphere.quality.topology import closed, volumes

FACES: Final = 40_000
"""Where no count is asked for: about 20,000 vertices."""
MOST_FREE: Final = 56_000
"""Faces over which a mesh is decimated although no count was asked for."""
FACES_A_PIXEL: Final = 10.0
"""Of a mesh, for each pixel of the grid inside the outline: 8.7 to 13.2 over the test pictures."""
SMALLEST, LARGEST = 48, 320
RADII: Final = 12
"""Radii that tell a cup's cavity apart when it is painted."""
LENGTH: Final = 1.0
"""Metres of the object's longer side: a picture does not tell its size."""


@dataclass(frozen=True, slots=True)
class Model:
    """A bare mesh, where its points are in the picture, and the cues it was made by."""

    mesh: Mesh
    projection: Projection
    cues: tuple[str, ...]


def modelled(cutout: Cutout, faces: int | None) -> Model:
    """The mesh of an object, closed by check.

    Where a count of faces is asked for it is met within 5 %, or as nearly as the outline allows: a
    thread cannot carry many faces, nor a sieve few.

    Raises:
        NotClosed: Also the plainest solid gave no closed surface.
    """
    mask = cutout.mask
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    longest = max(np.ptp(columns), np.ptp(rows)) + 1
    share = float(mask.sum()) / float(longest) ** 2
    aim = 0.9 * FACES if faces is None else 1.3 * faces
    side = round(math.sqrt(aim / FACES_A_PIXEL / share))
    side = min(LARGEST, max(SMALLEST, side))
    last: Exception | None = None
    nearest: Model | None = None
    for plain in (False, False, True, True):
        solid, scale = solid_of(mask, cutout.colours, side)
        solid = _plain(solid) if plain else solid
        try:
            vertices, triangles = surface_of(solid)
            vertices = smoothed(vertices, triangles)
            if faces is not None and len(triangles) < (1.0 - TOLERANCE) * faces:
                nearest = _nearer(nearest, _placed(vertices, triangles, solid, mask, scale), faces)
                grown = side * math.sqrt(1.4 * faces / len(triangles))
                side = min(2 * LARGEST, round(grown))
                continue
            if faces is not None or len(triangles) > MOST_FREE:
                vertices, triangles = decimated(vertices, triangles, faces or FACES)
            made = _placed(vertices, triangles, solid, mask, scale)
        except NotClosed as problem:
            last = problem
            side = max(SMALLEST, round(0.93 * side))
            continue
        if faces is None or abs(len(triangles) - faces) <= TOLERANCE * faces:
            return made
        nearest = _nearer(nearest, made, faces)
        side = max(SMALLEST, round(0.8 * side))
    if nearest is None:
        raise last or NotClosed("no solid of this outline was closed")
    return nearest


def _nearer(one: Model | None, other: Model, faces: int) -> Model:
    """The one whose count of faces is nearer to the one asked for."""
    if one is None or abs(len(other.mesh.faces) - faces) < abs(len(one.mesh.faces) - faces):
        return other
    return one


def _plain(solid: Solid) -> Solid:
    zero = np.zeros_like(solid.height)
    return replace(solid, centre=zero, bump=zero, tilt=0.0, posts=(), vessel=None)


def _placed(vertices: Floats, faces: Faces, solid: Solid, mask: Flags, scale: float) -> Model:
    """The mesh in metres; `scale` is the pixels of the mask per pixel of the solid's grid."""
    down, across = (scale / side for side in mask.shape)
    top = float(mask.any(axis=1).argmax()) / scale - MARGIN + 0.5
    left = float(mask.any(axis=0).argmax()) / scale - MARGIN + 0.5
    x, seen, z = vertices.T
    upright = math.sqrt(1.0 - solid.tilt**2)
    y = (solid.tilt * z - seen) / upright
    unit = LENGTH / max(float(np.ptp(x)), float(np.ptp(y)))
    middle_x = (float(x.max()) + float(x.min())) / 2.0
    middle_z = (float(z.max()) + float(z.min())) / 2.0
    ground = float(y.min())
    placed = np.stack([(x - middle_x), (y - ground), (z - middle_z)], axis=1) * unit
    metres = placed.astype(np.float32)
    if volumes(metres, faces).sum() < 0.0:
        faces = faces[:, ::-1]
    if not closed(faces):
        raise NotClosed("the surface is open")
    projection = Projection(
        a=(middle_x + left) * across,
        b=across / unit,
        c=(solid.tilt * middle_z - upright * ground + top) * down,
        d=-upright * down / unit,
        e=solid.tilt * down / unit,
        cup=_cup(solid, middle_x, middle_z, ground, unit),
    )
    mesh = Mesh(metres, np.ascontiguousarray(faces, dtype=np.int32))
    return Model(mesh, projection, solid.cues)


def _cup(
    solid: Solid, middle_x: float, middle_z: float, ground: float, unit: float
) -> tuple[float, ...]:
    """See `Projection.cup`."""
    vessel = solid.vessel
    if vessel is None or not vessel.hollow:
        return ()
    upright = math.sqrt(1.0 - vessel.tilt**2)
    rim, floor = (-level / upright - ground for level in (vessel.rim, vessel.floor))
    depths = np.linspace(0.0, vessel.floor - vessel.rim, RADII)
    radii = np.interp(depths, np.arange(len(vessel.radii)), vessel.radii) - 0.5 * vessel.wall
    numbers = (vessel.axis - middle_x, -middle_z, rim, floor)
    return tuple(float(number) * unit for number in (*numbers, *radii))
