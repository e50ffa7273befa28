"""From an outline to a solid: how thick each place is, and how far in front.

Cues, each with its reach:

- *local width*: the union of the largest discs within the outline, taken as balls: a leg is as
  thick as it is wide (medial axis, Blum 1967), by a distance transform of weighted points;
- *inflation*: the Poisson equation over the outline, for roundness without creases;
- *symmetry*: rows that mirror in one upright axis are taken for a body of revolution;
- *opening*: an ellipse at the top of such a body is carved, see `vessel`;
- *ground contact*: of several feet, those lower in the picture stand nearer to the eye;
- *shading*: fine changes of lightness become a small bump of the front.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.vessel import Opening, Vessel, opening_of, vessel_of

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

MARGIN: Final = 3
"""Pixels of the grid around the object."""
BUMP: Final = 0.006
"""Height of the shading's relief at most, as a share of the longer side."""
TILT: Final = 0.36
"""Sine of the elevation (about 21°) of product photographs, where feet tell that there is one."""
DEEPEST: Final = 0.9
"""Share of the feet's spread in width by which they may differ in depth."""

LIFTED: Final = 0.1
"""Share of the height by which a foot may end above the lowest one."""
LEGS_APART: Final = 0.7
"""Share of a body's thickness by which its feet may differ in depth."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A solid by its height over a middle surface, on a grid of pixels, y down.

    Inside where `height - (z - centre)² > 0`, z in pixels towards the eye.

    Attributes:
        height: (h, w) squared half thickness, negative outside.
        centre: (h, w) z of the middle surface.
        bump: (h, w) added to the front's half thickness.
        tilt: Sine of the eye's elevation: a point at z is seen z * tilt too low.
        cues: Names of the cues that were used.
        vessel: In place of height, centre and bump, where the object is a cup.
    """

    height: Floats
    centre: Floats
    bump: Floats
    tilt: float
    cues: tuple[str, ...]
    vessel: Vessel | None = None


def solid_of(mask: Flags, colours: Pixels, side: int) -> tuple[Solid, float]:
    """The solid of an object on a grid of `side` pixels along its longer side.

    Returns:
        The solid, and the pixels of the mask per pixel of the grid. The grid begins `MARGIN`
        pixels above and left of the object's box.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = max(box.shape) / side
    size = (max(3, round(box.shape[1] / scale)), max(3, round(box.shape[0] / scale)))
    signed = _signed(np.pad(box, 8))[4:-4, 4:-4]
    grid = (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN)
    y, x = np.mgrid[: grid[1], : grid[0]].astype(np.float32)
    at_x, at_y = (x - MARGIN + 0.5) * scale - 0.5 + 4, (y - MARGIN + 0.5) * scale - 0.5 + 4
    soft = cv2.GaussianBlur(signed, (0, 0), max(1.2, 0.6 * scale))
    distance = cv2.remap(soft, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    distance = np.asarray(distance / scale, dtype=np.float32)
    _clear_rim(distance)
    inside = distance > 0.0
    height = _inflated(distance, inside)
    cues = ["width", "inflation"]
    crop = colours[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    revolved = _revolved(inside)
    if revolved is not None:
        turned, axis = revolved
        cues.append("revolution")
        opening = opening_of(box, crop, (axis - MARGIN) * scale)
        vessel = _carved(opening, inside, height, scale)
        if vessel is not None:
            nothing = np.zeros_like(height)
            cues.append("opening")
            return Solid(height, nothing, nothing, vessel.tilt, tuple(cues), vessel), scale
        height = np.maximum(height, turned)
    height = np.where(inside, height, np.minimum(-0.05, distance * 2.0)).astype(np.float32)
    centre, tilt = np.zeros_like(height), 0.0
    if revolved is None:
        centre, tilt = _standing(inside, distance)
        if tilt:
            cues.append("ground")
    bump = _shaded(crop, size, distance, BUMP * side)
    cues.append("shading")
    return Solid(height, centre, bump, tilt, tuple(cues)), scale


def _carved(opening: Opening | None, inside: Flags, height: Floats, scale: float) -> Vessel | None:
    """The vessel of an opening that is given in pixels of the box."""
    if opening is None:
        return None
    x, y = (value / scale - 0.5 + MARGIN for value in (opening.x, opening.y))
    return vessel_of(Opening(x, y, opening.a / scale, opening.b / scale), inside, height)


def _signed(mask: Flags) -> Floats:
    """Distance to the outline, positive inside, zero between the pixels."""
    within = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beyond = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.where(mask, within - 0.5, 0.5 - beyond), dtype=np.float32)


def _clear_rim(distance: Floats) -> None:
    rim = np.ones(distance.shape, dtype=np.bool_)
    rim[2:-2, 2:-2] = False
    distance[rim] = np.minimum(distance[rim], -0.5)


def _inflated(distance: Floats, inside: Flags) -> Floats:
    """(h, w) squared half thickness from local width and from inflation, as a mean of both."""
    balls = _balls(np.where(inside, distance, 0.0))
    pillow = _poisson(inside)
    # Both are zero on the outline and rise with the distance to it. A long strip of half width w
    # has w² at its middle as balls, 2 w² as a solution of Poisson's equation; the wider the part
    # against the rest, the less the second may exceed the first.
    pillow = np.minimum(pillow, 1.3 * balls + 0.02 * float(balls.max()))
    mixed = 0.6 * balls + 0.4 * pillow
    smooth = cv2.GaussianBlur(np.where(inside, mixed, 0.0), (0, 0), 1.2)
    near = np.clip(distance / 3.0, 0.0, 1.0)
    return np.asarray(near * smooth + (1.0 - near) * mixed, dtype=np.float32)


def _balls(radius: Floats) -> Floats:
    """Max over c of radius(c)² - |p - c|²: the upper side of all discs' balls, in two passes."""
    result: Floats = (radius * radius).astype(np.float32)
    for axis in (0, 1):
        rows = np.moveaxis(result, axis, 0)
        reach = int(np.ceil(float(radius.max()))) + 1
        best = rows.copy()
        for step in range(1, min(reach, len(rows) - 1) + 1):
            lowered = rows - np.float32(step * step)
            np.maximum(best[step:], lowered[:-step], out=best[step:])
            np.maximum(best[:-step], lowered[step:], out=best[:-step])
        result = np.moveaxis(best, 0, axis)
    return np.maximum(result, 0.0)


