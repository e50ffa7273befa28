"""Walking in all its forms: footsteps along a path, and a body that follows them."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kinesphere.engines.choreo.arms import BACK, Arm, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.curves import minimum_jerk, window
from kinesphere.engines.choreo.footsteps import Footprint, Swing
from kinesphere.engines.choreo.score import BALL_AHEAD, OTHER, SIGN, Beat, Score
from kinesphere.formats.clip import Floats

FASTEST_FOOT: Final = 7.0
"""m/s of a swinging foot, which covers two steps at about 1.6 times its mean speed."""
SWINGING: Final = reach(0.06, -0.508, 0.07, BACK, pronation=15.0, flex=5.0)


@dataclass(frozen=True, slots=True)
class Gait:
    """One way of going; lengths in m, angles in degrees, times as shares of a step.

    Attributes:
        length: Step length at natural speed.
        swing: Time of a foot in the air: under 1 walks, over 1 runs.
        lift: Height of the swinging foot.
        half: Half distance between the feet.
        height: Of the pelvis.
        bounce: Half rise and fall of the pelvis.
        sway: Sideways shift of the pelvis.
        lean: Forward pitch of the pelvis.
        bend: Forward bend of the spine.
        arms: How far the arms swing.
        elbow: How much an elbow flexes more in its forward swing.
        pose: Of both arms.
        roll_off: Heel rise at the end of a stance.
        strike: Toe rise at its begin.
        knee: Outward swing of the knees.
        uneven: Share of a step by which the weak side's stance is shorter.
    """

    length: float = 0.68
    swing: float = 0.8
    lift: float = 0.09
    half: float = 0.07
    height: float = STANDING - 0.025
    bounce: float = 0.016
    sway: float = 0.022
    lean: float = 3.0
    bend: float = 2.0
    arms: float = 22.0
    elbow: float = 10.0
    pose: Arm = SWINGING
    roll_off: float = 38.0
    strike: float = 14.0
    knee: float = 0.0
    uneven: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The path of the pelvis over time.

    Attributes:
        times: (N,) s.
        x: (N,) m.
        z: (N,) m.
        heading: (N,) degrees, whereto the figure faces.
        pace: (N,) speed as a share of its greatest.
    """

    times: Floats
    x: Floats
    z: Floats
    heading: Floats
    pace: Floats

    def at(self, time: float) -> tuple[float, float, float, float]:
        """x, z, heading and pace at a time."""
        return (
            float(np.interp(time, self.times, self.x)),
            float(np.interp(time, self.times, self.z)),
            float(np.interp(time, self.times, self.heading)),
            float(np.interp(time, self.times, self.pace)),
        )


def plan(score: Score, beat: Beat, speed: float) -> Course:
    """The course of a locomotion as its action asks, from the score's place.

    Args:
        score: Gives the place.
        beat: Gives time, path, direction and degrees.
        speed: m/s at full pace.
    """
    action = beat.action
    span = beat.done - beat.start
    times = np.linspace(beat.start, beat.done, max(24, int(span * 30)))
    ramp = min(0.55, 0.3 * span)
    pace = minimum_jerk((times - beat.start) / ramp) * minimum_jerk((beat.done - times) / ramp)
    step = times[1] - times[0]
    way = speed * np.concatenate([[0.0], np.cumsum(0.5 * (pace[1:] + pace[:-1]) * step)])
    length = max(float(way[-1]), 1e-6)
    share = way / length
    turned = _turning(action.path, action.direction, action.degrees, beat, share, length=length)
    forward = -1.0 if action.direction == "backward" else 1.0
    if action.path == "in_place":
        way = way * 0.0
    angle = np.radians(score.place.yaw + turned)
    moved = np.diff(way)
    middle = 0.5 * (angle[1:] + angle[:-1])
    x = score.place.x + forward * np.concatenate([[0.0], np.cumsum(moved * np.sin(middle))])
    z = score.place.z + forward * np.concatenate([[0.0], np.cumsum(moved * np.cos(middle))])
    return Course(times, x, z, score.place.yaw + turned, pace)


