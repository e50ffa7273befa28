"""What of a picture is the object: by its alpha, its backdrop, the caller's mask, or GrabCut.

The methods are tried in the order of how much they know. All work on the picture reduced to
`SIDE` pixels; the largest connected part is kept, specks are filled, true holes stay holes.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.saliency import saliency_weights, salient
from kinesphere.formats.picture import Picture

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

SIDE: Final = 512
"""Pixels of the longer side of the picture that is looked at."""
GRABCUT_SIDE: Final = 224
LEAST_AREA: Final = 0.002
"""Share of the picture; a smaller object is none."""
HOLE: Final = 0.0008
"""Share of the picture from which a spot of the backdrop's colour in the object is a hole."""
LEAST_SIDE: Final = 12
MOST_AREA: Final = 0.985
BLANK: Final = 2.0
"""Standard deviation of all colours, of 255, under which a picture is blank."""
NOISE: Final = 0.12
"""Share of the variance left after a blur by a 64th of the picture.

Measured: noise keeps under 0.01, bare grass, gravel and brick 0.06 to 0.07, pictures of objects 0.5
to 0.9.
"""
UNIFORM: Final = 0.80
"""Share of the border that has to be of the backdrop's colour."""


class NoObject(Exception):
    """The picture shows no object, and why."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object cut out.

    Attributes:
        mask: (h, w) whether a pixel is the object's.
        colours: (h, w, 3) uint8 sRGB of the reduced picture.
        confidence: 0 to 1, how sure the mask is.
        method: "alpha", "mask", "backdrop", "u2netp" or "grabcut".
    """

    mask: Flags
    colours: Pixels
    confidence: float
    method: str


def cut_out(picture: Picture, mask: Picture | None) -> Cutout:
    """Find the object.

    Args:
        picture: Upright.
        mask: The caller's own: white, or opaque where it has transparency, is the object.

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
        _refuse_structureless(colours)
        backdrop = _from_backdrop(colours)
        if backdrop is not None:
            found, confidence, method = *backdrop, "backdrop"
        elif (weights := saliency_weights()) is not None:
            found, confidence, method = *salient(weights, colours), "u2netp"
        else:
            found, confidence, method = *_from_grabcut(colours), "grabcut"
    return Cutout(_whole(found, method), colours, round(confidence, 3), method)


def reduced(pixels: Pixels, side: int) -> Pixels:
    """The pixels with a longer side of at most `side`."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _given(mask: Picture, shape: tuple[int, ...]) -> Flags:
    pixels = mask.pixels
    values = pixels[..., 3] if pixels[..., 3].min() < 128 else pixels[..., :3].max(axis=2)
    sized = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(sized >= 128)


def _refuse_structureless(colours: Pixels) -> None:
    values = colours.astype(np.float32)
    spread = float(values.std(axis=(0, 1)).max())
    if spread < BLANK:
        raise NoObject("The picture is blank.")
    blurred = cv2.GaussianBlur(values, (0, 0), max(values.shape[:2]) / 64.0)
    kept = float(blurred.std(axis=(0, 1)).max()) ** 2 / spread**2
    if kept < NOISE:
        raise NoObject("The picture is noise: nothing in it is larger than a speck.")


def _lab(colours: Pixels) -> Floats:
    lab = cv2.cvtColor(colours.astype(np.float32) / 255.0, cv2.COLOR_RGB2Lab)
    return np.asarray(lab, dtype=np.float32)


def _border(shape: tuple[int, ...]) -> Flags:
    width = max(2, round(0.02 * max(shape[:2])))
    border = np.ones(shape[:2], dtype=np.bool_)
    border[width:-width, width:-width] = False
    return border


def _backdrop_model(lab: Floats, border: Flags) -> tuple[Floats, float, float]:
    """A plane or bowl of colour fitted to the border, the share of it that fits, its noise."""
    height, width = border.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y], axis=-1)
    kept = border.copy()
    model = np.broadcast_to(np.median(lab[border], axis=0), lab.shape)
    for _ in range(4):
        off = np.linalg.norm(lab - model, axis=2)
        kept = border & (off < max(8.0, 2.5 * float(np.median(off[border]))))
        rows = terms[kept]
        answer, *_ = np.linalg.lstsq(rows, lab[kept], rcond=None)
        model = terms @ answer.astype(np.float32)
    off = np.linalg.norm(lab - model, axis=2)[border]
    return model, float((off < 9.0).mean()), float(np.median(off))


