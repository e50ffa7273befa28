"""A small relief of the front from changes of lightness."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.outline import MARGIN, Outline

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]


BUMP: Final = 0.006
"""Height of the relief at most, as a share of the longer side."""


def shaded(outline: Outline) -> Floats:
    """(h, w) pixels by which middle-sized changes of lightness raise or lower the front."""
    distance = outline.distance
    size = (distance.shape[1] - 2 * MARGIN, distance.shape[0] - 2 * MARGIN)
    grey = cv2.cvtColor(
        cv2.resize(outline.colours, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    light = np.pad(grey.astype(np.float32) / 255.0, MARGIN, mode="edge")
    inside = outline.inside.astype(np.float32)

    def blurred(sigma: float) -> Floats:
        # Normalised, so that the backdrop's lightness has no part in it.
        cover = cv2.GaussianBlur(inside, (0, 0), sigma)
        return np.asarray(
            cv2.GaussianBlur(light * inside, (0, 0), sigma) / np.maximum(cover, 1e-3), np.float32
        )

    side = max(size)
    band = blurred(0.008 * side + 0.5) - blurred(0.04 * side)
    taper = np.clip((distance - 2.0) / (0.06 * side), 0.0, 1.0)
    return np.asarray(np.tanh(band / 0.08) * BUMP * side * taper, dtype=np.float32)
