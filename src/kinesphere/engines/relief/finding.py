"""What relief takes for the object in a picture, told without making it."""

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import Json
from kinesphere.engines.relief.cutout import Cutout, NoObject, cut_out
from kinesphere.engines.relief.network import MaskNetwork
from kinesphere.formats.picture import BadPicture, Picture, decode

DOUBTFUL: Final = 0.65
"""Confidence of a mask under which the caller is advised to look at it.

Of 87 photographs, 9 masks overlapped the object by less than 0.6: 8 of them fell under it, and 3
better ones.
"""
DOUBT: Final = (
    "The object may not have been found whole. A picture with a plain or transparent background, "
    "or a mask, tells what it is."
)


def find(
    picture: bytes, mask: bytes | None, pixels: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The mask as PNG, white where the object is, and how it was found.

    Args:
        picture: The file.
        mask: The caller's own mask, or None.
        pixels: Most pixels of either.
        options: Of the stage that makes the shape.

    Raises:
        Rejected: IMAGE_REJECTED, IMAGE_TOO_LARGE.
    """
    shown, own = _decoded("picture", picture, pixels), None
    if mask is not None:
        own = _decoded("mask", mask, pixels)
    try:
        cutout = cut_out(shown, own, _network(str(options.get("mask_model", ""))))
    except NoObject as nothing:
        field = FieldError("picture", "shows no object", "a picture of one object")
        raise Rejected("IMAGE_REJECTED", str(nothing), (field,)) from None
    height, width = cutout.mask.shape
    return {"png": png(cutout), "width": width, "height": height, **mask_notes(cutout)}


def mask_notes(cutout: Cutout) -> dict[str, Json]:
    """How a mask was found, how sure it is, and what would help where it is not."""
    notes: dict[str, Json] = {"method": cutout.method, "confidence": cutout.confidence}
    if cutout.confidence < DOUBTFUL:
        notes["advice"] = DOUBT
    return notes


def png(cutout: Cutout) -> bytes:
    """The mask as a picture, white where the object is."""
    file = io.BytesIO()
    Image.fromarray(cutout.mask.astype(np.uint8) * 255).save(file, "PNG")
    return file.getvalue()


def _decoded(name: str, data: bytes, pixels: int) -> Picture:
    try:
        return decode(data, pixels)
    except BadPicture as bad:
        field = FieldError(name, str(bad), bad.allowed)
        raise Rejected(bad.code, f"The {name} {bad}.", (field,)) from None


@lru_cache(maxsize=1)
def _network(path: str) -> MaskNetwork | None:
    return MaskNetwork(Path(path)) if path else None
