"""The skin that a motion wears in GLB and FBX files: a mannequin built from its skeleton.

A figure of the 22 SMPL-H joints gets one continuous skin that bends with weights; any other
skeleton gets a closed capsule a bone.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.capsules import capsules
from kinesphere.formats.clip import JOINT_NAMES, Floats, Skeleton
from kinesphere.formats.flesh import BONES_A_POINT, FULL, Flesh, scale_of
from kinesphere.formats.isosurface import Indices, normals, surface_of

__all__ = ["FULL", "Material", "Skin", "key_of", "rest_positions", "skin_of"]

KEPT: Final = 16
"""Skins kept for skeletons seen before."""
LARGEST_FIGURE: Final = np.array([2.6, 2.6, 1.0])
"""m over which the joints of a figure 1.70 m tall spread at most; bounds the grid's memory too."""


@dataclass(frozen=True, slots=True)
class Material:
    """How part of the skin looks.

    Attributes:
        name: Of the part.
        colour: sRGB, 0 to 1.
        roughness: 0 to 1, as glTF has it.
    """

    name: str
    colour: tuple[float, float, float]
    roughness: float


BODY: Final = Material("Body", (0.80, 0.79, 0.77), 0.62)
LEFT: Final = Material("Left", (0.23, 0.42, 0.57), 0.55)
RIGHT: Final = Material("Right", (0.80, 0.49, 0.24), 0.55)
VISOR: Final = Material("Visor", (0.12, 0.13, 0.15), 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A triangle mesh bound to a skeleton's T-pose, the root at its own rest offset.

    Attributes:
        points: (V, 3) m.
        normals: (V, 3), unit.
        parts: Each material with its triangles, (F, 3), counter-clockwise seen from outside.
        joints: (V, 4) joints that move a point; 0 where the weight is 0.
        weights: (V, 4), rows of whole numbers that sum to 255, the largest first.
    """

    points: Floats
    normals: Floats
    parts: tuple[tuple[Material, Indices], ...]
    joints: Indices
    weights: NDArray[np.uint8]


_skins: OrderedDict[object, Skin] = OrderedDict()
_lock = Lock()


def skin_of(skeleton: Skeleton) -> Skin:
    """The skin of a skeleton, kept for the next clip of the same figure."""
    key = key_of(skeleton)
    with _lock:
        skin = _skins.pop(key, None)
        if skin is None:
            rest = rest_positions(skeleton)
            skin = (_mannequin if _is_human(skeleton, rest) else _capsules)(skeleton, rest)
        _skins[key] = skin
        if len(_skins) > KEPT:
            _skins.popitem(last=False)
    return skin


def key_of(skeleton: Skeleton) -> object:
    """Equal for skeletons with the same names, tree, offsets and ends."""
    ends = tuple(sorted(skeleton.ends.items()))
    return skeleton.names, skeleton.parents, skeleton.offsets.tobytes(), ends


def rest_positions(skeleton: Skeleton) -> Floats:
    """Joints of the T-pose in the world, (J, 3) m."""
    rest = np.array(skeleton.offsets, dtype=np.float64)
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rest[joint] += rest[parent]
    return rest


def _is_human(skeleton: Skeleton, rest: Floats) -> bool:
    """Whether the joints are ours and about where a person's are, standing with arms apart."""
    if not set(JOINT_NAMES) <= set(skeleton.names):
        return False
    height = scale_of(dict(zip(skeleton.names, rest, strict=True)))
    return height > 0.0 and bool((np.ptp(rest, axis=0) < LARGEST_FIGURE * height).all())


def _mannequin(skeleton: Skeleton, rest: Floats) -> Skin:
    solid = Flesh(skeleton, rest)
    axes = solid.axes()
    surface = surface_of(solid.field, solid.sampled(axes), axes)
    points, quads = surface.points, surface.quads
    centres = points[quads].mean(axis=1)
    part = np.zeros(len(quads), dtype=np.intp)
    for number, side in ((1, "L"), (2, "R")):
        for start, end, offset in (("Elbow", "Wrist", 0.0), ("Knee", "Ankle", -0.035)):
            a, b = solid.at[f"{side}_{start}"], solid.at[f"{side}_{end}"]
            normal = (b - a) / np.linalg.norm(b - a)
            origin = b + normal * offset * solid.scale
            beyond = (centres - origin) @ normal > 0.0
            beyond &= np.linalg.norm(centres - b, axis=1) < 0.32 * solid.scale
            beyond &= (centres - rest[0])[:, 0] * (b - rest[0])[0] > 0.0
            part[beyond] = number
            # Points on the border lie on one plane, so that the cuff is straight.
            border = np.intersect1d(quads[beyond], quads[~beyond])
            points[border] -= ((points[border] - origin) @ normal)[:, None] * normal
    joints, weights = solid.weights(points)
    faces = _split(points, quads)
    parts = tuple(
        (material, faces[np.concatenate((part, part)) == number])
        for number, material in enumerate((BODY, LEFT, RIGHT))
    )
    lens, lens_facing, lens_faces = solid.visor()
    whole, moved = (
        np.zeros((len(lens), BONES_A_POINT), np.uint8),
        np.zeros_like(joints[: len(lens)]),
    )
    whole[:, 0], moved[:, 0] = FULL, skeleton.names.index("Head")
    return Skin(
        np.concatenate((points, lens)),
        np.concatenate((normals(solid.field, points), lens_facing)),
        (*parts, (VISOR, lens_faces + len(points))),
        np.concatenate((joints, moved)),
        np.concatenate((weights, whole)),
    )


def _split(points: Floats, quads: Indices) -> Indices:
    """Two triangles a quad, along its shorter diagonal; the second ones after the first."""
    corners = points[quads]
    first = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1)
    second = np.linalg.norm(corners[:, 1] - corners[:, 3], axis=1)
    turned = np.where((second < first)[:, None], np.roll(quads, -1, axis=1), quads)
    return np.concatenate((turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]))


def _capsules(skeleton: Skeleton, rest: Floats) -> Skin:
    points, facing, faces, owner = capsules(skeleton, rest)
    joints = np.zeros((len(points), BONES_A_POINT), dtype=np.intp)
    weights = np.zeros((len(points), BONES_A_POINT), dtype=np.uint8)
    joints[:, 0], weights[:, 0] = owner, FULL
    return Skin(points, facing, ((BODY, faces),), joints, weights)
