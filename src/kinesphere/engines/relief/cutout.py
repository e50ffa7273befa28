"""What of a picture is the object: by the caller's mask, its alpha, its backdrop, or GrabCut.

The methods are tried in the order of how much they know. All work on the picture reduced to
`SIDE` pixels; the largest connected part is kept, specks are filled, true holes stay holes.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from kinesphere.engines.relief.backdrop import before_backdrop
from kinesphere.engines.relief.network import MaskNetwork
from kinesphere.engines.relief.segmentation import segmented
from kinesphere.engines.relief.views import Flags, Floats, Pixels, ellipse, largest, reduced
from kinesphere.formats.picture import Picture

SIDE: Final = 512
"""Pixels of the longer side of the picture that is looked at."""
LEAST_AREA: Final = 0.002
"""Share of the picture; a smaller object is none."""
LEAST_SIDE: Final = 12
MOST_AREA: Final = 0.985
BLANK: Final = 2.0
"""Standard deviation of all colours, of 255, under which a picture is blank."""
NOISE: Final = 0.12
"""Share of the variance left after a blur by a 64th of the picture.

Measured: noise keeps under 0.01, bare grass, gravel and brick 0.06 to 0.07, pictures of objects 0.5
to 0.9.
"""


class NoObject(Exception):
    """The picture shows no object, and why."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object cut out.

    Attributes:
        mask: (h, w) whether a pixel is the object's.
        colours: (h, w, 3) uint8 sRGB of the reduced picture.
        confidence: 0 to 1, how sure the mask is.
        method: "alpha", "mask", "backdrop", "network" or "grabcut".
    """

    mask: Flags
    colours: Pixels
    confidence: float
    method: str


def cut_out(
    picture: Picture, mask: Picture | None = None, network: MaskNetwork | None = None
) -> Cutout:
    """Find the object.

    Args:
        picture: Upright.
        mask: The caller's own: white, or opaque where it has transparency, is the object.
        network: What finds objects where neither alpha nor a plain backdrop tells; without one,
            `segmentation` does.

    Raises:
        NoObject: Blank, transparent or noisy pictures, and objects too small to shape.
    """
    small = reduced(picture.pixels, SIDE)
    colours, alpha = np.ascontiguousarray(small[..., :3]), small[..., 3]
    if alpha.max() < 8:
        raise NoObject("The picture is fully transparent.")
    if mask is not None:
        found, confidence, method = _given(mask, alpha.shape), 1.0, "mask"
    elif (alpha < 128).mean() > 0.01:
        found, method = alpha >= 128, "alpha"
        confidence = 1.0 - float(((alpha > 32) & (alpha < 224)).mean())
    else:
        found, confidence, method = _seen(colours, network)
    return Cutout(_whole(found, method), colours, round(confidence, 3), method)


def _seen(colours: Pixels, network: MaskNetwork | None) -> tuple[Flags, float, str]:
    """What the colours alone tell: mask, confidence, method."""
    _refuse_structureless(colours)
    backdrop = before_backdrop(colours)
    if backdrop is not None and backdrop.plain:
        return backdrop.mask, backdrop.confidence, "backdrop"
    if network is not None:
        return *network.mask(colours), "network"
    segment = segmented(colours, None if backdrop is None else backdrop.mask)
    if segment is None:
        raise NoObject("Nothing in the picture stands out from its surroundings.")
    return segment.mask, segment.confidence, "grabcut"


def _given(mask: Picture, shape: tuple[int, ...]) -> Flags:
    pixels = mask.pixels
    values = pixels[..., 3] if pixels[..., 3].min() < 128 else pixels[..., :3].max(axis=2)
    sized = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(sized >= 128)


def _refuse_structureless(colours: Pixels) -> None:
    values = colours.astype(np.float32)
    spread = _spread(values)
    if spread < BLANK:
        raise NoObject("The picture is blank.")
    blurred = cv2.GaussianBlur(values, (0, 0), max(values.shape[:2]) / 64.0)
    kept = _spread(np.asarray(blurred)) ** 2 / spread**2
    if kept < NOISE:
        raise NoObject("The picture is noise: nothing in it is larger than a speck.")


def _spread(values: Floats) -> float:
    """Largest standard deviation of a channel of (h, w, 3)."""
    _, deviations = cv2.meanStdDev(values)
    return float(deviations.max())


def _whole(found: Flags, method: str) -> Flags:
    """The largest part, its specks filled and its outline without hairs."""
    side = max(found.shape)
    mask: Pixels = found.astype(np.uint8)
    if method not in ("alpha", "mask"):
        disc = ellipse(1 if method == "backdrop" else max(1, side // 250))
        mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc), cv2.MORPH_OPEN, disc)
    whole = largest(mask > 0)
    share = float(whole.mean())
    if share == 0.0:
        raise NoObject("The picture shows no object.")
    extent = max(int(whole.any(axis=0).sum()), int(whole.any(axis=1).sum()))
    if share < LEAST_AREA or extent < LEAST_SIDE:
        raise NoObject("The object in the picture is too small.")
    if share > MOST_AREA and method not in ("alpha", "mask"):
        raise NoObject("The object fills the whole picture: nothing tells it from a backdrop.")
    return whole