def _turning(
    path: str | None,
    direction: str | None,
    degrees: float | None,
    beat: Beat,
    share: Floats,
    *,
    length: float,
) -> Floats:
    """Degrees that the way has turned to the left at each share of its length."""
    left = {"left": 1.0, "right": -1.0}.get(direction or "", 1.0)
    if direction is None and beat.action.side is not None:
        left = SIGN[beat.side]
    if path == "circle":
        count = beat.action.count or 1.0
        total = degrees if degrees is not None else 360.0 * count
        # No tighter than a radius of 0.45 m, about as narrow as people walk, more for runners.
        radius = max(0.45, 0.35 * length / (beat.done - beat.start))
        total = min(abs(total), float(np.degrees(length / radius)))
        return left * total * share
    if path == "zigzag":
        legs = max(2, round(length / 1.6))
        corner = np.clip((share * legs) % 1.0 / 0.3, 0.0, 1.0)
        number = np.minimum(np.floor(share * legs), legs - 1)
        sign = np.where(number % 2 == 0, 1.0, -1.0)
        before = np.where(number == 0, 0.0, -sign)
        return left * 38.0 * (before + (sign - before) * minimum_jerk(corner))
    if degrees is not None:
        return left * degrees * share
    if direction in ("left", "right"):
        return left * 90.0 * minimum_jerk(share / 0.45)
    return np.zeros_like(share)


def go(score: Score, beat: Beat, gait: Gait, step_time: float) -> None:
    """Write a whole gait: feet, pelvis, trunk and arms."""
    gait = _styled(gait, beat)
    span = beat.done - beat.start
    steps = max(2, beat.reps)
    every = span / steps
    # A step shorter than natural is smaller too, so that haste does not become a leap.
    hurry = min(1.0, every / (0.8 * step_time))
    length = min(hurry * gait.length, FASTEST_FOOT * gait.swing * every / 3.25)
    course = plan(score, beat, length / every)
    first = _first_foot(score, course, beat)
    for index in range(steps):
        side = first if index % 2 == 0 else OTHER[first]
        _stride(score, beat, gait, course, side, index=index, steps=steps, every=every)
    _follow(score, beat, gait, course)
    _oscillate(score, beat, gait, course, first, every=every)
    _carry_arms(score, beat, gait, first, every)
    x, z, heading, _ = course.at(beat.done)
    score.place = Footprint(x, z, heading, 0.0)


def _styled(gait: Gait, beat: Beat) -> Gait:
    style = beat.style
    return replace(
        gait,
        length=gait.length * min(style.step * beat.action.amplitude**0.6, 1.25),
        lift=gait.lift * (0.75 + 0.25 * min(style.bounce, 2.0)),
        half=gait.half + style.wide,
        height=gait.height - 0.3 * style.drop,
        bounce=gait.bounce * style.bounce * beat.action.amplitude,
        sway=gait.sway * style.sway,
        arms=gait.arms * style.swing * beat.action.amplitude,
        uneven=gait.uneven,
    )


def _first_foot(score: Score, course: Course, beat: Beat) -> str:
    """The foot that is farther behind steps first; on a tie the one of the beat's side."""
    angle = np.radians(course.heading[0])
    ahead = {
        side: score.feet[side].x * np.sin(angle) + score.feet[side].z * np.cos(angle)
        for side in SIDES
    }
    if abs(ahead["l"] - ahead["r"]) < 0.04:
        if beat.action.direction in ("left", "right"):
            return "l" if beat.action.direction == "left" else "r"
        return beat.side
    behind = "l" if ahead["l"] < ahead["r"] else "r"
    return OTHER[behind] if beat.action.direction == "backward" else behind


def _stride(
    score: Score,
    beat: Beat,
    gait: Gait,
    course: Course,
    side: str,
    *,
    index: int,
    steps: int,
    every: float,
) -> None:
    shift = gait.uneven * every * (1.0 if side == beat.side else -1.0)
    land = beat.start + (index + 1) * every - max(0.0, shift)
    flight = min(gait.swing, 1.75) * every
    leave = max(land - flight, beat.start + (0.0 if index == 0 else 0.02))
    if index == steps - 1:
        land = min(land, beat.done - 0.02)
    stance = 2.0 * every - flight
    middle = min(land + 0.5 * stance, beat.done)
    if index >= steps - 2:
        middle = beat.done
    x, z, heading, _ = course.at(middle)
    *_, pace = course.at(0.5 * (leave + land))
    half = SIGN[side] * (gait.half + (0.03 if index >= steps - 2 else 0.0))
    angle = np.radians(heading)
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    there = Footprint(
        x + BALL_AHEAD * sine + half * cosine,
        z + BALL_AHEAD * cosine - half * sine,
        heading + SIGN[side] * 7.0,
    )
    # The heel strikes first: the ball comes to rest a little after the landing.
    rest = min(land + 0.10 * every, beat.done)
    lift = gait.lift * (0.55 + 0.45 * max(pace, 0.3))
    score.tread(side, Swing(leave, rest, there, lift))
    back = beat.action.direction == "backward"
    heel = gait.roll_off * pace * (0.4 if back else 1.0)
    toe = gait.strike * pace * (-0.8 if back else 1.0)
    rise = max(leave - 0.35 * stance, score.layer.last(f"{side}.fp")[0] + 0.01)
    tip = 8.0 if beat.style.heel == 0.0 else beat.style.heel
    score.limb(rise, side, fp=0.0)
    score.limb(leave + 0.12 * flight, side, fp=max(heel, tip))
    score.limb(leave + 0.6 * flight, side, fp=0.25 * heel)
    score.limb(land - 0.02, side, fp=-toe)
    score.limb(max(rest, land + 0.12 * every), side, fp=0.0)


