"""Cups: an ellipse at the top of an upright body of revolution is an opening, and is carved.

Five things must come together: the outline's upper boundary is half an ellipse as wide as the body
there; the body goes on below the ellipse at full width; the ellipse's lower arc, which no outline
shows, is an edge of the picture; what it encloses is even, as the inside of a pot is and a crust or
a blossom is not; and its lightness changes from side to side, as on a round wall and not on a lid.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

SIDE: Final = 256
"""Pixels of the object's longer side while an opening is looked for."""
ROUNDEST, FLATTEST = 0.8, 0.12
"""Shorter over longer axis of an opening: the sine of the eye's elevation, 7° to 53°."""
NARROWEST: Final = 0.6
"""Radius of an opening at least, of the body's largest."""
MISS: Final = 0.025
"""Root of the mean squared distance from the boundary to the ellipse at most, of its radius."""
EDGE: Final = 5.0
"""Change of colour (CIELAB) across the lower arc at least."""
UNEVEN: Final = 4.5
"""Colour (CIELAB) that a median over the opening's eighth may leave, on average."""
CURVED: Final = 6.0
"""Lightness (CIELAB) by which an opening changes from side to side at least."""
WALL: Final = 0.07
"""Thickness of the wall, of the opening's radius."""
THINNEST: Final = 2.0
"""Pixels of the grid that a wall is thick at least, so that marching cubes see it."""
DEPTH: Final = 0.85
"""Depth of the cavity, of the body's height."""


@dataclass(frozen=True, slots=True)
class Vessel:
    """An open body of revolution in pixels, y down, about the upright line through z = 0.

    Attributes:
        axis: x of the axis.
        rim: y of the rim.
        tilt: Sine of the eye's elevation.
        radii: (N,) outer radius at each row of pixels below the rim, the last at the ground.
        wall: Thickness of the wall.
        handle: (h, w) half thickness of what the outline shows beside the body, 0 elsewhere.
    """

    axis: float
    rim: float
    tilt: float
    radii: Floats
    wall: float
    handle: Floats

    @property
    def floor(self) -> float:
        """The y of the cavity's floor."""
        return self.rim + DEPTH * (len(self.radii) - 1)

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
        body = np.minimum(radius - around, np.minimum(beneath, len(self.radii) - 1 - beneath))
        cavity = np.minimum(radius - np.float32(self.wall) - around, np.float32(self.floor) - y)
        # The handle ends within the wall.
        beside = np.minimum(
            self.handle[..., None] - np.abs(depth), around - radius + np.float32(0.5 * self.wall)
        )
        beside = np.where(self.handle[..., None] > 0.0, beside, -1.0)
        return np.asarray(np.maximum(np.minimum(body, -cavity), beside), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Opening:
    """The ellipse of an opening: x of the axis, y of the middle, both half axes, in pixels."""

    x: float
    y: float
    a: float
    b: float


def opening_of(mask: Flags, colours: Pixels, axis: float) -> Opening | None:
    """The opening of a vessel, or None.

    Args:
        mask: (h, w) the object, in its box; a body of revolution.
        colours: (h, w, 3) uint8 sRGB.
        axis: x of its axis.
    """
    shrink = SIDE / max(mask.shape)
    size = (max(8, round(mask.shape[1] * shrink)), max(8, round(mask.shape[0] * shrink)))
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    way = cv2.INTER_AREA if shrink < 1.0 else cv2.INTER_LINEAR
    lab = cv2.cvtColor(
        cv2.resize(colours, size, interpolation=way).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB
    )
    halves = half_widths(small, axis * shrink)
    found = _ellipse(small, halves, axis * shrink)
    if found is None or not _stands(found, small, halves) or not _shows(found, lab):
        return None
    return Opening(*(value / shrink for value in (found.x, found.y, found.a, found.b)))


def half_widths(mask: Flags, axis: float) -> Floats:
    """(h,) pixels from the axis to the nearer end of the run of each row that holds it."""
    column = min(mask.shape[1] - 1, max(0, int(axis)))
    right = np.argmin(np.pad(mask[:, column:], ((0, 0), (0, 1))), axis=1) + column - axis
    left = axis - column - 1 + np.argmin(np.pad(mask[:, column::-1], ((0, 0), (0, 1))), axis=1)
    halves = np.where(mask[:, column], np.minimum(left, right), 0.0)
    return np.asarray(np.maximum(halves, 0.0), dtype=np.float32)


def _ellipse(mask: Flags, halves: Floats, axis: float) -> Opening | None:
    """The ellipse whose upper half is the mask's upper boundary."""
    best: Opening | None = None
    radius = float(halves.max())
    for _ in range(6):
        x = np.arange(int(axis - 0.93 * radius), int(axis + 0.93 * radius) + 1)
        x = x[(x >= 0) & (x < mask.shape[1])]
        if len(x) < 12:
            return None
        top = mask[:, x].argmax(axis=0).astype(np.float64)
        rise = np.sqrt(np.maximum(0.0, 1.0 - ((x + 0.5 - axis) / radius) ** 2))
        # top = y - b * rise, by least squares.
        (y, b), *_ = np.linalg.lstsq(np.stack([np.ones(len(x)), -rise], axis=1), top, rcond=None)
        if not 0.0 < y < 0.6 * len(mask) or b <= 0.0:
            return None
        miss = float(np.sqrt(np.mean((top - y + b * rise) ** 2)))
        best = Opening(axis, float(y), radius, float(b)) if miss < MISS * radius else None
        last, radius = radius, float(halves[round(y) : round(y) + 3].max())
        if abs(last - radius) < 0.5:
            break
    return best


def _stands(opening: Opening, mask: Flags, halves: Floats) -> bool:
    """Whether a body large enough to hold the opening goes on below it."""
    if not FLATTEST < opening.b / opening.a < ROUNDEST:
        return False
    if opening.a < NARROWEST * float(halves.max()):
        return False
    if len(mask) - opening.y - opening.b < 0.45 * opening.a:
        return False
    angles = np.linspace(0.12 * np.pi, 0.88 * np.pi, 60)
    x = np.clip(opening.x + 0.97 * opening.a * np.cos(angles), 0, mask.shape[1] - 1).astype(int)
    y = opening.y + opening.b * np.sin(angles) + 0.15 * opening.a
    below = mask[np.clip(y, 0, len(mask) - 1).astype(int), x]
    return bool(below.mean() > 0.95)


def _shows(opening: Opening, lab: Floats) -> bool:
    """Whether the lower arc is an edge, all along, and what it encloses is even."""
    soft = cv2.GaussianBlur(lab, (0, 0), 1.2)
    angles = np.linspace(0.1 * np.pi, 0.9 * np.pi, 64)
    step = 0.07 * opening.a

    def along(offset: float) -> Floats:
        x = opening.x + 0.98 * opening.a * np.cos(angles) - 0.5
        y = opening.y + opening.b * np.sin(angles) + offset - 0.5
        return np.asarray(
            cv2.remap(soft, x.astype(np.float32)[None], y.astype(np.float32)[None],
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        )  # fmt: skip

    # The rim's own thickness may put the edge a little above or below.
    jumps = [along(offset + step) - along(offset - step) for offset in step * np.linspace(-1, 1, 9)]
    strong = max(jumps, key=lambda jump: float(np.linalg.norm(np.median(jump, axis=0))))
    sizes = np.linalg.norm(strong, axis=1)
    crossed = float((sizes > EDGE).mean())
    y, x = np.mgrid[: lab.shape[0], : lab.shape[1]]
    far = ((x + 0.5 - opening.x) / opening.a) ** 2 + ((y + 0.5 - opening.y) / opening.b) ** 2
    inner = far < 0.75**2
    cover = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), opening.b / 5.0)
    mean = cv2.GaussianBlur(soft * inner[..., None], (0, 0), opening.b / 5.0)
    rest = np.linalg.norm(soft - mean / np.maximum(cover, 1e-3)[..., None], axis=2)
    uneven = float(rest[inner].mean())
    return crossed > 0.8 and uneven < UNEVEN and _curves(opening, soft)