def _poisson(inside: Flags) -> Floats:
    """Solution of Laplace(u) = -4 inside, 0 outside: a disc of radius r gives r² - d².

    Coarse to fine; each level relaxes what the one before gives.
    """
    levels: list[Floats] = [inside.astype(np.float32)]
    while min(levels[-1].shape) > 24:
        half = (max(2, levels[-1].shape[1] // 2), max(2, levels[-1].shape[0] // 2))
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    answer: Floats = np.zeros_like(levels[-1])
    kernel = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)
    for level, cover in reversed(list(enumerate(levels))):
        size = (cover.shape[1], cover.shape[0])
        if answer.shape != cover.shape:
            answer = cv2.resize(answer, size, interpolation=cv2.INTER_LINEAR)
        allowed = (cover > 0.5).astype(np.float32)
        source = np.float32(4.0**level)
        for _ in range(120 if level == len(levels) - 1 else 24):
            answer = (cv2.filter2D(answer, -1, kernel) + source) * allowed
    return np.asarray(answer, dtype=np.float32)


def _revolved(inside: Flags) -> tuple[Floats, float] | None:
    """Squared half thickness and axis of a body of revolution, where the outline is of one.

    Handles and spouts are taken off first by opening with a disc of a third of the width.
    """
    height, width = inside.shape
    radius = float(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5).max())
    reach = max(1, int(0.45 * radius))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disc)
    body = opened > 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        body.astype(np.uint8), connectivity=4
    )
    if count < 2:
        return None
    body = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    rows = np.flatnonzero(body.any(axis=1))
    if body.sum() < 0.7 * inside.sum() or len(rows) < 0.6 * height:
        return None
    left = body[rows].argmax(axis=1)
    right = width - body[rows][:, ::-1].argmax(axis=1)
    runs = np.abs(np.diff(inside[rows].astype(np.int8), axis=1)).sum(axis=1) + inside[rows][:, 0]
    middles, halves = (left + right) / 2.0, (right - left) / 2.0
    weight = halves / halves.sum()
    axis = float((weight * middles).sum())
    wobble = float((weight * np.abs(middles - axis)).sum()) / float((weight * halves).sum())
    single = float((weight * (runs <= 2)).sum())
    single_body = float(body[rows].sum() / (right - left).sum())
    if wobble > 0.045 or single_body < 0.97 or single < 0.35:
        return None
    profile = np.zeros(height, np.float32)
    profile[rows] = halves
    # Whole pixels would be rings around the body.
    near = max(2, round(0.03 * height))
    kernel = cv2.getGaussianKernel(2 * near + 1, 0.012 * height + 0.8).ravel()
    padded = np.pad(profile[rows], near, mode="edge")
    profile[rows] = np.convolve(padded, kernel, mode="valid").astype(np.float32)
    x = np.arange(width, dtype=np.float32) + 0.5 - axis
    turned = profile[:, None] ** 2 - x[None, :] ** 2
    return np.where(inside, np.maximum(turned, 0.0), 0.0).astype(np.float32), axis


