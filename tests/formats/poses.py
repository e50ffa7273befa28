"""Poses as they are sent, back as a motion."""

from dataclasses import replace

import numpy as np

from kinesphere.formats.clip import Clip
from kinesphere.formats.quaternions import matrices
from kinesphere.formats.reel import Poses


def clip_of(poses: Poses, like: Clip) -> Clip:
    """The motion that rows of poses (T, 3 + 4 J) show, on the skeleton of another."""
    rows = poses.astype(np.float64)
    turns = rows[:, 3:].reshape(len(rows), -1, 4)
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    return replace(like, translation=rows[:, :3], rotation=matrices(turns))
