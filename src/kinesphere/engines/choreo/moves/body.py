"""Small movements that many moves share: shifting weight, bending, holding both arms."""

import numpy as np

from kinesphere.engines.choreo.arms import Arm
from kinesphere.engines.choreo.channels import SIDES
from kinesphere.engines.choreo.score import SIGN, Beat, Score
from kinesphere.engines.choreo.stances import STANCES
from kinesphere.formats.clip import Floats


def both_arms(score: Score, time: float, arm: Arm) -> None:
    """Set the mirror image of one pose on both arms."""
    for side in SIDES:
        score.arm(time, side, arm)


def rest_arm(score: Score) -> Arm:
    """The arm's pose when nothing is asked of it in the present stance."""
    return STANCES[score.stance].arms


def lean(
    score: Score,
    beat: Beat,
    time: float,
    ahead: float = 0.0,
    left: float = 0.0,
    *,
    dip: float = 0.0,
    twist: float = 0.0,
) -> None:
    """Shift the pelvis (m) and turn it (degrees) over planted feet, where the figure stands."""
    if beat.overlay or score.stance != "stand":
        return
    stance = STANCES["stand"]
    score.root(time, ahead, left, y=stance.height - dip, twist=twist)


def trunk(
    score: Score,
    time: float,
    bend: float = 0.0,
    turn: float = 0.0,
    tilt: float = 0.0,
    *,
    nod: float = 0.0,
    look: float = 0.0,
    cock: float = 0.0,
) -> None:
    """Set spine and head, degrees, on top of the stance's own."""
    body = STANCES[score.stance].body
    score.key(
        time,
        sx=body.get("sx", 0.0) + bend,
        sy=turn,
        sz=tilt,
        hx=body.get("hx", 0.0) + nod,
        hy=look,
        hz=cock,
    )


def steps_to(
    score: Score,
    start: float,
    end: float,
    ahead: dict[str, float],
    out: dict[str, float] | None = None,
    *,
    yaw: dict[str, float] | None = None,
    lift: float = 0.08,
) -> None:
    """Move the named feet at once to offsets (m) from where they stand at ease."""
    for side, value in ahead.items():
        sideways = SIGN[side] * (out or {}).get(side, 0.0)
        score.step(side, start, end, value, sideways, yaw=(yaw or {}).get(side, 0.0), lift=lift)


def beating(score: Score, beat: Beat, phase: float = 0.0, per_rep: float = 1.0) -> Floats:
    """A sine over the repetitions, faded in and out: (T,), -1 to 1."""
    times = score.times
    ramp = max(min(0.4 * beat.cycle, 0.3), 1e-3)
    inside = np.clip((times - beat.at(0.0)) / ramp, 0.0, 1.0)
    inside = inside * np.clip((beat.out - times) / ramp, 0.0, 1.0)
    inside = inside * inside * (3.0 - 2.0 * inside)
    turn = 2.0 * np.pi * per_rep * (times - beat.at(0.0)) / beat.cycle
    return np.asarray(inside * np.sin(turn + phase))
