"""Moves that leave the ground. In flight the pelvis is thrown: 9.81 m/s² and nothing else."""

from collections.abc import Sequence

import numpy as np

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.curves import GRAVITY
from kinesphere.engines.choreo.moves.body import both_arms, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

TOES: float = STANDING + 0.03
"""Height of the pelvis at take-off, on the toes, m."""
DRAWN = reach(0.10, -0.42, -0.30, (0.3, 0.1, -1.0), pronation=15.0)
THROWN = reach(0.10, 0.30, 0.40, (0.9, -0.6, 0.0), pronation=20.0)
LANDED = reach(0.14, -0.30, 0.36, (0.7, -0.6, -0.6), pronation=30.0)


def thrown(score: Score, start: float, end: float, first: float, last: float) -> None:
    """Key the pelvis on a parabola from height `first` to `last`, m."""
    span = end - start
    rise = (last - first) / span + 0.5 * GRAVITY * span
    for share in np.linspace(0.0, 1.0, 9):
        time = share * span
        score.key(start + time, y=float(first + rise * time - 0.5 * GRAVITY * time * time))


def airtime(beat: Beat, height: float, most: float) -> float:
    """Flight time, s, of a jump `height` m high, cut to a share of the repetition."""
    return min(2.0 * float(np.sqrt(2.0 * height * beat.size / GRAVITY)), most * beat.cycle)


def pushed(score: Score, start: float, end: float, sides: Sequence[str]) -> None:
    """Heels up to the take-off at `start`, toes first at the landing at `end`, then flat."""
    for side in sides:
        score.limb(start - 0.16, side, fp=0.0)
        score.limb(start + 0.02, side, fp=38.0)
        score.limb(0.5 * (start + end), side, fp=30.0)
        score.limb(end, side, fp=20.0)
        score.limb(end + 0.1, side, fp=0.0)


def _aim(beat: Beat) -> tuple[float, float]:
    """Unit direction of a jump, (ahead, left), or zeros for one in place."""
    return {
        "forward": (1.0, 0.0), "backward": (-1.0, 0.0), "left": (0.0, 1.0), "right": (0.0, -1.0),
    }.get(beat.action.direction or "", (0.0, 0.0))  # fmt: skip


@move("jump", 0.1, 1.2, 0.25, 1, most_tempo=1.2)
def jump(score: Score, beat: Beat) -> None:
    """Crouch with arms back, throw them up, fly, land soft on bent knees."""
    ahead, left = _aim(beat)
    air = airtime(beat, 0.30, 0.42)
    turn = beat.action.degrees or 0.0
    turn *= -1.0 if beat.action.direction == "right" else 1.0
    if turn:
        ahead = left = 0.0
    for rep in range(beat.reps):
        low = beat.at(rep) + 0.40 * (beat.cycle - air)
        off = beat.at(rep) + 0.62 * (beat.cycle - air)
        land = off + air
        sink = beat.at(rep) + 0.80 * (beat.cycle - air) + air
        far = 0.55 * beat.size * air / 0.49
        score.root(low, 0.03 * ahead - 0.04, y=0.70, pitch=18.0, sx=18.0, hx=-18.0)
        both_arms(score, low, DRAWN)
        score.root(off, 0.12 * ahead + 0.02, 0.08 * left, y=TOES, pitch=2.0, sx=-4.0, hx=-6.0)
        both_arms(score, off, mix(DRAWN, THROWN, 0.6))
        both_arms(score, off + 0.5 * air, THROWN)
        thrown(score, off, land, TOES, TOES - 0.03)
        for side in SIDES:
            score.move(far * ahead, far * left, turn)
            score.step(side, off, land, yaw=0.0, lift=GRAVITY * air * air / 8.0 + 0.05,
                       ballistic=True)  # fmt: skip
            score.move(turn=-turn)
            score.move(-far * ahead, -far * left)
        pushed(score, off, land, SIDES)
        heading = score.place.yaw
        score.key(off - 0.05, heading=heading)
        score.move(far * ahead, far * left, turn)
        score.root(land, -0.03 * ahead, -0.02 * left, pitch=4.0, sx=6.0, hx=4.0)
        score.key(land + 0.02, heading=score.place.yaw)
        score.root(sink, -0.02, y=0.74, pitch=14.0, sx=16.0, hx=-10.0)
        both_arms(score, sink, LANDED)
        score.root(beat.at(rep + 1.0), y=STANDING - 0.02, pitch=1.0, sx=1.0, hx=0.0)
        both_arms(score, beat.at(rep + 1.0), mix(LANDED, rest_arm(score), 0.7))
    score.root(beat.done, y=STANDING, pitch=0.0, sx=0.0)
    both_arms(score, beat.done, rest_arm(score))


