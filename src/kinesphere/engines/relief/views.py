"""The picture as the cut-out looks at it: reduced, in CIE Lab, and its border."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

SPECK: Final = 0.002
"""Share of an object's area under which a hole in it is a speck."""
SAMPLE: Final = 10_000
"""Pixels that tell whether an object is of one colour."""
ONE_COLOUR: Final = 6.0
"""Difference of a channel, of 255, up to which two pixels are of one colour."""


def reduced(pixels: Pixels, side: int) -> Pixels:
    """The pixels with a longer side of at most `side`."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def lab(colours: Pixels) -> Floats:
    """(h, w, 3) CIE Lab of uint8 sRGB, in its own units: lightness 0 to 100."""
    values = cv2.cvtColor(colours.astype(np.float32) / 255.0, cv2.COLOR_RGB2Lab)
    return np.asarray(values, dtype=np.float32)


def lengths(vectors: Floats) -> Floats:
    """(h, w) lengths of (h, w, N), several times as fast as sums over so short an axis."""
    total = vectors[..., 0] * vectors[..., 0]
    for part in range(1, vectors.shape[2]):
        total += vectors[..., part] * vectors[..., part]
    return np.asarray(np.sqrt(total, out=total))


def border(shape: tuple[int, ...]) -> Flags:
    """(h, w) the outermost fiftieth of a picture."""
    width = max(2, round(0.02 * max(shape[:2])))
    rim = np.ones(shape[:2], dtype=np.bool_)
    rim[width:-width, width:-width] = False
    return rim


def ellipse(reach: int) -> Pixels:
    """A disc of radius `reach` for morphology."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))


def largest(mask: Flags) -> Flags:
    """The largest connected part, its specks filled; nothing of nothing."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    if count < 2:
        return np.zeros_like(mask)
    whole = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~whole).astype(np.uint8), connectivity=4
    )
    specks = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < max(9.0, SPECK * whole.sum()))
    return np.asarray(whole | np.isin(labels, specks[specks > 0]))


def one_coloured(mask: Flags, colours: Pixels) -> bool:
    """Whether (h, w, 3) uint8 sRGB shows an object in one colour, as logos and icons are drawn."""
    core = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    own = colours[core if core.any() else mask]
    own = own[:: max(1, len(own) // SAMPLE)].astype(np.float32)
    off = np.abs(own - np.median(own, axis=0)).max(axis=1)
    return bool((off > ONE_COLOUR).mean() < 0.01)