def _standing(inside: Flags, distance: Floats) -> tuple[Floats, float]:
    """The middle surface by where thin feet touch the ground, and the tilt that follows."""
    feet = _feet(inside, distance)
    nothing = np.zeros(inside.shape, np.float32)
    if len(feet) < 2:
        return nothing, 0.0
    places = np.array([[x, y] for x, y, _ in feet], dtype=np.float64)
    # Feet of furniture are the corners of a rectangle; others stand under the body.
    level = _rectangle(places)
    if not level:
        # What ends well above the ground, such as a tail, is no foot.
        low = places[:, 1] > places[:, 1].max() - LIFTED * inside.shape[0]
        feet = [foot for foot, kept in zip(feet, low, strict=True) if kept]
        places = places[low]
    spread, rise = np.ptp(places[:, 0]), np.ptp(places[:, 1])
    if rise < 0.02 * inside.shape[0] or spread < 0.15 * inside.shape[1]:
        return nothing, 0.0
    most = DEEPEST * spread if level else LEGS_APART * 2.0 * float(distance.max())
    depth = min(rise / TILT, most)
    slope = depth / rise
    z = (places[:, 1] - places[:, 1].mean()) * slope
    fixed = np.zeros(inside.shape, np.bool_)
    centre = nothing.copy()
    if level:
        # A plate as level as the ground lies on the nearest leg; what rises beyond it is upright.
        nearest = int(np.argmax(z))
        length = float(np.ptp(np.flatnonzero(feet[nearest][2].any(axis=1))))
        rows = np.arange(len(inside), dtype=np.float32) + length - places[:, 1].mean()
        centre += np.clip(rows * slope, z.min(), z.max()).astype(np.float32)[:, None]
    for (_, _, leg), value in zip(feet, z, strict=True):
        fixed |= leg
        centre[leg] = value
    if level:
        return _softly(centre, inside), min(TILT, 1.0 / slope)
    return _spread(centre, fixed, inside), min(TILT, 1.0 / slope)


def _softly(values: Floats, inside: Flags) -> Floats:
    """`values` blurred within the inside, and carried on beyond it."""
    sigma = 0.012 * max(inside.shape)
    cover = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma)
    blurred = cv2.GaussianBlur(values * inside, (0, 0), sigma)
    return np.asarray(np.where(cover > 0.02, blurred / np.maximum(cover, 0.02), values), np.float32)


def _rectangle(places: Floats) -> bool:
    """Whether four places, (N, 2), are seen as corners of a rectangle on the ground."""
    if len(places) != 4:
        return False
    far, one, two, near = places[np.argsort(places[:, 1])]
    miss = np.abs(far + near - one - two)
    spread, rise = np.ptp(places, axis=0)
    return bool(miss[0] < 0.2 * spread and miss[1] < 0.5 * rise and rise > 0.05 * spread)


def _feet(inside: Flags, distance: Floats) -> list[tuple[float, float, Flags]]:
    """Thin parts that end low: where they touch the ground, x and y, and their pixels."""
    height = inside.shape[0]
    reach = max(2, int(0.5 * float(distance.max())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    thick = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disc)
    low = np.zeros_like(inside)
    low[int(0.45 * height) :] = True
    parts = inside & low & ~(thick > 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        parts.astype(np.uint8), connectivity=8
    )
    feet = []
    for label in range(1, count):
        leg = labels == label
        bottom = stats[label, cv2.CC_STAT_TOP] + stats[label, cv2.CC_STAT_HEIGHT]
        tall = int(stats[label, cv2.CC_STAT_HEIGHT])
        long = tall > 0.1 * height and tall > 1.6 * leg.sum() / tall
        if long and bottom > 0.65 * height:
            tip = np.flatnonzero(leg[bottom - 1])
            feet.append((float(tip.mean()), float(bottom), leg))
    return feet


def _spread(values: Floats, fixed: Flags, inside: Flags) -> Floats:
    """`values` carried on from where they are fixed through the inside, smoothly."""
    small = max(1, round(max(inside.shape) / 64))
    size = (max(4, inside.shape[1] // small), max(4, inside.shape[0] // small))
    cover = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = cv2.resize(fixed.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * fixed, size, interpolation=cv2.INTER_AREA)
    given = np.where(known > 0, sums / np.maximum(known, 1e-6), 0.0).astype(np.float32)
    held = known > 0.05
    weight = np.maximum(cover, 1e-3)
    field = given.copy()
    kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
    total = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    for _ in range(500):
        near = cv2.filter2D(field * weight, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        field = np.where(held, given, near / total).astype(np.float32)
    full = cv2.resize(field, (inside.shape[1], inside.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(full, (0, 0), 1.5 * small), dtype=np.float32)


def _shaded(crop: Pixels, size: tuple[int, int], distance: Floats, most: float) -> Floats:
    """A relief of at most `most` pixels from middle-sized changes of lightness."""
    grey = cv2.cvtColor(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    light = np.pad(grey.astype(np.float32) / 255.0, MARGIN, mode="edge")
    inside = (distance > 0).astype(np.float32)

    def blurred(sigma: float) -> Floats:
        # Normalised, so that the backdrop's lightness has no part in it.
        cover = cv2.GaussianBlur(inside, (0, 0), sigma)
        return np.asarray(
            cv2.GaussianBlur(light * inside, (0, 0), sigma) / np.maximum(cover, 1e-3), np.float32
        )

    side = max(size)
    band = blurred(0.008 * side + 0.5) - blurred(0.04 * side)
    taper = np.clip((distance - 2.0) / (0.06 * side), 0.0, 1.0)
    return np.asarray(np.tanh(band / 0.08) * most * taper, dtype=np.float32)
