"""What a simulated device hands out: a figure that stands and breathes, a box."""

import numpy as np

from kinesphere.formats.clip import JOINT_NAMES, STANDARD, Clip
from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from kinesphere.ports import File

_FPS = 30.0
_ARMS_DOWN = 1.2
_SWING = 0.1


def standing(seconds: float) -> Clip:
    """A figure at rest, its arms swinging a little, for `seconds`."""
    frames = max(2, round(seconds * _FPS))
    time = np.arange(frames) / _FPS
    rotation = np.tile(np.eye(3), (frames, len(JOINT_NAMES), 1, 1))
    for name, side in (("L_Shoulder", -1.0), ("R_Shoulder", 1.0)):
        angle = side * (_ARMS_DOWN + _SWING * np.sin(np.pi * time))
        _turn(rotation[:, JOINT_NAMES.index(name)], angle, axes=(0, 1))
    return Clip(np.tile(STANDARD.offsets[0], (frames, 1)), rotation, _FPS)


def bent(clip: Clip) -> Clip:
    """The same with the left elbow bent backwards by a right angle."""
    rotation = clip.rotation.copy()
    back = np.full(clip.frames, np.pi / 2)
    _turn(rotation[:, JOINT_NAMES.index("L_Elbow")], back, axes=(2, 0))
    return Clip(clip.translation, rotation, clip.fps, clip.skeleton)


def box(format_name: str) -> File:
    """A cube of 1 m in the mesh format of this name."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
    faces = np.array(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6],
         [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    )  # fmt: skip
    form = MESH_FORMATS[format_name]
    mesh = Mesh(corners.astype(np.float32), faces.astype(np.int32))
    return File(f"simulated{form.extension}", form.media_type, form.encode(mesh))


def _turn(joint: np.ndarray, angle: np.ndarray, axes: tuple[int, int]) -> None:
    """Set (T, 3, 3) rotations about the axis that is not in `axes`, by (T,) rad."""
    first, second = axes
    joint[:, first, first] = joint[:, second, second] = np.cos(angle)
    joint[:, second, first] = np.sin(angle)
    joint[:, first, second] = -np.sin(angle)
