"""Pictures as the vendor's pipelines want them: the object alone, everything else transparent."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from PIL import Image

from kinesphere.core.jobs import Json
from kinesphere.core.requests import SIDES
from kinesphere.engines.relief.cutout import cut_out
from kinesphere.engines.relief.views import reduced
from kinesphere.formats.picture import Picture, decode

MOST_PIXELS: Final = 64_000_000
SIDE: Final = 1_024
"""Pixels of the longer side; the vendor's pipelines reduce to 512 or 518."""


def subject(picture: Picture, mask: Picture | None = None) -> tuple[Image.Image, dict[str, Json]]:
    """The object of a picture on nothing.

    The caller's mask says what the object is; else the picture's transparency does, else relief's
    cut-out. Nothing is downloaded for it.

    Returns:
        An RGBA picture, and notes for the caller on how sure the cut-out is.

    Raises:
        NoObject: As `kinesphere.engines.relief.cutout.cut_out`.
    """
    found = cut_out(picture, mask)
    pixels = np.array(reduced(picture.pixels, SIDE))
    if found.method != "alpha":
        size = (pixels.shape[1], pixels.shape[0])
        values = found.mask.astype(np.uint8) * 255
        pixels[..., 3] = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return Image.fromarray(pixels), {"method": found.method, "confidence": found.confidence}


def given_views(inputs: Mapping[str, bytes]) -> dict[str, Picture]:
    """The caller's pictures by the vendor's names of the sides, the front first.

    Raises BadPicture.
    """
    named = {"front": inputs["picture"]} | {s: inputs[s] for s in SIDES if s in inputs}
    return {side: decode(data, MOST_PIXELS) for side, data in named.items()}


def given_mask(inputs: Mapping[str, bytes]) -> Picture | None:
    """The caller's mask, where there is one. Raises BadPicture."""
    return decode(inputs["mask"], MOST_PIXELS) if "mask" in inputs else None
