"""A figure drawn as a jointed mannequin: round cones seen in parallel projection, lit and shaded.

Everything is solved in closed form a pixel, so a picture needs no GPU, mesh or renderer.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import JOINT_NAMES, Floats, Skeleton

LEFT: Final = (22, 126, 196)
RIGHT: Final = (240, 128, 30)
MIDDLE: Final = (186, 187, 194)
"""Blue and orange after Okabe and Ito (2008): told apart with any colour vision."""

_LIGHT: Final = np.array([-0.42, 0.72, 0.55]) / np.linalg.norm([-0.42, 0.72, 0.55])
_HALFWAY: Final = _LIGHT + np.array([0.0, 0.0, 1.0])
_GLINT: Final = _HALFWAY / np.linalg.norm(_HALFWAY)

Point = tuple[str, tuple[float, float, float]]
_LIMBS: Final[tuple[tuple[Point, Point, float, float], ...]] = (
    (("_Hip", (-0.015, 0.01, 0.0)), ("_Knee", (0.0, 0.0, 0.0)), 0.086, 0.056),
    (("_Knee", (0.0, 0.0, 0.0)), ("_Knee", (0.0, -0.15, -0.012)), 0.054, 0.056),
    (("_Knee", (0.0, -0.15, -0.012)), ("_Ankle", (0.0, 0.0, 0.0)), 0.056, 0.036),
    (("_Ankle", (0.0, -0.03, -0.04)), ("_Foot", (0.0, 0.012, 0.0)), 0.037, 0.031),
    (("_Ankle", (0.0, 0.0, 0.0)), ("_Foot", (0.0, 0.012, 0.0)), 0.037, 0.031),
    (("_Foot", (0.0, 0.012, 0.0)), ("_Foot", (0.0, 0.003, 0.06)), 0.031, 0.022),
    (("_Shoulder", (-0.012, -0.004, 0.0)), ("_Elbow", (0.0, 0.0, 0.0)), 0.060, 0.041),
    (("_Elbow", (0.0, 0.0, 0.0)), ("_Elbow", (0.08, 0.0, 0.0)), 0.040, 0.042),
    (("_Elbow", (0.08, 0.0, 0.0)), ("_Wrist", (0.0, 0.0, 0.0)), 0.042, 0.028),
    (("_Wrist", (0.0, 0.0, 0.0)), ("_Wrist", (0.08, 0.0, 0.0)), 0.028, 0.036),
    (("_Wrist", (0.08, 0.0, 0.0)), ("_Wrist", (0.155, 0.0, 0.0)), 0.034, 0.017),
    (("_Wrist", (0.03, 0.0, 0.01)), ("_Wrist", (0.085, -0.005, 0.055)), 0.020, 0.013),
)  # fmt: skip
_TRUNK: Final[tuple[tuple[Point, Point, float, float], ...]] = (
    (("L_Hip", (-0.012, 0.04, 0.0)), ("R_Hip", (0.012, 0.04, 0.0)), 0.096, 0.096),
    (("Pelvis", (0.048, 0.0, 0.0)), ("Spine1", (0.036, 0.0, 0.004)), 0.104, 0.092),
    (("Pelvis", (-0.048, 0.0, 0.0)), ("Spine1", (-0.036, 0.0, 0.004)), 0.104, 0.092),
    (("Pelvis", (0.0, 0.0, 0.0)), ("Spine2", (0.0, 0.0, 0.004)), 0.104, 0.096),
    (("Spine1", (0.036, 0.0, 0.004)), ("Spine3", (0.066, 0.045, 0.004)), 0.092, 0.104),
    (("Spine1", (-0.036, 0.0, 0.004)), ("Spine3", (-0.066, 0.045, 0.004)), 0.092, 0.104),
    (("Spine2", (0.0, 0.0, 0.004)), ("Spine3", (0.0, 0.05, 0.006)), 0.096, 0.106),
    (("Spine3", (0.066, 0.045, 0.004)), ("Spine3", (-0.066, 0.045, 0.004)), 0.104, 0.104),
    (("Spine3", (0.066, 0.045, 0.004)), ("L_Shoulder", (-0.035, -0.008, 0.0)), 0.104, 0.062),
    (("Spine3", (-0.066, 0.045, 0.004)), ("R_Shoulder", (0.035, -0.008, 0.0)), 0.104, 0.062),
    (("Spine3", (0.0, 0.12, -0.005)), ("Neck", (0.0, 0.01, 0.0)), 0.085, 0.052),
    (("Neck", (0.0, 0.0, 0.0)), ("Head", (0.0, 0.02, 0.008)), 0.050, 0.048),
    (("Head", (0.0, 0.025, 0.03)), ("Head", (0.0, 0.078, 0.012)), 0.064, 0.086),
    (("Head", (0.0, 0.045, 0.088)), ("Head", (0.0, 0.028, 0.103)), 0.013, 0.017),
)  # fmt: skip
_STATURE: Final = 1.7


@dataclass(frozen=True, slots=True)
class Body:
    """Round cones fixed to a skeleton.

    Attributes:
        joints: (N, 2) joint at each end of each cone.
        local: (N, 2, 3) m, each end in its joint's frame.
        radii: (N, 2) m.
        colours: (N, 3) 0 to 1.
        soft: (N,) whether a cone flows into its neighbours.
    """

    joints: NDArray[np.intp]
    local: Floats
    radii: Floats
    colours: Floats
    soft: NDArray[np.bool_]

    def posed(self, positions: Floats, rotations: Floats) -> Floats:
        """Ends of the cones in the world, (N, 2, 3) m, for one frame's joints."""
        turned = np.einsum("neij,nej->nei", rotations[self.joints], self.local)
        return np.asarray(positions[self.joints] + turned)