@move("hop", 0.45, 0.62, 0.45, 3, repeats=True)
def hop(score: Score, beat: Beat) -> None:
    """On one foot, the other drawn up behind, arms out for balance."""
    side, free = beat.side, OTHER[beat.side]
    ahead, left = _aim(beat)
    sign = SIGN[side]
    air = airtime(beat, 0.09, 0.45)
    wide = reach(0.38, -0.22, 0.20, (0.5, -0.6, -0.8), pronation=25.0)
    held = {"f1": 32.0, "f2": -2.0, "f4": 88.0, "f5": -25.0}
    score.root(beat.at(0.0), 0.0, sign * 0.075, y=STANDING - 0.05, roll=2.0 * sign)
    both_arms(score, beat.at(0.0), wide)
    score.limb(beat.start + 0.2 * beat.lead, free, fw=0.0)
    score.limb(beat.at(0.0), free, fw=1.0, **held)
    for rep in range(beat.reps):
        off = beat.at(rep) + 0.5 * (beat.cycle - air)
        land = off + air
        far = 0.32 * beat.size * air / 0.27
        score.root(beat.at(rep) + 0.28 * (beat.cycle - air), 0.0, sign * 0.075, y=STANDING - 0.10)
        trunk(score, beat.at(rep) + 0.28 * (beat.cycle - air), 9.0, nod=-4.0)
        score.root(off, 0.06 * ahead, sign * 0.075 + 0.06 * left, y=TOES)
        thrown(score, off, land, TOES, TOES - 0.015)
        score.move(far * ahead, far * left)
        score.step(side, off, land, lift=GRAVITY * air * air / 8.0 + 0.04, ballistic=True)
        score.step(free, off, land, lift=0.1)
        pushed(score, off, land, (side,))
        trunk(score, off + 0.5 * air, 0.0, nod=0.0)
        both_arms(score, off + 0.4 * air, mix(wide, THROWN, 0.25))
        score.root(land, -0.02 * ahead, sign * 0.075)
        score.root(beat.at(rep + 1.0), 0.0, sign * 0.075, y=STANDING - 0.06)
        both_arms(score, beat.at(rep + 1.0), wide)
    score.limb(beat.out, free, fw=1.0, **held)
    score.limb(beat.out + 0.8 * beat.tail, free, fw=0.0)
    score.root(beat.done, y=STANDING, roll=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("leap", 0.45, 1.2, 0.45, 1, most_tempo=1.1)
def leap(score: Score, beat: Beat) -> None:
    """A step, then off one foot and far ahead to the other, legs split, arms spread."""
    air = airtime(beat, 0.24, 0.42)
    spread = reach(0.46, 0.16, 0.14, (0.4, -0.8, -0.5), pronation=20.0)
    ahead = reach(0.06, 0.16, 0.49, (0.8, -0.6, 0.0), pronation=40.0)
    lead = beat.side
    for rep in range(beat.reps):
        push, begin = OTHER[lead], beat.at(rep)
        rest = beat.cycle - air
        off, land = begin + 0.40 * rest, begin + 0.40 * rest + air
        near, far = 0.32 * min(1.0, beat.size), 0.95 * beat.size * air / 0.44
        first = beat.start + 0.05 if rep == 0 else begin
        score.step(push, first, max(begin, first + 0.2) + 0.12 * rest, near, lift=0.08)
        score.root(begin + 0.14 * rest, 0.6 * near, y=STANDING - 0.12, pitch=10.0, sx=10.0)
        both_arms(score, begin + 0.14 * rest, DRAWN)
        score.root(off, near + 0.22, y=TOES, pitch=5.0, sx=-4.0, hx=-6.0)
        thrown(score, off, land, TOES, TOES - 0.04)
        front = {"f1": 64.0 * min(1.1, beat.size), "f4": 16.0, "f5": -25.0}
        back = {"f1": -26.0, "f4": 22.0, "f5": -42.0}
        _split(score, lead, off - 0.26, off + 0.5 * air, land, pose=front)
        _split(score, push, off + 0.02, off + 0.5 * air, land + 0.5 * rest, pose=back)
        score.limb(off, push, fp=35.0)
        score.limb(land, push, fp=10.0)
        score.step(lead, off - 0.2, land, near + far, lift=0.25)
        score.arm(off + 0.4 * air, push, ahead)
        score.arm(off + 0.4 * air, lead, spread)
        score.move(ahead=near + far)
        score.step(push, off + 0.03, land + 0.45 * rest, 0.0, lift=0.3)
        score.root(land, -0.16, pitch=6.0, sx=6.0, hx=0.0)
        score.root(land + 0.25 * rest, 0.0, y=STANDING - 0.17, pitch=14.0, sx=16.0, hx=-10.0)
        both_arms(score, land + 0.25 * rest, LANDED)
        score.limb(land + 0.5 * rest, push, fp=0.0)
        score.root(beat.at(rep + 1.0), y=STANDING - 0.02, pitch=1.0, sx=1.0, hx=0.0)
        lead = push
    score.root(beat.done, y=STANDING, pitch=0.0, sx=0.0)
    both_arms(score, beat.done, rest_arm(score))


def _split(
    score: Score, side: str, start: float, top: float, end: float, *, pose: dict[str, float]
) -> None:
    score.limb(start, side, fw=0.0)
    score.limb(top, side, fw=1.0, **pose)
    score.limb(end - 0.02, side, fw=0.0)


@move("jumping_jack", 0.2, 0.95, 0.3, 3, repeats=True)
def jumping_jack(score: Score, beat: Beat) -> None:
    """Feet apart and hands over the head, and back, with a small flight each way."""
    high = reach(0.10, 0.50, 0.05, (1.0, 0.0, -0.1))
    side_on = reach(0.50, 0.10, 0.06, (0.3, -0.4, -1.0))
    wide = 0.27 * min(1.1, beat.size)
    half = 0.5 * beat.cycle
    air = min(0.24, 0.5 * half)
    for rep in range(beat.reps):
        for part, (out, arm) in enumerate(((wide, high), (0.0, rest_arm(score)))):
            begin = beat.at(rep) + part * half
            off = begin + 0.42 * (half - air)
            land = off + air
            score.root(begin + 0.16 * (half - air), y=STANDING - 0.06 - 0.05 * part, sx=5.0)
            score.root(off, y=STANDING + 0.005 - 0.03 * part, sx=0.0)
            thrown(score, off, land, STANDING + 0.005 - 0.03 * part, STANDING - 0.035)
            for side in SIDES:
                score.step(side, off, land, 0.0, SIGN[side] * out,
                           lift=GRAVITY * air * air / 8.0 + 0.03, ballistic=True)  # fmt: skip
                score.arm(begin + 0.55 * half, side, side_on)
                score.arm(begin + 0.97 * half, side, arm)
            pushed(score, off, land, SIDES)
            score.root(land + 0.5 * (half - air), y=STANDING - 0.05)
    score.root(beat.done, y=STANDING, sx=0.0)
    both_arms(score, beat.done, rest_arm(score))
