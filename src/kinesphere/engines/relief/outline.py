"""An object's outline on the grid that its solid is made on."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

MARGIN: Final = 3
"""Pixels of the grid around the object."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An outline on a grid of pixels, y down, that begins `MARGIN` above and left of its box.

    Attributes:
        mask: (H, W) the object in its box, in pixels of the cut-out.
        colours: (H, W, 3) uint8 sRGB of the same.
        scale: Pixels of the cut-out per pixel of the grid.
        distance: (h, w) distance to the outline in pixels of the grid, positive inside.
    """

    mask: Flags
    colours: Pixels
    scale: float
    distance: Floats

    @property
    def inside(self) -> Flags:
        """(h, w) where the object is."""
        return np.asarray(self.distance > 0.0)


def outline_of(mask: Flags, colours: Pixels, side: int) -> Outline:
    """The outline of a mask on a grid of `side` pixels along the object's longer side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    high, wide = mask[box].shape
    scale = max(high, wide) / side
    grid = (max(3, round(high / scale)) + 2 * MARGIN, max(3, round(wide / scale)) + 2 * MARGIN)
    signed = signed_distance(np.pad(mask[box], 8))[4:-4, 4:-4]
    y, x = np.mgrid[: grid[0], : grid[1]].astype(np.float32)
    at_x, at_y = (x - MARGIN + 0.5) * scale - 0.5 + 4, (y - MARGIN + 0.5) * scale - 0.5 + 4
    soft = cv2.GaussianBlur(signed, (0, 0), max(1.2, 0.6 * scale))
    distance = cv2.remap(soft, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    distance = np.asarray(distance / scale, dtype=np.float32)
    rim = np.ones(distance.shape, dtype=np.bool_)
    rim[2:-2, 2:-2] = False
    distance[rim] = np.minimum(distance[rim], -0.5)
    return Outline(mask[box], colours[box], scale, distance)


def signed_distance(mask: Flags) -> Floats:
    """Distance to the outline, positive inside, zero between the pixels."""
    within = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beyond = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.where(mask, within - 0.5, 0.5 - beyond), dtype=np.float32)
