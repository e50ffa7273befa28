"""Ways of going."""

from dataclasses import replace

import numpy as np

from kinesphere.engines.choreo.arms import BACK, mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.curves import GRAVITY
from kinesphere.engines.choreo.footsteps import Footprint, Swing
from kinesphere.engines.choreo.moves.body import both_arms, rest_arm, trunk
from kinesphere.engines.choreo.moves.gait import Course, Gait, go, plan
from kinesphere.engines.choreo.moves.jumps import pushed, thrown
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import BALL_AHEAD, HIP_WIDTH, OTHER, SIGN, Beat, Score

BENT = reach(0.06, -0.25, 0.10, (0.4, -0.5, -1.0), pronation=15.0, flex=5.0)
WALK = Gait()
RUN = Gait(
    length=1.08, swing=1.32, lift=0.2, half=0.045, height=STANDING - 0.05, bounce=0.038,
    sway=0.008, lean=8.0, bend=5.0, arms=40.0, elbow=12.0, pose=BENT, roll_off=48.0, strike=4.0,
)  # fmt: skip
SNEAK = Gait(
    length=0.5, swing=0.86, lift=0.17, half=0.06, height=0.80, bounce=0.02, sway=0.03, lean=14.0,
    bend=26.0, arms=12.0, elbow=8.0,
    pose=reach(0.06, -0.16, 0.28, (0.7, -1.0, -0.6), pronation=20.0, flex=-25.0),
    roll_off=26.0, strike=-8.0, knee=6.0,
)  # fmt: skip
MARCH = Gait(
    length=0.6, swing=0.82, lift=0.27, half=0.075, bounce=0.016, sway=0.012, lean=0.0, bend=-3.0,
    arms=44.0, elbow=4.0, pose=reach(0.05, -0.515, 0.05, BACK, 20.0), roll_off=30.0, strike=0.0,
)  # fmt: skip
STAGGER = Gait(length=0.5, swing=0.8, half=0.13, sway=0.075, lean=5.0, bend=8.0, arms=14.0)
LIMP = Gait(length=0.46, swing=0.72, sway=0.05, bounce=0.012, lean=5.0, bend=7.0, arms=12.0,
            uneven=0.16)  # fmt: skip


@move("walk", 0.0, 0.55, 0.0, 5, repeats=True)
def walk(score: Score, beat: Beat) -> None:
    """An even walk; backwards with shorter steps."""
    gait = WALK
    if beat.action.direction == "backward":
        gait = replace(WALK, length=0.45, lean=-1.0, bend=1.0, arms=12.0)
    go(score, beat, gait, 0.55)


@move("run", 0.0, 0.35, 0.0, 8, repeats=True, most_tempo=1.2)
def run(score: Score, beat: Beat) -> None:
    """A run with flight between the steps, elbows bent."""
    gait = RUN
    if beat.action.direction == "backward":
        gait = replace(RUN, length=0.6, swing=1.15, lean=0.0, lift=0.12)
    if beat.action.path in ("circle", "zigzag"):
        gait = replace(gait, length=0.95)
    go(score, beat, gait, 0.35)


@move("sneak", 0.0, 0.8, 0.0, 4, repeats=True)
def sneak(score: Score, beat: Beat) -> None:
    """Low on bent knees, high careful steps, toes first, looking about."""
    go(score, beat, SNEAK, 0.8)
    for index in range(int(beat.reps)):
        time = beat.start + (index + 0.6) * (beat.done - beat.start) / max(1, beat.reps)
        score.key(time, hx=-26.0, hy=24.0 * (1.0 if index % 2 else -1.0) * beat.sign)
    score.key(beat.done, hx=0.0, hy=0.0)


@move("march", 0.0, 0.52, 0.0, 6, repeats=True)
def march(score: Score, beat: Beat) -> None:
    """Knees high, arms straight, chest out."""
    go(score, beat, replace(MARCH, lift=MARCH.lift * beat.size), 0.52)


