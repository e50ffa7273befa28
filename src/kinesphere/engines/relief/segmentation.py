"""The object of a photograph: several GrabCuts from what stands out, and the most likely of them.

Each candidate begins from another guess and is cut on a small picture (Rother et al. 2004). They
are judged by their outlines, and only the best is cut again on a larger picture, in a band around
its outline.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from kinesphere.engines.relief import saliency as _saliency
from kinesphere.engines.relief.views import (
    Flags,
    Floats,
    Pixels,
    border,
    ellipse,
    lab,
    largest,
    reduced,
)

SIDE: Final = 128
"""Pixels of the longer side of the picture that candidates are cut on."""
FINE: Final = 320
"""Pixels of the longer side of the picture that the best is cut on again."""
BAND: Final = 0.035
"""Width of the band around the outline in which it may move, as a share of the longer side."""
CORE: Final = 0.08
"""Depth within the outline from which a pixel is surely the object's, in the same."""
WEIGHTS: Final = np.array([1.0, -0.4, -0.5, -0.1, 0.25])
"""Of a candidate's marks: a fit to the overlaps of all candidates in 87 pictures of 40 things, of
which 29 fill the frame, rounded, and towards larger masks, which spoil less when they are wrong.
"""
SURENESS: Final = np.array([0.74, 0.12, -0.57, 0.07, -0.31])
"""Of the best candidate's signs, from a fit to its overlap in the same pictures. For things left
out of the fit it is wrong by 0.08 on average, and goes with the overlap by a correlation of 0.77.
"""
SURE: Final = 0.32
"""What the sum of the weighted signs begins at."""
PART: Final = 0.5
"""Likeness of the surroundings to the border under which a small mask may be part of a thing."""
LARGE: Final = 0.35
"""Share of the picture from which a larger area is no better."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What was found in a photograph.

    Attributes:
        mask: (h, w) in the size of the picture.
        confidence: 0 to 1.
    """

    mask: Flags
    confidence: float


def segmented(colours: Pixels, backdrop: Flags | None) -> Segment | None:
    """The most likely object of uint8 sRGB (h, w, 3), or None where nothing stands out.

    Args:
        colours: The picture.
        backdrop: (h, w) what leaves a backdrop that is nearly smooth: one more candidate.
    """
    fine = np.ascontiguousarray(reduced(colours, FINE))
    found = candidates(fine, backdrop)
    if not found:
        return None
    small = lab(reduced(fine, SIDE))
    scores = [float(WEIGHTS @ _marks(mask, small)) for mask in found]
    best = int(np.argmax(scores))
    mask = _fine(fine, found[best])
    size = (colours.shape[1], colours.shape[0])
    soft = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return Segment(np.asarray(soft > 0.5), _confidence(small, found, best))


def candidates(colours: Pixels, backdrop: Flags | None) -> list[Flags]:
    """Every mask worth a look, each of one part, on the picture reduced to `SIDE`."""
    maps = _saliency.saliency(reduced(colours, _saliency.SIDE))
    small = reduced(colours, SIDE)
    size = (small.shape[1], small.shape[0])
    all_round, upper = (cv2.resize(m, size, interpolation=cv2.INTER_AREA) for m in maps)
    smooth = cv2.bilateralFilter(small, 5, 30, 5)
    guesses = [all_round > _bar(all_round), all_round > 0.5 * _bar(all_round)]
    guesses += [_unlike_border(lab(smooth)), _middle(small.shape), upper > _bar(upper)]
    masks = [_cut(smooth, guess) for guess in guesses if guess.any()]
    masks.append(guesses[0])
    if backdrop is not None:
        sized = cv2.resize(backdrop.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        masks.append(np.asarray(sized > 0.5))
    whole = [largest(_opened(mask)) for mask in masks]
    return [mask for mask in whole if mask.any() and not mask.all()]


def _bar(likely: Floats) -> float:
    """Otsu's threshold of values from 0 to 1."""
    scaled = np.clip(likely * 255.0, 0, 255).astype(np.uint8)
    bar, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)
    return float(bar) / 255.0


def _opened(mask: Flags) -> Flags:
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, ellipse(1)) > 0
    return np.asarray(opened) if opened.any() else mask


def _unlike_border(values: Floats) -> Flags:
    """What differs from the border's five commonest colours, near the middle."""
    rim = values[border(values.shape)].reshape(-1, 3)
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    labels = np.zeros((len(rim), 1), np.int32)
    _, _, centres = cv2.kmeans(rim, min(5, len(rim)), labels, stop, 1, cv2.KMEANS_PP_CENTERS)
    off = np.min([np.linalg.norm(values - c, axis=2) for c in centres], axis=0)
    away = cv2.GaussianBlur(off, (0, 0), 1.5) * np.exp(-1.6 * _from_middle(values.shape))
    away /= max(1e-6, float(away.max()))
    return np.asarray(away > _bar(away))


