"""Cups and tins: upright bodies of revolution with an opening, which is carved, or a flat lid."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.opening import Opening
from kinesphere.engines.relief.revolution import half_widths, smooth

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]

WALL: Final = 0.07
"""Thickness of the wall, of the opening's radius."""
THINNEST: Final = 2.0
"""Pixels of the grid that a wall is thick at least, so that marching cubes see it."""
FLARE: Final = 1.2
"""Radius at the ground, of the opening's, from which a cup stands on a saucer."""
STEEP: Final = 0.3
"""Growth of the radius from cup to saucer at least, of the sight's."""
FOOT: Final = 0.75
"""Radius at the ground of a cup whose foot nobody sees, of where it was last seen."""
DEPTH: Final = 0.85
"""Depth of the cavity, of the body's height."""


@dataclass(frozen=True, slots=True)
class Vessel:
    """An open body of revolution in pixels, y down, about the upright line through z = 0.

    Attributes:
        axis: x of the axis.
        rim: y of the rim.
        floor: y of the cavity's floor.
        tilt: Sine of the eye's elevation.
        radii: (N,) outer radius at each row of pixels below the rim, the last at the ground.
        wall: Thickness of the wall.
        hollow: Whether it is carved.
        handle: (h, w) half thickness of what the outline shows beside the body, 0 elsewhere.
    """

    axis: float
    rim: float
    floor: float
    tilt: float
    radii: Floats
    wall: float
    hollow: bool
    handle: Floats

    def field(self, z: Floats) -> Floats:
        """(h, w, len(z)) about the distance to the surface, positive inside.

        A point at z is seen z * tilt lower than it is.
        """
        rows, columns = self.handle.shape
        seen = np.arange(rows, dtype=np.float32)[:, None, None]
        across = np.arange(columns, dtype=np.float32)[None, :, None] - np.float32(self.axis)
        depth = z.astype(np.float32)[None, None, :]
        y = seen - np.float32(self.tilt) * depth
        beneath = y - np.float32(self.rim)
        places = np.arange(len(self.radii), dtype=np.float32)
        radius = np.interp(beneath, places, self.radii).astype(np.float32)
        around = np.hypot(across, depth)
        # Over the slope, so that the field is a distance also where a saucer is nearly level.
        steep = np.interp(beneath, places, np.hypot(1.0, np.gradient(self.radii)))
        side = (radius - around) / steep.astype(np.float32)
        body = np.minimum(side, np.minimum(beneath, len(self.radii) - 1 - beneath))
        if self.hollow:
            cavity = np.minimum(radius - np.float32(self.wall) - around, np.float32(self.floor) - y)
            body = np.minimum(body, -cavity)
        # The handle ends within the wall.
        beside = np.minimum(
            self.handle[..., None] - np.abs(depth), around - radius + np.float32(0.5 * self.wall)
        )
        beside = np.where(self.handle[..., None] > 0.0, beside, -1.0)
        return np.asarray(np.maximum(body, beside), dtype=np.float32)


def vessel_of(opening: Opening, distance: Floats, height: Floats) -> Vessel | None:
    """The vessel of an opening, or None where it is too small to have walls.

    Args:
        opening: In pixels of the grid.
        distance: (h, w) distance to the outline, positive inside, on the grid.
        height: (h, w) squared half thickness, of which the handle's is taken.
    """
    wall = max(WALL * opening.a, THINNEST)
    tilt = opening.b / opening.a
    inside = distance > 0.0
    rows = np.flatnonzero(inside.any(axis=1))
    x, halves = _centred(distance, opening.x + 0.5)
    first = round(opening.y)
    levels = np.arange(first, len(inside), dtype=np.float32)
    radii = smooth(_inscribed(halves, levels, tilt), len(rows) / 60 + 0.8)
    grounded = np.flatnonzero(levels + tilt * radii >= rows[-1] - 0.5)
    count = int(grounded[0]) + 1 if len(grounded) else 0
    if count < 4 * wall or opening.a < 4 * wall:
        return None
    radii, levels = radii[:count], levels[:count]
    seen = _seen(radii, levels, tilt, len(inside))
    seen[: round(opening.y + wall)] = 0.0
    deep = float(count - 1)
    if radii[-1] > FLARE * opening.a:
        # On a saucer no outline tells a handle.
        seen[int((levels - tilt * radii)[radii > opening.a].min()) :] = 0.0
        radii, deep = _on_saucer(radii, tilt, round(wall))
    handle = _beside(inside, height, x - 0.5, seen, wall)
    floor = opening.y + DEPTH * deep
    return Vessel(x - 0.5, opening.y, floor, tilt, radii, wall, opening.hollow, handle)