@move("stagger", 0.0, 0.6, 0.0, 5, repeats=True)
def stagger(score: Score, beat: Beat) -> None:
    """Wide uneven steps under a trunk that reels over them."""
    go(score, beat, STAGGER, 0.6)
    span = max(beat.done - beat.start, 0.5)
    times = np.clip((score.times - beat.start) / span, 0.0, 1.0)
    inside = np.sin(np.pi * times) ** 0.7 * beat.size
    turn = 2.0 * np.pi * (score.times - beat.start)
    phase = float(beat.rng.uniform(0.0, 6.28))
    score.wave("sz", 13.0 * inside * np.sin(0.62 * turn + phase))
    score.wave("sx", 11.0 * inside * np.sin(0.43 * turn + 1.7 * phase))
    score.wave("hz", 10.0 * inside * np.sin(0.55 * turn + phase + 1.0))
    score.wave("roll", 5.0 * inside * np.sin(0.62 * turn + phase - 0.4))
    for side in SIDES:
        flail = np.sin(0.62 * turn + phase + (1.0 if side == "l" else -1.0))
        score.wave(f"{side}.open", inside * (16.0 + 16.0 * flail))


@move("limp", 0.0, 0.62, 0.0, 5, repeats=True)
def limp(score: Score, beat: Beat) -> None:
    """A short stance and a dip on the sore side, a hand on its thigh."""
    go(score, beat, LIMP, 0.62)
    every = (beat.done - beat.start) / max(2, beat.reps)
    inside = np.clip((score.times - beat.start) / 0.4, 0.0, 1.0) * np.clip(
        (beat.done - score.times) / 0.4, 0.0, 1.0
    )
    inside = inside * inside * (3.0 - 2.0 * inside)
    turn = np.pi * (score.times - beat.start) / every
    dip = np.maximum(np.sin(turn + 0.2), 0.0) ** 2
    score.wave("y", -0.045 * inside * dip)
    score.wave("sz", -11.0 * beat.sign * inside * dip)
    score.wave("sx", 8.0 * inside * dip)
    score.wave("hx", 6.0 * inside * dip)
    hold = reach(0.05, -0.40, 0.16, (0.9, -0.2, -0.7), pronation=30.0)
    score.arm(beat.start + 0.4, beat.side, hold)
    score.arm(beat.done - 0.1, beat.side, hold)


@move("skip", 0.0, 0.66, 0.0, 4, repeats=True)
def skip(score: Score, beat: Beat) -> None:
    """Step and hop on the same foot, the other knee high, arms swinging against it."""
    # A hop cannot be slowed down, as gravity sets its time: more of them fill the time.
    hops = max(1, beat.reps, round((beat.done - beat.start) / 0.85))
    every = (beat.done - beat.start) / hops
    hurry = min(1.0, every / 0.5)
    course = plan(score, beat, 1.35 * hurry * beat.style.step * beat.action.amplitude)
    for index in range(hops):
        _skip_once(score, beat, course, index, every, last=index == hops - 1)
    for index in range(2, len(course.times), 2):
        x, z, heading = course.x[index], course.z[index], course.heading[index]
        score.key(float(course.times[index]), x=float(x), z=float(z), heading=float(heading))
    x, z, heading, _ = course.at(beat.done)
    score.key(beat.done, y=STANDING, x=x, z=z, heading=heading)
    score.place = Footprint(x, z, heading, 0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, mix(BENT, rest_arm(score), 0.8))


