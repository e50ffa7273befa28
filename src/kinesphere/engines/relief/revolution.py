"""Bodies of revolution: outlines whose rows mirror in one upright axis."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Flags = NDArray[np.bool_]

WOBBLE: Final = 0.045
"""Deviation of the rows' middles from one axis at most, of their half widths."""

WIDEST: Final = 1.7
"""Width over height at most: pots and fruit are narrower, and buses and toolboxes are not turned.

Measured: a pumpkin 1.4, a teacup 1.5, a toolbox 2.1, a bus 2.6.
"""


def axis_of(inside: Flags) -> float | None:
    """The x of the axis of a body of revolution, or None where the outline is of none.

    Handles and spouts are taken off first by opening with a disc of a quarter of the width.
    """
    width = inside.shape[1]
    body = _trunk(inside)
    high, wide = (np.ptp(np.flatnonzero(body.any(axis=axis))) for axis in (1, 0))
    if wide > WIDEST * high:
        return None
    rows = np.flatnonzero(body.any(axis=1))
    if body.sum() < 0.7 * inside.sum() or len(rows) < 0.6 * np.ptp(np.flatnonzero(inside.any(1))):
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
    if wobble > WOBBLE or single_body < 0.97 or single < 0.35:
        return None
    return axis


def turned(distance: Floats, axis: float) -> Floats:
    """(h, w) squared half thickness of the body about its axis, negative beyond it.

    Args:
        distance: (h, w) distance to the outline, positive inside.
        axis: x, from the left edge of the first pixel.
    """
    profile = smooth(_profile(distance, axis), 0.018 * len(distance) + 0.8)
    x = np.arange(distance.shape[1], dtype=np.float32) + 0.5 - axis
    return np.asarray(profile[:, None] ** 2 - x[None, :] ** 2, dtype=np.float32)


def smooth(profile: Floats, sigma: float) -> Floats:
    """`profile` where it is positive, blurred along each stretch of it."""
    reach = 2 * round(2.0 * sigma) + 1
    kernel = cv2.getGaussianKernel(reach, sigma).ravel()
    known = (profile > 0.0).astype(np.float32)
    sums = np.convolve(profile, kernel, mode="same")
    return np.asarray(
        known * sums / np.maximum(np.convolve(known, kernel, mode="same"), 1e-3), np.float32
    )


def half_widths(distance: Floats, axis: float) -> Floats:
    """(h, 2) from the axis to the left and the right end of the run of each row that holds it.

    The ends lie between pixels, where the distance crosses zero.
    """
    column = min(distance.shape[1] - 1, max(0, int(axis)))
    sides = []
    for values, offset in (
        (distance[:, column::-1], axis - column - 0.5),
        (distance[:, column:], column + 0.5 - axis),
    ):
        padded = np.pad(values, ((0, 0), (0, 1)), constant_values=-1.0)
        end = np.argmax(padded <= 0.0, axis=1)
        rows = np.arange(len(values))
        inner, outer = padded[rows, np.maximum(end - 1, 0)], padded[rows, end]
        part = inner / np.maximum(inner - outer, 1e-6)
        sides.append(np.where(end > 0, end - 1 + part + offset, 0.0))
    return np.asarray(np.maximum(np.stack(sides, axis=1), 0.0), dtype=np.float32)


def _profile(distance: Floats, axis: float) -> Floats:
    """(h,) radius of each row: where handles hang on it, of the side without them."""
    inside = distance > 0.0
    sides = half_widths(distance, axis)
    body = _trunk(inside)
    trunk = half_widths(np.where(body, distance, -1.0).astype(np.float32), axis)
    mean, nearer = sides.mean(axis=1), sides.min(axis=1)
    even = nearer > 0.85 * sides.max(axis=1)
    # Where both sides carry something the trunk tells; it ends within a pixel of the outline.
    limit = np.where(body.any(axis=1) & ~even, trunk.mean(axis=1) + 1.0, np.inf)
    return np.asarray(np.minimum(np.where(even, mean, nearer), limit), dtype=np.float32)


def _trunk(inside: Flags) -> Flags:
    """The largest part that is left without handles, spouts and stems."""
    radius = float(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5).max())
    reach = max(1, int(0.45 * radius))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return inside
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
