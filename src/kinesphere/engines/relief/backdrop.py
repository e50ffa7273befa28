"""The object before a smooth backdrop, plain or gently lit: where its colours leave it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from kinesphere.engines.relief.views import Flags, Floats, Pixels, border, lab, lengths

PLAIN: Final = 1.2
"""Median colour difference of the border, in Lab, up to which a backdrop is plain.

Measured: drawn and lit studio backdrops 0.1, a rough wall 2.4 to 2.9, wood 1.7, brick 1.6.
"""
HOLE: Final = 0.0008
"""Share of the picture from which a spot of the backdrop's colour in the object is a hole."""
UNIFORM: Final = 0.80
"""Share of the border that has to be of the backdrop's colour."""
CUT: Final = 0.25
"""Share of the border that an object before a plain backdrop may take."""


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before a backdrop.

    Attributes:
        mask: (h, w), of any number of parts.
        confidence: 0.5 to 1.
        plain: Whether the backdrop is so even that the mask needs no second opinion.
    """

    mask: Flags
    confidence: float
    plain: bool


def _backdrop_model(values: Floats, rim: Flags) -> tuple[Floats, float, float]:
    """A plane or bowl of colour fitted to the border, the share of it that fits, its noise."""
    height, width = rim.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y], axis=-1)
    kept = rim.copy()
    model = np.broadcast_to(np.median(values[rim], axis=0), values.shape)
    for _ in range(4):
        off = lengths(values - model)
        kept = rim & (off < max(8.0, 2.5 * float(np.median(off[rim]))))
        rows = terms[kept]
        answer, *_ = np.linalg.lstsq(rows, values[kept], rcond=None)
        model = terms @ answer.astype(np.float32)
    off = lengths(values - model)[rim]
    return model, float((off < 9.0).mean()), float(np.median(off))


def before_backdrop(colours: Pixels) -> Before | None:
    """Where colours leave a smooth backdrop, soft shadows on it left out; None where none is."""
    smooth = cv2.medianBlur(colours, 3)
    values = lab(smooth)
    rim = border(values.shape)
    model, share, noise = _backdrop_model(values, rim)
    if share < UNIFORM:
        return None
    off = values - model
    threshold = max(6.0, 4.0 * noise)
    distance = lengths(off)
    chroma = lengths(off[..., 1:])
    seeds = distance > threshold
    # A soft shadow is a darker backdrop of the same hue without a sharp edge of its own.
    edges = cv2.morphologyEx(values[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    shadow = seeds & (off[..., 0] < 0) & (off[..., 0] > -32.0) & (chroma < 4.5) & (edges < 9.0)
    # What is smooth and dark inside the object looks like shadow, and is not: it does not touch
    # the backdrop. The backdrop seen through a handle does not touch the border.
    free = ~seeds | shadow
    outside = _reached(free, (rim & free) | _large(~seeds))
    found = ~outside
    if not found.any():
        return None
    contrast = float(np.median(distance[found]))
    confidence = min(1.0, share) * min(1.0, contrast / (4.0 * threshold))
    plain = noise < PLAIN and float(found[rim].mean()) < CUT
    return Before(found, 0.5 + 0.5 * confidence, plain)


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