def _middle(shape: tuple[int, ...]) -> Flags:
    return np.asarray(_from_middle(shape) < 0.4)


def _from_middle(shape: tuple[int, ...]) -> Floats:
    """Squared distance to the middle; 1 at the middles of the sides."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.asarray(x * x + y * y)


def _cut(colours: Pixels, guess: Flags) -> Flags:
    """GrabCut from a guess; the border is background where the guess does not reach it."""
    trimap = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    reached = cv2.dilate(guess.astype(np.uint8), ellipse(3)) > 0
    trimap[border(guess.shape) & ~reached] = cv2.GC_BGD
    return _grabbed(colours, trimap, 2)


def _fine(colours: Pixels, mask: Flags) -> Flags:
    """The mask cut again on a larger picture, near its outline."""
    size = (colours.shape[1], colours.shape[0])
    soft = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    flags = (soft > 0.5).astype(np.uint8)
    band = max(3, round(BAND * max(size)))
    trimap = np.where(flags > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[cv2.dilate(flags, ellipse(band)) == 0] = cv2.GC_BGD
    within = cv2.distanceTransform(flags, cv2.DIST_L2, 3)
    trimap[within > CORE * max(size)] = cv2.GC_FGD
    found = _grabbed(cv2.bilateralFilter(colours, 5, 20, 3), trimap, 2)
    # A cut that loses the object is worse than none.
    kept = float((found & (flags > 0)).sum()) > 0.6 * float(flags.sum())
    return found if kept else flags > 0


def _grabbed(colours: Pixels, trimap: Pixels, rounds: int) -> Flags:
    inside = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return np.asarray(inside)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(colours, trimap, (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return np.asarray((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD))


def _marks(mask: Flags, values: Floats) -> Floats:
    """What `WEIGHTS` weighs.

    How unlike the colours around are, contact with the border, distance of its middle from the
    picture's, compactness, and the logarithm of its share of the picture.
    """
    y, x = np.argwhere(mask).mean(axis=0) / mask.shape * 2.0 - 1.0
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = max(1.0, float(cv2.contourArea(cv2.convexHull(points))))
    return np.array(
        [
            _unlike(values, mask, _around(mask)),
            float(mask[border(mask.shape)].mean()),
            float(np.hypot(x, y)),
            min(1.0, float(mask.sum()) / hull),
            float(np.log(np.clip(mask.mean(), 0.001, LARGE))),
        ]
    )


def _around(mask: Flags) -> Flags:
    """What surrounds a mask."""
    reach = max(4, round(0.08 * max(mask.shape)))
    return np.asarray(~mask & (cv2.dilate(mask.astype(np.uint8), ellipse(reach)) > 0))


def _unlike(values: Floats, one: Flags, other: Flags) -> float:
    """1 minus the intersection of the colour histograms of two areas."""
    if not other.any():
        return 0.0
    bins = np.array([10, 12, 12])
    scaled = (values + np.array([0.0, 64.0, 64.0])) / [100.0, 128.0, 128.0]
    cells = np.clip((scaled * bins).astype(np.int64), 0, bins - 1) @ [144, 12, 1]
    first = np.bincount(cells[one], minlength=1440) / one.sum()
    second = np.bincount(cells[other], minlength=1440) / other.sum()
    return 1.0 - float(np.minimum(first, second).sum())


def _confidence(values: Floats, found: list[Flags], best: int) -> float:
    """The overlap to expect of the best candidate.

    Its signs are how unlike its surroundings are, how far the other candidates agree, the distance
    from the middle, the logarithm of its share of the picture, and whether it may be but a part:
    an eye is small, and what surrounds it is not what lies at the picture's border.
    """
    mask = found[best]
    shares = [
        float((other & mask).sum() / (other | mask).sum())
        for index, other in enumerate(found)
        if index != best
    ]
    agreed = float(np.median(shares)) if shares else 0.5
    unlike, _, off, *_ = _marks(mask, values)
    area = float(np.log(max(0.001, float(mask.mean()))))
    rim, around = border(mask.shape) & ~mask, _around(mask)
    like = 1.0 - _unlike(values, around, rim) if rim.any() and around.any() else 0.0
    part = max(0.0, PART - like) * -area
    signs = np.array([unlike, agreed, off, area, part])
    return float(np.clip(SURE + SURENESS @ signs, 0.0, 1.0))
