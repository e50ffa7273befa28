"""The vendor's figure as our skeleton, and its decoded motion as our clip."""

from typing import Final

import numpy as np

from kinesphere.formats.clip import JOINT_NAMES, PARENTS, Clip, Floats, Skeleton

BODY: Final = len(JOINT_NAMES)
_HANDS: Final = {20: 27, 21: 42}
"""Each wrist and the last joint of its middle finger, among the rig's 52."""
_FEET: Final = (10, 11)
_HEAD: Final = 15


def skeleton_of(joints: Floats, parents: Floats, vertices: Floats) -> Skeleton:
    """The body's 22 joints of a rig whose first 22 are in SMPL-H order.

    Args:
        joints: (52, 3) m, joints at rest, Y up.
        parents: (52,) index of each joint's parent; the root's own is not looked at.
        vertices: (V, 3) m, the skin at rest.

    Raises:
        ValueError: The rig is another than that.
    """
    shapes = joints.shape == (52, 3) and parents.shape == (52,) and vertices.shape[1:] == (3,)
    if not shapes or tuple(int(p) for p in parents[1:BODY]) != PARENTS[1:]:
        raise ValueError("the rig's joints are not those of SMPL-H")
    offsets = joints[:BODY].copy()
    offsets[1:] -= joints[list(PARENTS[1:])]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    offsets[0] = (0.0, joints[0, 1] - low[1], 0.0)
    ends = {wrist: _vector(joints[finger] - joints[wrist]) for wrist, finger in _HANDS.items()}
    ends[_HEAD] = (0.0, float(high[1] - joints[_HEAD, 1]), 0.0)
    for foot in _FEET:
        toes = vertices[vertices[:, 1] <= joints[foot, 1]]
        reach = toes[:, 2].max() - joints[foot, 2] if len(toes) else 0.0
        ends[foot] = (0.0, float(low[1] - joints[foot, 1]), float(reach))
    return Skeleton(JOINT_NAMES, PARENTS, offsets, ends)


def _vector(offset: Floats) -> tuple[float, float, float]:
    x, y, z = offset.tolist()
    return x, y, z


def matrices(rot6d: Floats) -> Floats:
    """Rotations (…, 3, 3) from (…, 6): their first two columns, interleaved row by row.

    After Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks": the
    columns are made orthonormal, and the third is their cross product.
    """
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first, second = columns[..., 0], columns[..., 1]
    first = first / np.linalg.norm(first, axis=-1, keepdims=True)
    second = second - (first * second).sum(axis=-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack((first, second, np.cross(first, second)), axis=-1)


def clip_of(
    rot6d: Floats, translation: Floats, root: Floats, skeleton: Skeleton, fps: float
) -> Clip:
    """The clip of one decoded sample.

    Args:
        rot6d: (T, 22, 6) local rotations.
        translation: (T, 3) m, by which the figure is moved from its rest.
        root: (3,) m, the rig's root joint at rest: `translation` does not contain it.
        skeleton: Of the rig.
        fps: Frames a second.
    """
    place = np.asarray(translation, np.float64) + np.asarray(root, np.float64)
    return Clip(place, matrices(np.asarray(rot6d, np.float64)), fps, skeleton)
