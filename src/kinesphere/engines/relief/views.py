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