def _centred(distance: Floats, axis: float) -> tuple[float, Floats]:
    """The x of an axis moved to the middle of the rows without handles, and (h,) half widths."""
    sides = half_widths(distance, axis)
    even = (sides.min(axis=1) > 0.85 * sides.max(axis=1)) & (sides.min(axis=1) > 0.0)
    if even.sum() > 4:
        axis += float(np.median(sides[even, 1] - sides[even, 0])) / 2.0
        sides = half_widths(distance, axis)
        even = (sides.min(axis=1) > 0.85 * sides.max(axis=1)) & (sides.min(axis=1) > 0.0)
    halves = np.where(even, sides.mean(axis=1), sides.min(axis=1))
    return axis, np.asarray(halves, dtype=np.float32)


def _inscribed(halves: Floats, levels: Floats, tilt: float) -> Floats:
    """(N,) radius of the largest circle at each level that is seen within the outline.

    A circle is seen as an ellipse: what is wide in one row of the picture, such as a saucer, is
    not so wide in the levels above and below it.
    """
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 33)
    radii = np.linspace(0.0, float(halves.max()), 160)[:, None]
    rows = np.arange(len(halves))
    found = []
    for level in levels:
        seen = level + tilt * radii * np.sin(angles)
        room = np.interp(seen, rows, halves, left=0.0, right=0.0)
        # Half a pixel is what an outline in pixels is wrong by.
        fits = (radii * np.cos(angles) <= room + 0.5).all(axis=1)
        found.append(radii[max(0, int(np.argmin(np.append(fits, False))) - 1), 0])
    return np.asarray(found, dtype=np.float32)


def _on_saucer(radii: Floats, tilt: float, thick: int) -> tuple[Floats, float]:
    """The radii of a cup on a saucer, of which the outline shows the edge alone, and its height.

    Where circles grow nearly as fast as the sight is steep, they only bound what nobody sees.
    """
    wide = np.flatnonzero(radii > 1.03 * radii[0])
    first, last = int(wide[0]), len(radii) - max(4, 2 * thick)
    if radii[-1] - radii[first] < STEEP / tilt * (len(radii) - first) or last <= first:
        return radii, float(len(radii) - 1)
    found = radii.copy()
    found[first:last] = radii[first] * np.linspace(1.0, FOOT, last - first)
    found[last:] = radii[-1]
    return smooth(found, 1.5), float(last)


def _seen(radii: Floats, levels: Floats, tilt: float, height: int) -> Floats:
    """(h,) half width at which a body is seen in each row."""
    rows = np.arange(height)[:, None]
    off = (rows - levels) / np.maximum(tilt * radii, 1e-3)
    return np.asarray((radii * np.sqrt(np.maximum(0.0, 1.0 - off**2))).max(axis=1), np.float32)


def _beside(inside: Any, height: Floats, axis: float, seen: Floats, wall: float) -> Floats:
    """(h, w) half thickness of what the outline shows beside the body, such as a handle.

    Args:
        inside: (h, w) the outline.
        height: (h, w) squared half thickness of all that is inside.
        axis: x of the body's axis.
        seen: (h,) half width of the body in each row; 0 where nothing is looked for.
        wall: Thickness of the wall.
    """
    off = np.abs(np.arange(inside.shape[1]) - axis)[None, :]
    beside = (inside & (seen > 0.0)[:, None] & (off > seen[:, None] + 1.0)).astype(np.uint8)
    beside = cv2.morphologyEx(beside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    thick = float(cv2.distanceTransform(beside, cv2.DIST_L2, 5).max())
    handle = np.zeros_like(height)
    if thick > 1.5:
        reach = 2 * int(np.ceil(wall)) + 3
        kept = (cv2.dilate(beside, np.ones((reach, reach), np.uint8)) > 0) & inside
        handle[kept] = np.minimum(np.sqrt(np.maximum(height[kept], 0.0)), thick)
    return handle
