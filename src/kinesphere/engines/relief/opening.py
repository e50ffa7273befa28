"""The top of an upright body of revolution that is seen from slightly above: an ellipse.

Three things must come together: the outline's upper boundary is half an ellipse as wide as the body
there; the body goes on below the ellipse at full width; and the ellipse's lower arc, which no
outline shows, is an edge of the picture.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]
Flags = NDArray[np.bool_]

SIDE: Final = 256
"""Pixels of the object's longer side while an opening is looked for."""
ROUNDEST, FLATTEST = 0.86, 0.12
"""Shorter over longer axis of an opening: the sine of the eye's elevation, 7° to 59°."""
NARROWEST: Final = 0.5
"""Radius of an opening at least, of the body's largest."""
MISS: Final = 0.03
"""Root of the mean squared distance from the boundary to the ellipse at most, of its radius."""
EDGE: Final = 5.0
"""Change of colour (CIELAB) across the lower arc at least."""
UNEVEN: Final = 4.5
"""Colour (CIELAB) that a median over the opening's eighth may leave, on average."""
CURVED: Final = 6.0
"""Lightness (CIELAB) by which a surface changes at least, where it is round."""
ROUND: Final = 0.5
"""Correlation of lightness with the place from side to side at least, on a round wall.

Measured: 0.78 to 0.98 in and on cups, drawn and photographed; 0.1 to 0.3 on a pie.
"""
LOWER: Final = np.linspace(0.1 * np.pi, 0.9 * np.pi, 64)
"""Angles of the arc of an ellipse that is nearer to the eye, y down."""
_UPPER_HALF: Final = -np.linspace(0.03 * np.pi, 0.97 * np.pi, 48)
ACROSS, UP = np.cos(_UPPER_HALF), np.sin(_UPPER_HALF)
"""Nearly the whole upper half of an ellipse of radius 1."""
UPPER: Final = -np.linspace(0.15 * np.pi, 0.85 * np.pi, 48)
"""Angles of the arc that is further."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The ellipse of a top: x of the axis, y of the middle, both half axes, in pixels.

    `hollow` tells an opening, which is carved, from a lid, which is flat.
    """

    x: float
    y: float
    a: float
    b: float
    hollow: bool


def opening_of(mask: Flags, colours: Pixels) -> Opening | None:
    """The opening or lid of a body of revolution, or None.

    Args:
        mask: (h, w) the object, in its box.
        colours: (h, w, 3) uint8 sRGB.
    """
    shrink = SIDE / max(mask.shape)
    size = (max(8, round(mask.shape[1] * shrink)), max(8, round(mask.shape[0] * shrink)))
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    fitting = [one for one in _fitting(small) if _stands(one, small)]
    if not fitting:
        return None
    way = cv2.INTER_AREA if shrink < 1.0 else cv2.INTER_LINEAR
    lab = cv2.cvtColor(
        cv2.resize(colours, size, interpolation=way).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB
    )
    soft = np.asarray(cv2.GaussianBlur(lab, (0, 0), 1.2))
    rough, _ = _plainest(soft, fitting)
    near = [one for one in _around(rough, small) if _stands(one, small)]
    found, jumps = _plainest(soft, [rough, *near])
    if np.percentile(np.linalg.norm(jumps, axis=1), 20) < EDGE:
        return None
    even = _even(found, soft)
    inner, outer = _lit(found, soft, small)
    if even:
        hollow = outer * inner < 0.0 and min(abs(inner), abs(outer)) > ROUND
        lid = inner == 0.0 and abs(outer) > ROUND
    else:
        hollow, lid = _one_way(jumps) and _filled(found, soft), False
    if not hollow and not lid:
        return None
    x, y, a, b = (value / shrink for value in (found.x, found.y, found.a, found.b))
    return Opening(x, y, a, b, hollow)


