"""Where each foot stands and how it gets there: footsteps are planned, legs follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinesphere.engines.choreo.curves import cruise, minimum_jerk
from kinesphere.engines.choreo.rig import GROUND, Feet
from kinesphere.formats.clip import Floats


@dataclass(frozen=True, slots=True)
class Footprint:
    """A place of the ball of a foot.

    Attributes:
        x: m.
        z: m.
        yaw: Where the toes point, degrees, not wrapped.
        y: Height, m.
    """

    x: float
    z: float
    yaw: float
    y: float = GROUND


@dataclass(frozen=True, slots=True)
class Swing:
    """One flight of a foot to its next footprint.

    Attributes:
        start: s, when the ball leaves the ground.
        end: s, when it rests again.
        to: The footprint.
        lift: Height gained on the way, m.
        ballistic: Whether the height follows a throw, as in a jump, instead of a step.
    """

    start: float
    end: float
    to: Footprint
    lift: float = 0.09
    ballistic: bool = False


def track(first: Footprint, swings: Sequence[Swing], times: Floats) -> Feet:
    """Evaluate one foot's plan at these times, (T,) s."""
    ball = np.empty((len(times), 3))
    yaw = np.full(len(times), first.yaw)
    ball[:] = (first.x, first.y, first.z)
    here = first
    for swing in swings:
        begin, stop = np.searchsorted(times, (swing.start, swing.end))
        span = max(swing.end - swing.start, 1e-3)
        _fly(
            ball[begin:stop], yaw[begin:stop], (times[begin:stop] - swing.start) / span, here, swing
        )
        here = swing.to
        ball[stop:] = (here.x, here.y, here.z)
        yaw[stop:] = here.yaw
    return Feet(ball, yaw)


def _fly(ball: Floats, yaw: Floats, share: Floats, here: Footprint, swing: Swing) -> None:
    there = swing.to
    if swing.ballistic:
        travel = minimum_jerk(share) * 0.35 + 0.65 * share
        rise = 4.0 * share * (1.0 - share)
    else:
        # Lift first, then travel: a toe still near the ground must not be moving over it.
        travel = cruise((share - 0.06) / 0.88, 0.3)
        rise = minimum_jerk(share / 0.42) * minimum_jerk((1.0 - share) / 0.42)
    ball[:, 0] = here.x + (there.x - here.x) * travel
    ball[:, 2] = here.z + (there.z - here.z) * travel
    ball[:, 1] = here.y + (there.y - here.y) * minimum_jerk(share) + swing.lift * rise
    yaw[:] = here.yaw + (there.yaw - here.yaw) * travel


def settle(swings: Sequence[Swing], gap: float) -> list[Swing]:
    """The swings of one foot in order, none starting before the one ahead has ended."""
    ordered = sorted(swings, key=lambda swing: swing.start)
    kept: list[Swing] = []
    for swing in ordered:
        start = max(swing.start, kept[-1].end) if kept else swing.start
        kept.append(replace(swing, start=start, end=max(swing.end, start + gap)))
    return kept
