"""Playing motions while somebody watches: the playhead, and the beat at which frames go out.

Both count in frames and are values; whoever plays brings the time.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

SLOWEST: Final = 0.1
FASTEST: Final = 4.0
"""Bounds of the speed: beyond them a motion is no longer seen as one."""


@dataclass(frozen=True, slots=True)
class Playhead:
    """Where a stream is in its frames, and how it goes on.

    Attributes:
        end: Frame after the last; at least `first` + 1.
        first: First frame that there is, which grows as a long stream forgets its beginning.
        position: Frame that is shown; between two frames at speeds other than whole ones.
        speed: Frames shown a beat.
        playing: Whether the next beat moves it.
        loop: Whether the first frame follows the last.
    """

    end: int
    first: int = 0
    position: float = 0.0
    speed: float = 1.0
    playing: bool = True
    loop: bool = False

    @property
    def last(self) -> int:
        """The last frame."""
        return self.end - 1

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be shown unless it is moved, or there are more frames."""
        return not self.loop and self.position >= self.last

    @property
    def moving(self) -> bool:
        """Whether the next beat shows something new."""
        return self.playing and not self.ended

    def after(self, beats: int) -> "Playhead":
        """It, so many beats later."""
        if not self.moving:
            return self
        position = self.position + beats * self.speed
        if position > self.last:
            length = self.end - self.first
            ahead = math.fmod(position - self.first, length)
            position = self.first + ahead if self.loop else self.last
            # Between the last frame and the first there is nothing to show.
            position = min(position, self.last)
        return replace(self, position=float(position))

    def sought(self, frame: float) -> "Playhead":
        """It at a frame, or at the nearest that there is."""
        return replace(self, position=float(min(max(frame, self.first), self.last)))

    def paced(self, speed: float) -> "Playhead":
        """It at another speed, within the bounds."""
        return replace(self, speed=min(max(speed, SLOWEST), FASTEST))

    def grown(self, end: int, first: int) -> "Playhead":
        """It where there are other frames; what it showed may be gone."""
        return replace(self, end=end, first=first).sought(self.position)


@dataclass(frozen=True, slots=True)
class Beat:
    """When frames are due: `next_at`, then every `period` seconds."""

    period: float
    next_at: float

    def taken(self, now: float) -> tuple[int, "Beat"]:
        """How many frames are due at `now`, and the beat after them.

        More than one are due when the time before them was spent elsewhere; all but the last of
        them are late and not worth showing.
        """
        if now < self.next_at:
            return 0, self
        due = 1 + int((now - self.next_at) / self.period)
        return due, Beat(self.period, self.next_at + due * self.period)
