"""Bodies for skeletons of which only the bones are known: a closed capsule along each bone."""

from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats, Skeleton
from kinesphere.formats.isosurface import Indices

SIDES: Final = 10
_LATITUDES: Final = np.radians([-90.0, -50.0, -10.0, 10.0, 50.0, 90.0])
THICKEST: Final = 0.02
"""Radius by the figure's size."""
PLUMPEST: Final = 0.22
"""Radius by the bone's length."""


def capsules(skeleton: Skeleton, rest: Floats) -> tuple[Floats, Floats, Indices, Indices]:
    """A capsule a bone.

    Args:
        skeleton: Whose bones.
        rest: (J, 3) m, its joints in the T-pose.

    Returns:
        Points (V, 3) m, unit normals (V, 3), triangles (F, 3), and the joint (V,) that each point
        moves with.
    """
    owners, starts, ends = _bones(skeleton, rest)
    size = max(float(np.ptp(np.concatenate((starts, ends)), axis=0).max()), 0.01)
    length = np.linalg.norm(ends - starts, axis=1)
    point_like = length < 1e-6
    radius = np.where(
        point_like, 0.7 * THICKEST * size, np.minimum(THICKEST * size, PLUMPEST * length)
    )
    directions, at_end, faces = _template()
    turned = np.einsum("bij,vj->bvi", _frames(ends - starts), directions)
    middle = starts[:, None] + at_end[:, None] * (ends - starts)[:, None]
    points = middle + radius[:, None, None] * turned
    numbered = faces + len(directions) * np.arange(len(starts))[:, None, None]
    return (
        points.reshape(-1, 3), turned.reshape(-1, 3), numbered.reshape(-1, 3),
        np.repeat(owners, len(directions)),
    )  # fmt: skip


def _bones(skeleton: Skeleton, rest: Floats) -> tuple[Indices, Floats, Floats]:
    """The joint that each bone moves with, its start and its end."""
    bones = []
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            bones.append((parent, rest[parent], rest[joint]))
        if joint in skeleton.ends:
            bones.append((joint, rest[joint], rest[joint] + skeleton.ends[joint]))
        elif joint not in skeleton.parents:
            bones.append((joint, rest[joint], rest[joint]))
    owners, starts, ends = zip(*bones, strict=True)
    return np.array(owners), np.array(starts), np.array(ends)


def _template() -> tuple[Floats, Floats, Indices]:
    """Normals (V, 3) along +Y, which end (V,) they are at, and triangles."""
    around = np.arange(SIDES) * (2.0 * np.pi / SIDES)
    ring = np.stack((np.cos(around), np.zeros(SIDES), -np.sin(around)), axis=1)
    rings = [np.cos(up) * ring + [0.0, np.sin(up), 0.0] for up in _LATITUDES[1:-1]]
    directions = np.concatenate([[[0.0, -1.0, 0.0]], *rings, [[0.0, 1.0, 0.0]]])
    last = len(directions) - 1
    here = np.arange(SIDES)
    after = (here + 1) % SIDES
    faces = [np.stack((np.zeros(SIDES, dtype=np.intp), 1 + after, 1 + here), axis=1)]
    for first in range(1, last - SIDES, SIDES):
        low, next_low, high, next_high = (
            first + here, first + after, first + SIDES + here, first + SIDES + after,
        )  # fmt: skip
        faces += [np.stack((low, next_low, next_high), 1), np.stack((low, next_high, high), 1)]
    top = last - SIDES
    faces.append(np.stack((top + here, top + after, np.full(SIDES, last)), axis=1))
    return directions, (directions[:, 1] > 0.0).astype(np.float64), np.concatenate(faces)


def _frames(axes: Floats) -> Floats:
    """Rotations (N, 3, 3) that turn +Y to each axis."""
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    y = np.where(length > 1e-9, axes / np.maximum(length, 1e-9), [0.0, 1.0, 0.0])
    aside = np.where(np.abs(y[:, :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    z = np.cross(aside, y)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack((np.cross(y, z), y, z), axis=-1)