def body_of(skeleton: Skeleton) -> Body:
    """The mannequin of a skeleton: modelled for our joint names, sticks for any other."""
    rest = np.zeros((len(skeleton.names), 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rest[joint] = rest[parent] + skeleton.offsets[joint]
    if set(JOINT_NAMES) <= set(skeleton.names):
        foot = rest[skeleton.names.index("L_Foot"), 1]
        height = rest[skeleton.names.index("Head"), 1] - foot
        return _modelled(skeleton, height / (_STATURE - 0.16 - 0.015))
    return _sticks(skeleton, float(np.ptp(rest, axis=0).max()) / _STATURE)


def _modelled(skeleton: Skeleton, scale: float) -> Body:
    ends: list[tuple[Point, Point]] = []
    radii, colours = [], []
    for side, colour in (("L", LEFT), ("R", RIGHT)):
        sign = 1.0 if side == "L" else -1.0
        for (a, (ax, ay, az)), (b, (bx, by, bz)), ra, rb in _LIMBS:
            ends.append(((side + a, (sign * ax, ay, az)), (side + b, (sign * bx, by, bz))))
            radii.append((ra, rb))
            colours.append(colour)
    for start, end, ra, rb in _TRUNK:
        ends.append((start, end))
        radii.append((ra, rb))
        colours.append(MIDDLE)
    index = {name: joint for joint, name in enumerate(skeleton.names)}
    return Body(
        np.array([[index[name] for name, _ in pair] for pair in ends]),
        np.array([[offset for _, offset in pair] for pair in ends]) * scale,
        np.array(radii) * scale,
        np.array(colours) / 255.0,
        np.array(
            [
                colour == MIDDLE and start[0] != "Head"
                for (start, _), colour in zip(ends, colours, strict=True)
            ]
        ),
    )


def _sticks(skeleton: Skeleton, scale: float) -> Body:
    joints, local, radii, colours = [], [], [], []
    for joint, parent in enumerate(skeleton.parents):
        colour = _side(skeleton.names[joint])
        if parent >= 0:
            joints.append((parent, joint))
            local.append(((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
            radii.append((0.034 * scale, 0.028 * scale))
            colours.append(colour)
        if joint in skeleton.ends or parent < 0:
            joints.append((joint, joint))
            local.append(((0.0, 0.0, 0.0), skeleton.ends.get(joint, (0.0, 0.0, 0.0))))
            radii.append((0.03 * scale, 0.024 * scale))
            colours.append(colour)
    return Body(
        np.array(joints),
        np.array(local),
        np.array(radii),
        np.array(colours) / 255.0,
        np.zeros(len(joints), dtype=bool),
    )


def _side(name: str) -> tuple[int, int, int]:
    if re.search(r"left|Left|^[lL]_|^l(?=[A-Z])|[_.][lL]$", name):
        return LEFT
    if re.search(r"right|Right|^[rR]_|^r(?=[A-Z])|[_.][rR]$", name):
        return RIGHT
    return MIDDLE


def paint(picture: Floats, ends: Floats, body: Body, scale: float) -> None:
    """Draw the posed cones over a picture.

    Args:
        picture: (H, W, 3) 0 to 1, changed in place.
        ends: (N, 2, 3) pixels: right, down from the top left corner, and towards the eye.
        body: Whose radii and colours.
        scale: Pixels a metre.
    """
    reach = (body.radii.max(axis=1) * scale + 2.0)[:, None]
    first = np.floor(ends[..., :2].min(axis=1) - reach).astype(int)
    last = np.ceil(ends[..., :2].max(axis=1) + reach).astype(int)
    # Only the part of the picture with the figure in it is worked on.
    corner = np.clip(first.min(axis=0), 0, picture.shape[1::-1])
    room = np.clip(last.max(axis=0), corner, picture.shape[1::-1]) - corner
    window = np.s_[corner[1] : corner[1] + room[1], corner[0] : corner[0] + room[0]]
    ends = ends - [*corner, 0]
    surface = _Surface(int(room[1]), int(room[0]))
    for cone, ((left, top), (right, bottom)) in enumerate(
        zip(np.maximum(first - corner, 0), np.maximum(last - corner, 0), strict=True)
    ):
        radii = (body.radii[cone] * scale).tolist()
        surface.add(np.s_[top:bottom, left:right], ends[cone], (radii[0], radii[1]), cone)
    seen = np.isfinite(surface.depth)
    normal = _softened(surface.normal, seen & body.soft[surface.cone], 0.03 * scale)
    lit = _shade(normal[seen], body.colours[surface.cone[seen]])
    picture[window][seen] = lit * _creases(surface.depth, 0.03 * scale)[seen][:, None]


class _Surface:
    """What is nearest to the eye: its depth, normal and the number of its cone, a pixel."""

    def __init__(self, height: int, width: int) -> None:
        self.depth = np.full((height, width), -np.inf)
        self.normal = np.zeros((height, width, 3))
        self.cone = np.zeros((height, width), dtype=np.intp)
        self.y, self.x = np.mgrid[:height, :width].astype(np.float64)

    def add(
        self, window: tuple[slice, slice], ends: Floats, radii: tuple[float, float], cone: int
    ) -> None:
        front, normal = _cone((self.x[window], self.y[window]), ends[0], ends[1], radii)
        nearer = front > self.depth[window]
        self.depth[window][nearer] = front[nearer]
        self.normal[window][nearer] = normal[nearer]
        self.cone[window][nearer] = cone


def _softened(normal: Floats, where: NDArray[np.bool_], width: float) -> Floats:
    """The normals blurred where asked, so that cones of the trunk flow into each other."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not rows.size:
        return normal
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = where[window][..., None]
    blurred = np.where(inside, normal[window], 0.0)
    # Box filters one after another tend to a Gaussian, at a cost that its width does not change.
    for _ in range(3):
        blurred = _box_filtered(blurred, max(1, round(width)))
    length = np.linalg.norm(blurred, axis=-1, keepdims=True)
    normal[window] = np.where(inside, blurred / np.maximum(length, 1e-9), normal[window])
    return normal


def _box_filtered(picture: Floats, width: int) -> Floats:
    """Means over squares around the pixels of (H, W, C), black beyond the border."""
    before = width // 2
    border = (before + 1, width - 1 - before)
    down = np.pad(picture, (border, (0, 0), (0, 0))).cumsum(axis=0)
    across = np.pad(down[width:] - down[:-width], ((0, 0), border, (0, 0))).cumsum(axis=1)
    return np.asarray((across[:, width:] - across[:, :-width]) / width**2)


def _cone(
    pixels: tuple[Floats, Floats], start: Floats, end: Floats, radii: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Depth (h, w) of a round cone's front, -inf beside it, and its normal (h, w, 3).

    A round cone is the union of the spheres of radius r(t) around c(t), both linear in t on
    [0, 1]. A pixel sees the largest z(t) + sqrt(q(t)), q = r² - distance², a quadratic in t; where
    its derivative vanishes solves a quadratic too, else an end of the cone is seen.
    """
    (x, y), (ra, rb) = pixels, radii
    dx, dy, dz = end - start
    dr = rb - ra
    px, py = x - start[0], y - start[1]
    a = dr * dr - dx * dx - dy * dy
    b = 2.0 * (ra * dr + px * dx + py * dy)
    c = ra * ra - px * px - py * py
    candidates = [np.zeros_like(b), np.ones_like(b)]
    lead = 4.0 * a * (a - dz * dz)
    if abs(lead) > 1e-9:
        middle = 4.0 * b * (a - dz * dz)
        root = np.sqrt(np.maximum(0.0, middle**2 - 4.0 * lead * (b * b - 4.0 * dz * dz * c)))
        candidates += [
            np.clip((-middle + sign * root) / (2.0 * lead), 0.0, 1.0) for sign in (1.0, -1.0)
        ]
    front = np.full(b.shape, -np.inf)
    at = np.zeros(b.shape)
    for t in candidates:
        q = (a * t + b) * t + c
        z = np.where(q >= 0.0, start[2] + t * dz + np.sqrt(np.maximum(q, 0.0)), -np.inf)
        at = np.where(z > front, t, at)
        front = np.maximum(front, z)
    radius = ra + at * dr
    facing = np.stack(
        (
            (px - at * dx) / radius,
            -(py - at * dy) / radius,
            np.where(np.isfinite(front), front - start[2] - at * dz, 0.0) / radius,
        ),
        axis=-1,
    )
    return front, facing


def _shade(normal: Floats, colour: Floats) -> Floats:
    key = np.maximum(0.0, (normal @ _LIGHT + 0.30) / 1.30)
    sky = 0.5 + 0.5 * normal[:, 1]
    rim = np.sqrt(np.clip(normal[:, 2], 0.0, 1.0))
    glint = np.maximum(0.0, normal @ _GLINT) ** 32
    light = (0.40 + 0.20 * sky + 0.56 * key) * (0.76 + 0.24 * rim)
    lit = colour * light[:, None] + 0.22 * glint[:, None]
    return np.asarray(np.clip(lit, 0.0, 1.0))


def _creases(depth: Floats, step: float) -> Floats:
    """Darkening (H, W) of pixels just behind a nearer part, so that an arm stands off the chest."""
    nearest = depth.copy()
    nearest[2:] = np.maximum(nearest[2:], depth[:-2])
    nearest[:-2] = np.maximum(nearest[:-2], depth[2:])
    nearest[:, 2:] = np.maximum(nearest[:, 2:], depth[:, :-2])
    nearest[:, :-2] = np.maximum(nearest[:, :-2], depth[:, 2:])
    seen = np.isfinite(depth)
    behind = np.subtract(nearest, depth, out=np.zeros_like(depth), where=seen)
    return np.where(behind > step, 0.6, 1.0)