def _from_backdrop(colours: Pixels) -> tuple[Flags, float] | None:
    """Where colours leave a smooth backdrop, soft shadows on it left out."""
    smooth = cv2.medianBlur(colours, 3)
    lab = _lab(smooth)
    border = _border(lab.shape)
    model, share, noise = _backdrop_model(lab, border)
    if share < UNIFORM:
        return None
    off = lab - model
    threshold = max(6.0, 4.0 * noise)
    distance = np.linalg.norm(off, axis=2)
    chroma = np.linalg.norm(off[..., 1:], axis=2)
    seeds = distance > threshold
    # A soft shadow is a darker backdrop of the same hue without a sharp edge of its own.
    edges = cv2.morphologyEx(lab[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    shadow = seeds & (off[..., 0] < 0) & (off[..., 0] > -32.0) & (chroma < 4.5) & (edges < 9.0)
    # What is smooth and dark inside the object looks like shadow, and is not: it does not touch
    # the backdrop. The backdrop seen through a handle does not touch the border.
    free = ~seeds | shadow
    outside = _reached(free, (border & free) | _large(~seeds))
    found = ~outside
    if not found.any():
        return None
    contrast = float(np.median(distance[found]))
    confidence = min(1.0, share) * min(1.0, contrast / (4.0 * threshold))
    return found, 0.5 + 0.5 * confidence


def _large(flags: Flags) -> Flags:
    """Connected parts of over a thousandth of the picture, slim ones left out."""
    core = cv2.morphologyEx(flags.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    kept = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] > HOLE * flags.size)
    return np.isin(labels, kept[kept > 0])


def _reached(free: Flags, start: Flags) -> Flags:
    """The parts of `free` that touch `start`."""
    _, labels = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    touched = np.unique(labels[start & free])
    return np.isin(labels, touched[touched > 0])


def _from_grabcut(colours: Pixels) -> tuple[Flags, float]:
    """GrabCut (Rother et al. 2004), begun from what differs from the border near the middle."""
    small = reduced(colours, GRABCUT_SIDE)
    height, width = small.shape[:2]
    lab = _lab(cv2.bilateralFilter(small, 5, 30, 5))
    border = _border(lab.shape)
    rim = lab[border].reshape(-1, 3)
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    labels = np.zeros((len(rim), 1), np.int32)
    _, _, centres = cv2.kmeans(rim, min(5, len(rim)), labels, stop, 1, cv2.KMEANS_PP_CENTERS)
    off = np.min([np.linalg.norm(lab - c, axis=2) for c in centres], axis=0)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = np.exp(-1.6 * (x * x + y * y))
    salient = cv2.GaussianBlur(off, (0, 0), 2.0) * middle
    bar, _ = cv2.threshold(
        np.clip(salient / max(1e-6, float(salient.max())) * 255, 0, 255).astype(np.uint8),
        0, 255, cv2.THRESH_OTSU,
    )  # fmt: skip
    likely = salient / max(1e-6, float(salient.max())) * 255 > bar
    trimap = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[border] = cv2.GC_BGD
    if not likely.any():
        raise NoObject("Nothing in the picture stands out from its surroundings.")
    cv2.grabCut(
        small, trimap, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK
    )
    found = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    if not found.any():
        raise NoObject("Nothing in the picture stands out from its surroundings.")
    agreed = float((found & likely).sum() / (found | likely).sum())
    size = (colours.shape[1], colours.shape[0])
    soft = cv2.resize(found.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft > 0.5), 0.15 + 0.5 * agreed


def _whole(found: Flags, method: str) -> Flags:
    """The largest part, its specks filled and its outline without hairs."""
    side = max(found.shape)
    mask: Pixels = found.astype(np.uint8)
    if method not in ("alpha", "mask"):
        reach = 1 if method == "backdrop" else max(1, side // 170)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc), cv2.MORPH_OPEN, disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        raise NoObject("The picture shows no object.")
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    whole = labels == largest
    share = float(whole.mean())
    extent = max(stats[largest, cv2.CC_STAT_WIDTH], stats[largest, cv2.CC_STAT_HEIGHT])
    if share < LEAST_AREA or extent < LEAST_SIDE:
        raise NoObject("The object in the picture is too small.")
    if share > MOST_AREA and method not in ("alpha", "mask"):
        raise NoObject("The object fills the whole picture: nothing tells it from a backdrop.")
    if method == "grabcut" and share < 0.3 * float(mask.mean()):
        raise NoObject("The picture falls into many parts, none of them an object.")
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~whole).astype(np.uint8), connectivity=4
    )
    specks = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < max(9.0, 0.002 * whole.sum()))
    return np.asarray(whole | np.isin(labels, specks[specks > 0]))