def _curves(opening: Opening, lab: Floats) -> bool:
    """Whether lightness changes across the opening, as on a round wall; on a lid it does not."""
    cover = np.zeros(lab.shape[:2], np.uint8)
    middle = (round(opening.x - 0.5), round(opening.y - 0.5))
    axes = (round(0.8 * opening.a), max(1, round(0.5 * opening.b)))
    cv2.ellipse(cover, middle, axes, 0.0, 0.0, 360.0, 1, -1)
    counts = cover.sum(axis=0)
    columns = np.flatnonzero(counts)
    across = (lab[..., 0] * cover).sum(axis=0)[columns] / counts[columns]
    low, high = np.percentile(across, [5, 95])
    return bool(high - low > CURVED)


def vessel_of(opening: Opening, inside: Flags, height: Floats) -> Vessel | None:
    """The vessel of an opening, or None where it is too small to have walls.

    Args:
        opening: In pixels of the grid.
        inside: (h, w) the grid.
        height: (h, w) squared half thickness, of which the handle's is taken.
    """
    wall = max(WALL * opening.a, THINNEST)
    tilt = opening.b / opening.a
    halves = half_widths(inside, opening.x + 0.5)
    rows = np.flatnonzero(inside.any(axis=1))
    near = cv2.getGaussianKernel(2 * (len(rows) // 40 + 2) + 1, len(rows) / 120 + 0.8).ravel()
    first = round(opening.y)
    tips = np.arange(first, len(halves)) + tilt * halves[first:]
    below = np.flatnonzero(tips >= rows[-1] + 0.5)
    count = int(below[0]) if len(below) else 0
    if count < 4 * wall or opening.a < 4 * wall:
        return None
    radii = np.convolve(
        np.pad(halves[first : first + count], len(near) // 2, mode="edge"), near, mode="valid"
    ).astype(np.float32)
    outline = halves.copy()
    x = np.abs(np.arange(inside.shape[1]) - opening.x)[None, :]
    rim = (np.arange(len(inside)) > first + wall)[:, None]
    outline[first : first + count] = radii
    beside = inside & rim & (x > outline[:, None] + 1.0)
    beside[first + count :] = False
    beside = cv2.morphologyEx(beside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    thick = float(cv2.distanceTransform(beside, cv2.DIST_L2, 5).max())
    handle = np.zeros_like(height)
    if thick > 1.5:
        reach = 2 * int(np.ceil(wall)) + 3
        grown = cv2.dilate(beside, np.ones((reach, reach), np.uint8)) > 0
        kept = grown & inside
        handle[kept] = np.minimum(np.sqrt(np.maximum(height[kept], 0.0)), thick)
    return Vessel(opening.x, opening.y, tilt, radii, wall, handle)
