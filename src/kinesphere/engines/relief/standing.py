"""Where an object stands: its feet, how far in front each is, and what follows for the rest.

The eye looks down a little, so that of several feet those lower in the picture are nearer. Four
straight legs that stand on the corners of a rectangle carry furniture: boards as thick as its legs,
of which the seat or the top lies level on them and what rises beyond it is upright.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.outline import signed_distance

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Flags = NDArray[np.bool_]

TILT: Final = 0.36
"""Sine of the elevation (about 21°) of product photographs, where feet tell that there is one."""
DEEPEST: Final = 0.9
"""Share of the feet's spread in width by which they may differ in depth."""
LIFTED: Final = 0.1
"""Share of the height by which a foot may end above the lowest one."""
LEGS_APART: Final = 0.7
"""Share of a body's thickness by which its feet may differ in depth."""
STRAIGHT: Final = 0.35
"""Deviation of a post's middles from its line at most, and of its widths, of its half width."""
OVERHANG: Final = 0.5
"""Depth by which a board may reach beyond its furthest leg, of the depth from leg to leg."""
BOARD: Final = 1.3
"""Half thickness of boards at most, of the half width of the legs that carry them."""


@dataclass(frozen=True, slots=True)
class Post:
    """A straight round leg from its foot to where it ends in what it carries.

    Attributes:
        foot: x and y of the lower end, in pixels of the grid, y down.
        top: x and y of the upper end.
        z: Depth of both.
        radius: Half its width.
    """

    foot: tuple[float, float]
    top: tuple[float, float]
    z: float
    radius: float

    def field(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Squared radius less the squared distance to the axis, positive inside."""
        along = np.subtract(self.top, self.foot)
        share = (x - self.foot[0]) * along[0] + (y - self.foot[1]) * along[1]
        share = np.clip(share / float(along @ along), 0.0, 1.0)
        off = (x - self.foot[0] - share * along[0]) ** 2 + (
            y - self.foot[1] - share * along[1]
        ) ** 2
        return np.asarray(self.radius**2 - off - (z - self.z) ** 2, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Stance:
    """How an object stands.

    Attributes:
        centre: (h, w) z of the middle surface.
        tilt: Sine of the eye's elevation; 0 where nothing tells it.
        distance: (h, w) distance to the outline, of what is left without the posts.
        posts: Straight legs.
        thickest: (h, w) half thickness along z at most; infinite but for furniture.
    """

    centre: Floats
    tilt: float
    distance: Floats
    posts: tuple[Post, ...]
    thickest: Floats


@dataclass(frozen=True, slots=True)
class _Foot:
    """Where a thin part touches the ground, x and y, and its pixels."""

    x: float
    y: float
    leg: Flags


def stance_of(distance: Floats) -> Stance:
    """How the object of an outline stands.

    Args:
        distance: (h, w) distance to the outline, positive inside.
    """
    inside = distance > 0.0
    nothing = np.zeros(inside.shape, np.float32)
    lying = Stance(nothing, 0.0, distance, (), np.full(inside.shape, np.inf, np.float32))
    feet = _feet(inside, distance)
    if len(feet) < 2:
        return lying
    posts = [_post(foot, distance) for foot in feet]
    straight = [post for post in posts if post is not None]
    if len(straight) == 4 and _rectangle(np.array([post.foot for post in straight])):
        return _furniture(feet, straight, distance)
    # What ends well above the ground, such as a tail, is no foot.
    lowest = max(foot.y for foot in feet)
    feet = [foot for foot in feet if foot.y > lowest - LIFTED * len(inside)]
    places = np.array([[foot.x, foot.y] for foot in feet])
    spread, rise = np.ptp(places, axis=0)
    if rise < 0.02 * len(inside) or spread < 0.15 * inside.shape[1]:
        return lying
    slope = min(rise / TILT, LEGS_APART * 2.0 * float(distance.max())) / rise
    fixed, centre = np.zeros(inside.shape, np.bool_), nothing.copy()
    for foot in feet:
        fixed |= foot.leg
        centre[foot.leg] = (foot.y - places[:, 1].mean()) * slope
    centre = _spread(centre, fixed, inside)
    return Stance(centre, min(TILT, 1.0 / slope), distance, (), lying.thickest)


def _furniture(feet: list[_Foot], posts: list[Post], distance: Floats) -> Stance:
    """Boards on four legs.

    A point of the board above a foot is seen as much higher than the foot as the nearest leg is
    long; the other legs are hidden by the board's front from below that.
    """
    inside = distance > 0.0
    places = np.array([post.foot for post in posts])
    spread, rise = np.ptp(places, axis=0)
    slope = min(rise / TILT, DEEPEST * spread) / rise
    z = (places[:, 1] - places[:, 1].mean()) * slope
    nearest = posts[int(np.argmax(z))]
    long = nearest.foot[1] - nearest.top[1]
    radius = float(np.median([post.radius for post in posts]))
    # A top that overhangs its legs is level to its end; what rises further is upright.
    rows = np.arange(len(inside), dtype=np.float32)[:, None] + long - places[:, 1].mean()
    least = float(z.min()) - radius
    above = float(np.argmax(inside.any(axis=1)) + long - places[:, 1].mean()) * slope - least
    if above > -OVERHANG * float(np.ptp(z)):
        least = -np.inf
    level = np.broadcast_to(np.maximum(rows * slope, least), inside.shape)
    board = np.broadcast_to(rows * slope > least, inside.shape)
    thickest = np.where(board, slope * radius, BOARD * radius).astype(np.float32)
    carried = []
    for post, depth in zip(posts, z, strict=True):
        lean = (post.top[0] - post.foot[0]) / (post.top[1] - post.foot[1])
        reach = max(long, post.foot[1] - post.top[1])
        top = (post.foot[0] - lean * reach, post.foot[1] - reach)
        carried.append(Post(post.foot, top, float(depth), post.radius))
    legs = np.any([foot.leg for foot in feet], axis=0)
    left = np.minimum(distance, _without(legs, inside))
    sigma = 0.006 * max(inside.shape)
    return Stance(
        cv2.GaussianBlur(np.ascontiguousarray(level, dtype=np.float32), (0, 0), sigma),
        min(TILT, 1.0 / slope),
        np.asarray(left, dtype=np.float32),
        tuple(carried),
        cv2.GaussianBlur(thickest, (0, 0), sigma),
    )


def _without(legs: Flags, inside: Flags) -> Floats:
    """Distance to the outline of what is left without the legs, and large away from them."""
    left = cv2.GaussianBlur(signed_distance(inside & ~legs), (0, 0), 0.8)
    near = cv2.dilate(legs.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.asarray(np.where(near, left, np.inf), dtype=np.float32)


def _post(foot: _Foot, distance: Floats) -> Post | None:
    """The post that a leg is, or None where it is bent or uneven."""
    rows = np.flatnonzero(foot.leg.any(axis=1))
    weight = foot.leg[rows].astype(np.float64)
    width = weight.sum(axis=1)
    middle = weight @ (np.arange(weight.shape[1])) / width
    # Both ends are cut by what is no part of the leg's side: the ground and the board.
    kept = slice(round(0.12 * len(rows)), max(1, round(0.85 * len(rows))))
    if len(rows[kept]) < 5:
        return None
    (lean, start), *_ = np.linalg.lstsq(
        np.stack([rows[kept], np.ones(len(rows[kept]))], axis=1), middle[kept], rcond=None
    )
    upright = 1.0 / float(np.hypot(1.0, lean))
    radius = float(np.median(width[kept])) / 2.0 * upright
    off = np.abs(middle[kept] - lean * rows[kept] - start)
    uneven = np.abs(width[kept] / 2.0 * upright - radius)
    bar = STRAIGHT * radius + 0.3
    if np.percentile(off, 90) > bar or np.percentile(uneven, 90) > bar:
        return None
    within = distance[np.rint(rows[kept]).astype(int), np.rint(middle[kept]).astype(int)]
    radius = max(1.2, float(np.median(within)))
    low = float(rows[-1]) + 0.5 - radius
    return Post((lean * low + start, low), (lean * rows[0] + start, float(rows[0])), 0.0, radius)


def _rectangle(places: Floats) -> bool:
    """Whether four places, (4, 2), are seen as corners of a rectangle on the ground."""
    far, one, two, near = places[np.argsort(places[:, 1])]
    miss = np.abs(far + near - one - two)
    spread, rise = np.ptp(places, axis=0)
    return bool(miss[0] < 0.2 * spread and miss[1] < 0.5 * rise and rise > 0.05 * spread)


def _feet(inside: Flags, distance: Floats) -> list[_Foot]:
    """Thin parts that end low."""
    height = inside.shape[0]
    reach = max(2, int(0.5 * float(distance.max())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    thick = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disc)
    low = np.zeros_like(inside)
    low[int(0.25 * height) :] = True
    parts = (inside & low & ~(thick > 0)).astype(np.uint8)
    # Corners of a board are thin too, and would join its legs.
    upright = np.ones((max(2, round(0.1 * height)), 1), np.uint8)
    legs = cv2.morphologyEx(parts, cv2.MORPH_OPEN, upright)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(legs, connectivity=8)
    feet = []
    for label in range(1, count):
        leg = labels == label
        bottom = stats[label, cv2.CC_STAT_TOP] + stats[label, cv2.CC_STAT_HEIGHT]
        tall = int(stats[label, cv2.CC_STAT_HEIGHT])
        long = tall > 0.1 * height and tall > 1.6 * leg.sum() / tall
        if long and bottom > 0.5 * height:
            tip = np.flatnonzero(leg[bottom - 1])
            feet.append(_Foot(float(tip.mean()), float(bottom), leg))
    return feet


def _spread(values: Floats, fixed: Flags, inside: Flags) -> Floats:
    """`values` carried on from where they are fixed through the inside, smoothly."""
    small = max(1, round(max(inside.shape) / 64))
    size = (max(4, inside.shape[1] // small), max(4, inside.shape[0] // small))
    cover = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = cv2.resize(fixed.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * fixed, size, interpolation=cv2.INTER_AREA)
    given = np.where(known > 0, sums / np.maximum(known, 1e-6), 0.0).astype(np.float32)
    held = known > 0.05
    weight = np.maximum(cover, 1e-3)
    field = given.copy()
    kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
    total = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    for _ in range(500):
        near = cv2.filter2D(field * weight, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        field = np.where(held, given, near / total).astype(np.float32)
    full = cv2.resize(field, (inside.shape[1], inside.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(full, (0, 0), 1.5 * small), dtype=np.float32)
