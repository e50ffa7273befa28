"""The one motion value that every engine makes and every codec reads.

Conventions: Y up, right-handed, metres, the figure faces +Z at the start and its left is +X.
A joint's rotation is local to its parent; the identity everywhere is the T-pose.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

JOINT_NAMES: Final = (
    "Pelvis", "L_Hip", "R_Hip", "Spine1", "L_Knee", "R_Knee", "Spine2", "L_Ankle", "R_Ankle",
    "Spine3", "L_Foot", "R_Foot", "Neck", "L_Collar", "R_Collar", "Head", "L_Shoulder",
    "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist",
)  # fmt: skip
"""The 22 body joints in SMPL-H order."""

PARENTS: Final = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Names, tree and rest offsets of a figure.

    Attributes:
        names: One name a joint; parents come before children.
        parents: Index of each joint's parent, -1 for the root.
        offsets: (J, 3) m, from the parent's joint in the T-pose; the root's row is its height
            above the ground in that pose.
        ends: Leaf joint index to (3,) m offset of the tip beyond it: crown, fingertips, toes.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats
    ends: dict[int, tuple[float, float, float]]


def _standard() -> Skeleton:
    # Segment lengths for a stature of 1.70 m, after the proportions of Drillis and Contini (1966).
    left = {
        "Hip": (0.095, -0.06, 0.0), "Knee": (0.0, -0.41, 0.0), "Ankle": (0.0, -0.42, 0.0),
        "Foot": (0.0, -0.055, 0.13), "Collar": (0.06, 0.11, 0.0), "Shoulder": (0.12, 0.03, 0.0),
        "Elbow": (0.28, 0.0, 0.0), "Wrist": (0.25, 0.0, 0.0),
    }  # fmt: skip
    middle = {
        "Pelvis": (0.0, 0.96, 0.0), "Spine1": (0.0, 0.11, 0.0), "Spine2": (0.0, 0.12, 0.0),
        "Spine3": (0.0, 0.08, 0.0), "Neck": (0.0, 0.19, 0.0), "Head": (0.0, 0.09, 0.0),
    }  # fmt: skip
    rows = []
    for name in JOINT_NAMES:
        if name in middle:
            rows.append(middle[name])
        else:
            side, joint = name.split("_")
            x, y, z = left[joint]
            rows.append((x if side == "L" else -x, y, z))
    ends = {
        10: (0.0, -0.005, 0.07), 11: (0.0, -0.005, 0.07), 15: (0.0, 0.16, 0.0),
        20: (0.17, 0.0, 0.0), 21: (-0.17, 0.0, 0.0),
    }  # fmt: skip
    return Skeleton(JOINT_NAMES, PARENTS, np.array(rows), ends)


STANDARD: Final = _standard()
"""Our own figure, 1.70 m tall. The balls of the feet (joints 10, 11) rest 1.5 cm above ground."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A motion of one figure.

    Attributes:
        translation: (T, 3) m, the root joint's position in the world.
        rotation: (T, J, 3, 3), each joint's rotation relative to its parent (the root's: to the
            world), acting on column vectors.
        fps: Frames a second.
        skeleton: Whose motion it is.
    """

    translation: Floats
    rotation: Floats
    fps: float = 30.0
    skeleton: Skeleton = STANDARD

    @property
    def frames(self) -> int:
        """T, the number of frames."""
        return int(self.translation.shape[0])

    @property
    def duration(self) -> float:
        """Seconds that the clip lasts when each frame is shown for 1/fps."""
        return self.frames / self.fps


def forward(clip: Clip) -> tuple[Floats, Floats]:
    """World joint positions (T, J, 3) m and world rotations (T, J, 3, 3) of a clip."""
    skeleton = clip.skeleton
    # Each entry of a matrix contiguous over the frames: sums over such rows cost half as much as
    # products of many small matrices.
    local = np.ascontiguousarray(clip.rotation.transpose(1, 2, 3, 0))
    world = np.empty_like(local)
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            world[joint] = local[joint]
        else:
            np.einsum("ikt,kjt->ijt", world[parent], local[joint], out=world[joint])
    above = world[list(skeleton.parents)]
    places = np.einsum("nikt,nk->nit", above, skeleton.offsets, dtype=np.float64)
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            places[joint] = clip.translation.T
        else:
            places[joint] += places[parent]
    positions = np.ascontiguousarray(places.transpose(2, 0, 1))
    return positions, np.ascontiguousarray(world.transpose(3, 0, 1, 2))