def _skip_once(
    score: Score, beat: Beat, course: Course, index: int, every: float, *, last: bool
) -> None:
    on = beat.side if index % 2 == 0 else OTHER[beat.side]
    free = OTHER[on]
    begin = beat.start + index * every
    off = begin + 0.50 * every
    land = off + min(0.36 * every, 0.27)
    air = land - off
    height = GRAVITY * air * air / 8.0
    if index == 0:
        _put(score, on, begin, begin + 0.26 * every, course.at(begin + 0.4 * every), lift=0.08)
    _put(
        score,
        on,
        off,
        land,
        course.at(min(land + 0.12 * every, beat.done)),
        lift=height + 0.04,
        ballistic=True,
    )
    # The free foot's next contact is the step that begins the next skip.
    stop = beat.done if last else begin + 1.26 * every
    _put(
        score,
        free,
        begin + 0.30 * every,
        stop,
        course.at(min(stop + 0.1 * every, beat.done)),
        lift=0.2,
    )
    knee = {"f1": 62.0 * min(1.1, beat.size), "f4": 85.0, "f5": -12.0}
    for share, weight in ((0.30, 0.0), (0.56, 1.0), (0.74, 1.0), (1.06, 0.0)):
        score.limb(min(begin + share * every, beat.done), free, fw=weight, **knee)
    pushed(score, off, land, (on,))
    score.key(begin + 0.28 * every, y=STANDING - 0.06)
    thrown(score, off, land, STANDING + 0.01, STANDING - 0.005)
    middle = 0.5 * (off + land)
    score.arm(middle, on, reach(0.05, -0.12, 0.40, (0.5, -1.0, -0.5), pronation=20.0))
    score.arm(middle, free, reach(0.12, -0.42, -0.22, (0.3, 0.0, -1.0), pronation=15.0))
    trunk(score, middle, 3.0, 8.0 * SIGN[on], nod=-4.0)


def _put(
    score: Score,
    side: str,
    start: float,
    end: float,
    under: tuple[float, float, float, float],
    *,
    lift: float,
    ballistic: bool = False,
) -> None:
    """Swing a foot to where it stands under a pelvis at a point of a course."""
    x, z, heading, _ = under
    angle = np.radians(heading)
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    half = SIGN[side] * (HIP_WIDTH - 0.025)
    there = Footprint(
        x + BALL_AHEAD * sine + half * cosine, z + BALL_AHEAD * cosine - half * sine,
        heading + SIGN[side] * 7.0,
    )  # fmt: skip
    score.tread(side, Swing(start, end, there, lift, ballistic))


@move("sidestep", 0.0, 0.75, 0.0, 3, repeats=True)
def sidestep(score: Score, beat: Beat) -> None:
    """The leading foot goes out, the other follows up to it; arms open a little."""
    lead = {"left": "l", "right": "r"}.get(beat.action.direction or "", beat.side)
    sign = SIGN[lead]
    reps = max(1, beat.reps)
    every = (beat.done - beat.start) / reps
    width = 0.42 * min(1.0, every / 0.55) * beat.style.step * beat.action.amplitude
    low = STANDING - 0.06
    for rep in range(reps):
        begin = beat.start + rep * every
        if beat.action.path == "in_place" and rep % 2 == 1:
            lead, sign = OTHER[lead], -sign
        score.step(lead, begin, begin + 0.48 * every, 0.0, sign * width, lift=0.10)
        score.root(begin + 0.46 * every, 0.0, sign * 0.52 * width, y=low)
        score.key(begin + 0.25 * every, y=STANDING - 0.015, roll=-2.0 * sign)
        score.key(begin + 0.5 * every, sz=3.0 * sign, roll=2.0 * sign)
        score.step(OTHER[lead], begin + 0.5 * every, begin + 0.97 * every, 0.0, sign * width)
        score.root(begin + 0.98 * every, 0.0, sign * width, y=STANDING - 0.02)
        score.key(begin + 0.98 * every, sz=-2.0 * sign, roll=0.0)
        wide = reach(0.26, -0.42, 0.12, (0.6, 0.0, -1.0), pronation=25.0)
        both_arms(score, begin + 0.48 * every, wide)
        both_arms(score, begin + 0.98 * every, reach(0.10, -0.48, 0.10, BACK, pronation=15.0))
        score.move(left=sign * width)
    score.root(beat.done, y=STANDING)
    score.key(beat.done, sz=0.0, roll=0.0)