def _fitting(mask: Flags) -> list[Opening]:
    """Ellipses whose upper half is the mask's upper boundary.

    The boundary is cut at several depths below its highest point: where the body's sides begin,
    the piece above the cut is as wide as the ellipse.
    """
    tops = np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask)).astype(np.float64)
    apex = int(np.median(np.flatnonzero(tops == tops.min())))
    found: dict[tuple[float, float], list[Opening]] = {}
    for share in np.arange(0.04, 0.6, 0.02):
        above = np.pad(tops < tops.min() + share * len(mask), 1)
        left = apex - int(np.argmin(above[apex + 1 :: -1])) + 1
        right = apex + int(np.argmin(above[apex + 1 :]))
        axis, radius = (left + right) / 2.0, (right - left) / 2.0
        x = np.arange(left, right)
        x = x[np.abs(x + 0.5 - axis) < 0.93 * radius]
        if len(x) < 12 or (axis, radius) in found:
            continue
        rise = np.sqrt(np.maximum(0.0, 1.0 - ((x + 0.5 - axis) / radius) ** 2))
        b = np.linspace(FLATTEST, ROUNDEST, 24)[:, None] * radius
        y = (tops[x] + b * rise).mean(axis=1)
        miss = np.sqrt(np.mean((tops[x] - y[:, None] + b * rise) ** 2, axis=1))
        near = (miss < MISS * radius) & (y < 0.6 * len(mask))
        found[axis, radius] = [
            Opening(axis, float(y[k]), radius, float(b[k, 0]), False) for k in np.flatnonzero(near)
        ]
    return [one for several in found.values() for one in several]


def _plainest(lab: Floats, ellipses: list[Opening]) -> tuple[Opening, Floats]:
    """The ellipse whose lower arc is the plainest edge, and the (A, 3) changes along it."""
    jumps = _across(lab, np.array([[one.x, one.y, one.a, one.b] for one in ellipses]), LOWER)
    best = int(np.argmax(np.percentile(np.linalg.norm(jumps, axis=2), 20, axis=1)))
    return ellipses[best], jumps[best]


def _around(rough: Opening, mask: Flags) -> list[Opening]:
    """Ellipses a little wider, rounder or beside, with the same highest point.

    A saucer that rises beside the cup cuts the boundary before it is as wide as the ellipse.
    """
    found = []
    for wider in np.arange(0.97, 1.13, 0.03):
        for beside in np.arange(-0.06, 0.07, 0.03):
            a, x = wider * rough.a, rough.x + beside * rough.a
            for longer in np.arange(0.8, 1.25, 0.04):
                b = longer * rough.b
                one = Opening(x, rough.y - rough.b + b, a, b, False)
                if FLATTEST < b / a < ROUNDEST and _fits(one, mask):
                    found.append(one)
    return found


def _fits(opening: Opening, mask: Flags) -> bool:
    """Whether the upper half lies on the mask's upper boundary or, at its ends, within."""
    x = np.clip(opening.x + opening.a * ACROSS, 0, mask.shape[1] - 1).astype(int)
    y = opening.y + opening.b * UP
    beyond = mask[:, x].argmax(axis=0) - y
    middle = np.abs(ACROSS) < 0.85
    ends = opening.x + 0.96 * opening.a * np.array([-1.0, 1.0])
    within = (ends >= 0.0) & (ends < mask.shape[1])
    return bool(
        within.all()
        and mask[min(len(mask) - 1, int(opening.y)), ends.astype(int)].all()
        and np.sqrt(np.mean(beyond[middle] ** 2)) < MISS * opening.a
        and beyond.max() < 3.0 * MISS * opening.a
    )


