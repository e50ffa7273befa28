"""A film that grows at its end while it is played: one motion after the other, without a cut."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Clip, Skeleton
from kinesphere.formats.continuation import again, continued
from kinesphere.formats.quaternions import continuous_quaternions, matrices

Poses = NDArray[np.float32]

LONGEST: Final = 600.0
"""Seconds that are kept; what was before them is forgotten. 6.5 MB for 22 joints."""


@dataclass(frozen=True, slots=True)
class Part:
    """One motion's place in a film: from the frame `first` up to, and without, `end`."""

    first: int
    end: int


class Reel:
    """Poses in a row, each as it is sent: root position, then one quaternion a joint.

    Attributes:
        fps: Frames a second, those of its first motion.
        skeleton: Of its first motion; later ones are put on it.
        first: Number of the first frame that is kept.
    """

    def __init__(self, clip: Clip, longest: float = LONGEST) -> None:
        self.fps = clip.fps
        self.skeleton: Skeleton = clip.skeleton
        self.first = 0
        self._most = max(2, round(longest * clip.fps))
        self._poses = _poses(clip)
        # As they were before they were first seen again.
        self._plain: Poses | None = None
        self._forget()

    @property
    def end(self) -> int:
        """Number of the frame after the last."""
        return self.first + len(self._poses)

    def append(self, clip: Clip, *, still: bool) -> Part:
        """Let a motion go on from the last frame; `still`: which was held before that.

        Raises BadClip for a motion of other joints.
        """
        first = self.end
        added = self._on(continued(self._clip(self._poses[-1 if still else -2 :]), clip))
        self._poses, self._plain = np.concatenate((self._poses, added)), None
        self._forget()
        return Part(first, self.end)

    def repeat(self) -> None:
        """Let the first frame follow the last without a jump; the frames keep their numbers."""
        if self._plain is None:
            self._plain = self._poses
        self._poses = self._on(again(self._clip(self._poses[-2:]), self._clip(self._plain)))

    def cut(self, frame: int) -> None:
        """Forget what comes after a frame."""
        self._plain = None
        self._poses = self._poses[: max(1, frame + 1 - self.first)]

    def pose(self, position: float) -> Poses:
        """(3 + 4 J,) m and x y z w, the pose at a frame or between two."""
        place = min(max(position - self.first, 0.0), len(self._poses) - 1.0)
        low = int(place)
        if low == place:
            found: Poses = self._poses[low]
            return found
        share = place - low
        # Between frames, joints turn so little that normalised means are as good as arcs.
        mean = (1.0 - share) * self._poses[low] + share * self._poses[low + 1]
        turns = mean[3:].reshape(-1, 4)
        turns /= np.sqrt(np.einsum("ji,ji->j", turns, turns))[:, None]
        return np.asarray(mean, dtype=np.float32)

    def _on(self, clip: Clip) -> Poses:
        """Its poses, to follow the last one."""
        return _unbroken(np.concatenate((self._poses[-1:], _poses(clip))))[1:]

    def _clip(self, poses: Poses) -> Clip:
        rows = poses.astype(np.float64)
        turns = rows[:, 3:].reshape(len(rows), -1, 4)
        turns /= np.sqrt(np.einsum("tji,tji->tj", turns, turns))[..., None]
        return Clip(rows[:, :3], matrices(turns), self.fps, self.skeleton)

    def _forget(self) -> None:
        over = max(0, len(self._poses) - self._most)
        self._poses = self._poses[over:].copy() if over else self._poses
        self.first += over


def _poses(clip: Clip) -> Poses:
    turns = continuous_quaternions(clip.rotation)
    flat = turns.reshape(clip.frames, 4 * len(clip.skeleton.names))
    return np.concatenate((clip.translation, flat), axis=1).astype(np.float32)


def _unbroken(poses: Poses) -> Poses:
    """Rows whose quaternions go on from those of the first row by the short way."""
    turns = poses[:, 3:].reshape(len(poses), -1, 4)
    if len(turns) > 1:
        against = np.einsum("ji,ji->j", turns[0], turns[1]) < 0.0
        turns[1:, against] *= -1.0
    return poses