def _follow(score: Score, beat: Beat, gait: Gait, course: Course) -> None:
    for index in range(0, len(course.times), 2):
        time = float(course.times[index])
        if time > beat.start + 0.01:
            score.key(
                time,
                x=float(course.x[index]),
                z=float(course.z[index]),
                heading=float(course.heading[index]),
            )
    score.key(beat.done, x=float(course.x[-1]), z=float(course.z[-1]))
    score.key(beat.done, heading=float(course.heading[-1]))
    ramp = min(0.45, 0.3 * (beat.done - beat.start))
    for time, share in ((beat.start + ramp, 1.0), (beat.done - ramp, 1.0), (beat.done, 0.0)):
        score.key(
            time,
            y=STANDING + share * (gait.height - STANDING),
            pitch=share * gait.lean,
            sx=share * gait.bend,
            roll=0.0,
            twist=0.0,
        )


def _oscillate(
    score: Score, beat: Beat, gait: Gait, course: Course, first: str, *, every: float
) -> None:
    times = score.times
    inside = window(times, beat.start, beat.done, min(1.2 * every, 0.6))
    step = (times - beat.start) / every
    runs = gait.swing > 1.0
    # A walker is lowest in double support, a runner in the middle of the stance.
    low = 0.5 * (2.0 - gait.swing) if runs else 0.05
    score.wave("y", -gait.bounce * inside * np.cos(2.0 * np.pi * (step - low)))
    stance = SIGN[OTHER[first]]
    over = stance * np.cos(np.pi * (step - 0.5))
    angle = np.radians(np.interp(times, course.times, course.heading))
    score.wave("x", gait.sway * inside * over * np.cos(angle))
    score.wave("z", -gait.sway * inside * over * np.sin(angle))
    lead = SIGN[first] * np.cos(np.pi * (step - 1.0))
    size = min(1.5, gait.arms / 22.0) + 0.3
    score.wave("twist", -4.5 * size * inside * lead)
    score.wave("sy", 8.0 * size * inside * lead)
    score.wave("hy", -3.0 * size * inside * lead)
    score.wave("roll", -2.2 * inside * over)
    score.wave("sz", 2.6 * inside * over)
    score.wave("hz", 0.6 * inside * over)
    score.wave("sx", 1.2 * inside * np.cos(2.0 * np.pi * (step - 0.15)))
    score.wave("hx", -1.5 * inside * np.cos(2.0 * np.pi * (step - 0.25)))


def _carry_arms(score: Score, beat: Beat, gait: Gait, first: str, every: float) -> None:
    times = score.times
    span = beat.done - beat.start
    inside = window(times, beat.start, beat.done, min(1.3 * every, 0.6))
    ramp = min(0.4, 0.3 * span)
    step = (times - beat.start) / every
    for side in SIDES:
        score.arm(beat.start + ramp, side, gait.pose)
        score.arm(beat.done - ramp, side, gait.pose)
        sign = -1.0 if side == first else 1.0
        # The forearm follows the upper arm a little later.
        ahead = sign * np.cos(np.pi * (step - 1.05))
        later = sign * np.cos(np.pi * (step - 1.18))
        score.wave(f"{side}.swing", inside * gait.arms * (ahead + 0.12))
        score.wave(f"{side}.el", inside * gait.elbow * (0.6 + later))
        score.limb(beat.done - ramp, side, ko=gait.knee)
        score.limb(beat.done, side, ko=0.0)
