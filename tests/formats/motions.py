"""Motions made in a few lines, for tests of codecs and checks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere.formats.clip import JOINT_NAMES, STANDARD, Clip, Floats, Skeleton, forward


def turned(clip: Clip, joint: str, axis: str, degrees: NDArray[Any] | float) -> Clip:
    """The clip with a joint turned further, about an axis of its own frame."""
    rotation = clip.rotation.copy()
    index = clip.skeleton.names.index(joint)
    angles = np.broadcast_to(np.asarray(degrees, dtype=float), (clip.frames,))
    turn = Rotation.from_euler(axis, angles[:, None], degrees=True).as_matrix()
    rotation[:, index] = rotation[:, index] @ turn
    return Clip(clip.translation, rotation, clip.fps, clip.skeleton)


def standing(frames: int = 60, fps: float = 30.0, skeleton: Skeleton = STANDARD) -> Clip:
    """A figure in T-pose at the origin, feet on the ground."""
    root = np.tile([0.0, 0.96, 0.0], (frames, 1))
    rotation = np.tile(np.eye(3), (frames, len(skeleton.names), 1, 1))
    return Clip(root, rotation, fps, skeleton)


def waving(frames: int = 60, fps: float = 30.0) -> Clip:
    """A right motion: standing, one arm hangs, the other waves, the head turns a little."""
    seconds = np.arange(frames) / fps
    clip = turned(standing(frames, fps), "L_Shoulder", "z", -75.0)
    clip = turned(clip, "R_Shoulder", "z", -20.0 + 10.0 * np.sin(4.0 * seconds))
    clip = turned(clip, "R_Elbow", "y", 60.0 + 30.0 * np.sin(6.0 * seconds))
    return turned(clip, "Head", "y", 15.0 * np.sin(2.0 * seconds))


def tumbling(frames: int = 150, seed: int = 0) -> Clip:
    """Every joint turns freely and smoothly, over many turns and through gimbal lock."""
    draw = np.random.default_rng(seed)
    angle = np.linspace(0.0, 4.0, frames)[:, None, None]
    axes = draw.normal(size=(1, len(JOINT_NAMES), 3))
    start = Rotation.random(len(JOINT_NAMES), rng=draw).as_matrix()
    turns = Rotation.from_rotvec((angle * axes).reshape(-1, 3)).as_matrix()
    rotation = turns.reshape(frames, -1, 3, 3) @ start
    path = np.cumsum(draw.normal(0.0, 0.02, (frames, 3)), axis=0)
    path[:, 1] += 1.0
    return Clip(path, rotation)


def by_name(clip: Clip) -> dict[str, Floats]:
    """World positions (T, 3) m of each joint."""
    positions, _ = forward(clip)
    return {name: positions[:, joint] for joint, name in enumerate(clip.skeleton.names)}