@move("crawl", 0.2, 0.62, 0.2, 4, entry="fours", repeats=True)
def crawl(score: Score, beat: Beat) -> None:
    """On hands and knees, the opposite hand and knee moving together."""
    every = (beat.out - beat.at(0.0)) / max(1, beat.reps)
    back = -1.0 if beat.action.direction == "backward" else 1.0
    pace = 0.24 * back * min(1.0, every / 0.5) * beat.style.step * beat.action.amplitude
    if beat.action.path == "in_place":
        pace = 0.0
    turn = _crawl_turn(beat)
    for rep in range(beat.reps):
        begin = beat.at(0.0) + rep * every
        hand = beat.side if rep % 2 == 0 else OTHER[beat.side]
        foot = OTHER[hand]
        score.move(ahead=0.5 * pace, turn=turn)
        aside = SIGN[hand] * 0.18
        score.hand(begin, hand, *_before(score, hand))
        score.hand(begin + 0.45 * every, hand, 0.58 + 0.25 * pace, aside, 0.16)
        score.hand(begin + 0.85 * every, hand, 0.56 + 0.5 * pace, aside, 0.07)
        other = OTHER[hand]
        score.hand(begin + 0.85 * every, other, *_before(score, other))
        score.step(foot, begin + 0.05 * every, begin + 0.85 * every, -0.405 + 0.5 * pace, lift=0.06)
        score.move(ahead=0.5 * pace)
        score.root(begin + every, 0.12, y=0.50, heading=score.place.yaw)
        score.key(begin + 0.5 * every, roll=4.0 * SIGN[hand], sy=7.0 * SIGN[foot], hy=5.0)
        score.key(begin + every, roll=0.0, sy=0.0, hy=0.0)


def _crawl_turn(beat: Beat) -> float:
    action = beat.action
    sign = -1.0 if action.direction == "right" else 1.0
    if action.path == "circle":
        return sign * min((action.degrees or 360.0) / max(1, beat.reps), 28.0)
    if action.direction in ("left", "right") or action.degrees:
        return sign * min((action.degrees or 90.0) / max(1, beat.reps), 28.0)
    return 0.0


def _before(score: Score, side: str) -> tuple[float, float, float]:
    """Where a hand rests now, seen from the place: ahead, left, up."""
    x, z = score.last(f"{side}.wx") - score.place.x, score.last(f"{side}.wz") - score.place.z
    angle = np.radians(score.place.yaw)
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    return x * sine + z * cosine, x * cosine - z * sine, 0.07


@move("climb", 0.4, 0.8, 0.5, 4, repeats=True)
def climb(score: Score, beat: Beat) -> None:
    """Hand over hand on a ladder, the opposite knee drawn up, the trunk close to it."""
    high = reach(0.0, 0.36, 0.30, (0.9, -0.8, -0.2), pronation=50.0)
    low = reach(0.02, -0.10, 0.28, (0.7, -1.0, -0.4), pronation=50.0)
    first = beat.side
    score.arm(beat.at(0.0), first, high)
    score.arm(beat.at(0.0), OTHER[first], low)
    score.root(beat.at(0.0), y=STANDING - 0.03, pitch=4.0)
    for rep in range(beat.reps):
        hand = OTHER[first] if rep % 2 == 0 else first
        foot = OTHER[hand]
        sign = SIGN[hand]
        begin = beat.at(rep)
        score.arm(begin + 0.3 * beat.cycle, hand, mix(low, high, 0.6))
        score.arm(begin + 0.7 * beat.cycle, hand, high)
        score.arm(begin + 0.9 * beat.cycle, OTHER[hand], low)
        knee = {"f1": 75.0 * min(1.1, beat.size), "f2": 8.0, "f4": 95.0, "f5": 5.0}
        score.limb(begin, foot, fw=0.0)
        score.limb(begin + 0.45 * beat.cycle, foot, fw=1.0, **knee)
        score.limb(begin + 0.55 * beat.cycle, foot, fw=1.0, **knee)
        score.limb(begin + 0.98 * beat.cycle, foot, fw=0.0)
        score.root(
            begin + 0.45 * beat.cycle, 0.02, 0.05 * sign, y=STANDING - 0.005, roll=3.0 * sign
        )
        score.root(begin + 0.98 * beat.cycle, 0.02, 0.0, y=STANDING - 0.04, roll=0.0)
        trunk(score, begin + 0.55 * beat.cycle, 2.0, -9.0 * sign, -7.0 * sign, nod=-20.0)
        trunk(score, begin + beat.cycle, 5.0, nod=-16.0)
    score.root(beat.done, y=STANDING, pitch=0.0, roll=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, reach(0.09, -0.5, 0.05, BACK))