def _stands(opening: Opening, mask: Flags) -> bool:
    """Whether a body large enough to hold the opening goes on below it."""
    widest = float(mask.sum(axis=1).max()) / 2.0
    if opening.a < NARROWEST * widest or len(mask) - opening.y - opening.b < 0.45 * opening.a:
        return False
    angles = np.linspace(0.12 * np.pi, 0.88 * np.pi, 60)
    x = np.clip(opening.x + 0.97 * opening.a * np.cos(angles), 0, mask.shape[1] - 1).astype(int)
    y = opening.y + opening.b * np.sin(angles) + 0.15 * opening.a
    below = mask[np.clip(y, 0, len(mask) - 1).astype(int), x]
    return bool(below.mean() > 0.95)


def _across(lab: Floats, ellipses: Floats, angles: Floats) -> Floats:
    """(N, A, 3) change of colour, outside less inside, at angles of (N, 4) ellipses x, y, a, b."""
    x, y, a, b = (column[:, None] for column in ellipses.T)
    step = np.maximum(1.5, 0.06 * a)

    def along(offset: Floats) -> Floats:
        # Half the step sideways, so that the arc's steep ends are crossed as well.
        at_x = x + (0.98 * a + 0.5 * offset) * np.cos(angles) - 0.5
        at_y = y + (b + offset) * np.sin(angles) - 0.5
        return np.asarray(
            cv2.remap(lab, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
        )  # fmt: skip

    return np.asarray(along(step) - along(-step))


def _one_way(jumps: Floats) -> bool:
    """Whether (A, 3) changes of colour along an arc are one and the same change."""
    median = np.median(jumps, axis=0)
    size = float(np.linalg.norm(median))
    return size > EDGE and float(np.percentile(jumps @ median, 20)) / size > EDGE


def _filled(opening: Opening, lab: Floats) -> bool:
    """Whether a smaller ellipse, lower within the opening, is the level of what is in it.

    On a lid or a crust, what is drawn lies around the middle; within a vessel it lies deeper.
    """
    inner = [
        (opening.x, opening.y + sunk * opening.b, size * opening.a, size * opening.b)
        for size in np.arange(0.5, 0.9, 0.04)
        for sunk in np.arange(0.12, 0.62, 0.04)
    ]
    return any(_one_way(jumps) for jumps in _across(lab, np.array(inner), UPPER))


def _even(opening: Opening, lab: Floats) -> bool:
    """Whether what the ellipse encloses is even, as a pot's inside is and a crust is not."""
    y, x = np.mgrid[: lab.shape[0], : lab.shape[1]]
    far = ((x + 0.5 - opening.x) / opening.a) ** 2 + ((y + 0.5 - opening.y) / opening.b) ** 2
    inner = far < 0.75**2
    cover = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), opening.b / 5.0)
    mean = cv2.GaussianBlur(lab * inner[..., None], (0, 0), opening.b / 5.0)
    rest = np.linalg.norm(lab - mean / np.maximum(cover, 1e-3)[..., None], axis=2)
    return float(rest[inner].mean()) < UNEVEN


def _lit(opening: Opening, lab: Floats, mask: Flags) -> tuple[float, float]:
    """How lightness goes with x within the ellipse and on the body below it: correlations, -1 to 1.

    A round wall that is lit from the left is light on the left where it is seen from outside, and
    on the right where it is seen from inside. Zero where lightness hardly changes, as on a lid.
    """
    y, x = np.mgrid[: lab.shape[0], : lab.shape[1]]
    u, v = (x + 0.5 - opening.x) / opening.a, (y + 0.5 - opening.y) / opening.a
    arc = np.sqrt(np.maximum(0.0, 1.0 - u * u)) * opening.b / opening.a
    inner = u * u + (v * opening.a / opening.b) ** 2 < 0.75**2
    outer = mask & (np.abs(u) < 0.9) & (v > arc + 0.1) & (v < arc + 0.6)
    found = []
    for part in (inner, outer):
        light, place = lab[..., 0][part], u[part]
        low, high = np.percentile(light, [5, 95]) if light.size else (0.0, 0.0)
        changes = high - low > CURVED
        found.append(float(np.corrcoef(light, place)[0, 1]) if changes else 0.0)
    return found[0], found[1]
