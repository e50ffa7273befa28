"""How thick each place within an outline is, by its width and by inflation."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.outline import signed_distance

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Flags = NDArray[np.bool_]

FULL: Final = 0.85
"""Share of its rectangle that the outline of a box fills at least; an ellipse fills 0.785.

Measured: a toolbox 0.98, a bus 0.87, a wheeled bin 0.86; a roast turkey 0.84, fire engines 0.81.
"""
WHOLE: Final = 0.8
"""Share of the outline's area that the rectangle holds at least."""
EDGE: Final = 0.45
"""Radius of a box's edges, of its half thickness."""


def inflated(distance: Floats) -> Floats:
    """(h, w) squared half thickness from local width and from inflation, as a mean of both.

    Args:
        distance: (h, w) distance to the outline, positive inside.
    """
    inside = distance > 0.0
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


def boxed(distance: Floats) -> Floats | None:
    """(h, w) squared half thickness of a box with rounded edges, or None where nothing is boxy.

    An outline that fills a rectangle, wheels and handles left out, is of a box whose depth is the
    rectangle's shorter side.
    """
    inside = (distance > 0.0).astype(np.uint8)
    reach = max(1, int(0.3 * float(distance.max())))
    body = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((2 * reach + 1, 2 * reach + 1)))
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    largest = max(outlines, key=cv2.contourArea)
    _, sides, _ = cv2.minAreaRect(largest)
    area = cv2.contourArea(largest)
    if area < FULL * sides[0] * sides[1] or area < WHOLE * float(inside.sum()):
        return None
    trunk = cv2.GaussianBlur(np.minimum(signed_distance(body > 0), distance), (0, 0), 1.2)
    half = float(trunk.max())
    edge = 1.0 - np.clip(trunk / (EDGE * half), 0.0, 1.0)
    return np.asarray(np.where(trunk > 0.0, half**2 * (1.0 - edge**2), 0.0), dtype=np.float32)


def continued(height: Floats, distance: Floats) -> Floats:
    """`height` made to cross zero on the outline, at one slope from within to beyond.

    A field that bends on the outline is crossed by marching cubes beside it, by up to a pixel
    where the thing is thick: a row of teeth along the silhouette.
    """
    ring = ((distance > 0.7) & (distance < 3.5)).astype(np.float32)
    slope = np.where(ring > 0.0, height / np.maximum(distance, 0.7), 0.0).astype(np.float32)
    sums: Floats = slope
    count: Floats = ring
    for sigma in (1.5, 3.0):
        sums, count = cv2.GaussianBlur(sums, (0, 0), sigma), cv2.GaussianBlur(count, (0, 0), sigma)
    slope = np.maximum(1.0, sums / np.maximum(count, 1e-4))
    near = np.clip((distance - 0.7) / 1.3, 0.0, 1.0)
    inner = near * height + (1.0 - near) * np.minimum(slope * distance, np.maximum(height, 1.0))
    outer = np.minimum(-0.05, slope * distance)
    return np.asarray(np.where(distance > 0.0, inner, outer), dtype=np.float32)


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
