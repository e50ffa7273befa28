"""Moves on the spot of a figure that stands: turns, bows, kicks, lunges, balance."""

import numpy as np

from kinesphere.engines.choreo.arms import BACK, mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.moves.body import both_arms, lean, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

OUT = reach(0.38, -0.18, 0.24, (0.6, -0.8, -0.6), pronation=25.0)


def turn_about(score: Score, start: float, end: float, degrees: float, lift: float = 0.06) -> None:
    """Turn on the spot by small steps; left is positive."""
    if abs(degrees) < 1.0:
        return
    steps = int(
        np.clip(round(2.0 * (end - start) / 0.55), 2, max(2, 2 * round(abs(degrees) / 50.0)))
    )
    steps = max(steps, 2 * int(np.ceil(abs(degrees) / 150.0)))
    every = (end - start) / steps
    lead = "l" if degrees > 0.0 else "r"
    first = score.place.yaw
    for index in range(steps):
        side = lead if index % 2 == 0 else OTHER[lead]
        # The leading foot turns out ahead of the body, the other one catches up.
        share = min(1.0, (index + (1.6 if index % 2 == 0 else 1.0)) / steps)
        begin = start + index * every
        score.move(turn=first + degrees * share - score.place.yaw)
        score.step(side, begin + 0.05 * every, begin + 0.95 * every, lift=lift)
    score.move(turn=first + degrees - score.place.yaw)
    score.key(start, heading=first)
    for share in (0.25, 0.5, 0.75, 1.0):
        eased = share + 0.06 * np.sin(2.0 * np.pi * share) * -1.0
        score.key(start + share * (end - start), heading=float(first + degrees * eased))


@move("turn", 0.0, 1.3, 0.2, 1)
def turn(score: Score, beat: Beat) -> None:
    """The head goes first, then the trunk, then the feet."""
    sign = beat.sign if beat.action.side else (1.0 if beat.rng.random() < 0.5 else -1.0)
    sign = {"left": 1.0, "right": -1.0}.get(beat.action.direction or "", sign)
    fallback = 180.0 if beat.action.direction in (None, "backward") else 90.0
    degrees = sign * abs(beat.action.degrees or fallback)
    span = beat.out - beat.start
    turn_about(score, beat.start, beat.out, degrees)
    score.key(beat.start + 0.3 * span, hy=36.0 * sign, sy=14.0 * sign, y=STANDING - 0.02)
    score.key(beat.start + 0.75 * span, hy=16.0 * sign, sy=6.0 * sign, y=STANDING - 0.02)
    score.key(beat.done, hy=0.0, sy=0.0, y=STANDING)
    both_arms(score, beat.start + 0.5 * span, reach(0.16, -0.48, 0.10, BACK, pronation=15.0))
    both_arms(score, beat.done, rest_arm(score))


@move("spin", 0.35, 1.15, 0.45, 1)
def spin(score: Score, beat: Beat) -> None:
    """Wound up the other way first, then round and round on quick feet, arms drawn by it."""
    turns = beat.action.count or (beat.action.degrees or 360.0) / 360.0
    sign = {"left": 1.0, "right": -1.0}.get(beat.action.direction or "", beat.sign)
    span = beat.out - beat.at(0.0)
    wide = reach(0.40, 0.02, 0.26, (0.6, -0.8, -0.5), pronation=25.0)
    near = reach(-0.05, -0.06, 0.32, (0.9, -0.8, -0.2), pronation=25.0)
    trunk(score, beat.at(0.0), 2.0, -22.0 * sign, look=-6.0 * sign)
    lean(score, beat, beat.at(0.0), dip=0.06)
    both_arms(score, beat.at(0.0), wide)
    turn_about(score, beat.at(0.0), beat.out, sign * 360.0 * turns, 0.055)
    score.key(beat.at(0.0) + 0.15 * span, y=STANDING - 0.015)
    for side in SIDES:
        score.limb(beat.at(0.0), side, fp=0.0)
        score.limb(beat.at(0.0) + 0.15 * span, side, fp=14.0)
        score.limb(beat.out - 0.1 * span, side, fp=14.0)
        score.limb(beat.out, side, fp=0.0)
    both_arms(score, beat.at(0.0) + 0.4 * span, mix(wide, near, 0.6))
    trunk(score, beat.at(0.0) + 0.3 * span, -2.0, 16.0 * sign, look=26.0 * sign)
    trunk(score, beat.out - 0.15 * span, -1.0, 8.0 * sign, look=16.0 * sign)
    both_arms(score, beat.out, wide)
    score.key(beat.out + 0.3 * beat.tail, y=STANDING - 0.045)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    score.key(beat.done, y=STANDING)


@move("balance", 0.9, 1.6, 0.8, 1, holds=True)
def balance(score: Score, beat: Beat) -> None:
    """On one leg, the other foot at its knee, arms wide and never quite still."""
    stand, sign = beat.side, beat.sign
    free = OTHER[stand]
    wing = reach(0.50, 0.06, 0.10, (0.3, -0.5, -1.0), pronation=15.0)
    pose = {"f1": 58.0, "f2": 12.0, "f3": 12.0, "f4": 92.0, "f5": -20.0}
    score.root(beat.start + 0.5 * beat.lead, 0.0, 0.085 * sign, y=STANDING - 0.01)
    score.limb(beat.start + 0.3 * beat.lead, free, fw=0.0, **pose)
    score.limb(beat.at(0.0), free, fw=1.0, **pose)
    score.limb(beat.out, free, fw=1.0, **pose)
    both_arms(score, beat.at(0.0), wing)
    both_arms(score, beat.out, wing)
    count = max(2, round((beat.out - beat.at(0.0)) / 0.7))
    for index in range(count + 1):
        time = beat.at(0.0) + (beat.out - beat.at(0.0)) * index / count
        wobble = float(beat.rng.uniform(-1.0, 1.0))
        score.root(
            time, 0.008 * wobble, 0.085 * sign + 0.012 * wobble, roll=2.0 * sign + 1.5 * wobble
        )
        score.key(time, sz=-4.0 * wobble, hz=2.0 * wobble)
        for side in SIDES:
            score.limb(time, side, open=7.0 * wobble * SIGN[side])
    for side in SIDES:
        score.limb(beat.done, side, open=0.0)
    score.limb(beat.done - 0.1 * beat.tail, free, fw=0.0)
    score.root(beat.done, y=STANDING, roll=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("dodge", 0.1, 0.95, 0.3, 1)
def dodge(score: Score, beat: Beat) -> None:
    """A quick step aside under a blow: the trunk leaves first, hands before the face."""
    shield = reach(-0.04, 0.0, 0.26, (0.6, -1.0, -0.1), pronation=20.0, flex=-20.0)
    sign = {"left": 1.0, "right": -1.0}.get(beat.action.direction or "", beat.sign)
    for rep in range(beat.reps):
        way = sign * (1.0 if rep % 2 == 0 else -1.0)
        near = "l" if way > 0 else "r"
        begin, cycle = beat.at(rep), beat.cycle
        back = -0.42 if beat.action.direction == "backward" else 0.0
        out = 0.0 if back else way * 0.46 * min(1.1, beat.size)
        both_arms(score, begin + 0.24 * cycle, shield)
        trunk(score, begin + 0.2 * cycle, 10.0, 10.0 * way, 16.0 * np.sign(out), nod=6.0)
        score.step(near, begin + 0.06 * cycle, begin + 0.38 * cycle, back, out, lift=0.07)
        score.root(begin + 0.42 * cycle, 0.6 * back, 0.75 * out, y=STANDING - 0.24, pitch=12.0,
                   roll=-4.0 * np.sign(out))  # fmt: skip
        trunk(score, begin + 0.45 * cycle, 20.0, 14.0 * way, 14.0 * np.sign(out), nod=-8.0)
        score.step(OTHER[near], begin + 0.5 * cycle, begin + 0.9 * cycle, back, out, lift=0.07)
        score.move(ahead=back, left=out)
        score.root(begin + cycle, y=STANDING - 0.03, pitch=2.0, roll=0.0)
        trunk(score, begin + cycle, 5.0)
        both_arms(score, begin + 0.8 * cycle, shield)
    score.root(beat.done, y=STANDING, pitch=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("stumble", 0.3, 1.5, 0.3, 1)
def stumble(score: Score, beat: Beat) -> None:
    """A foot catches, the trunk pitches ahead, arms fly up, two hasty steps save it."""
    flung = reach(0.30, 0.05, 0.38, (0.6, -0.9, -0.3), pronation=30.0)
    back = reach(0.34, -0.20, -0.26, (0.4, 0.0, -1.0), pronation=20.0)
    side, other = beat.side, OTHER[beat.side]
    near = min(1.0, 1.3 / beat.haste)
    for rep in range(beat.reps):
        begin, cycle = beat.at(rep), beat.cycle
        first = beat.start if rep == 0 else begin
        score.step(other, first, begin + 0.10 * cycle, 0.30 * near, lift=0.08)
        score.root(begin + 0.10 * cycle, 0.18 * near, y=STANDING - 0.03)
        score.root(
            begin + 0.30 * cycle, 0.42 * near, y=STANDING - 0.14, pitch=24.0, twist=4.0 * beat.sign
        )
        trunk(score, begin + 0.30 * cycle, 34.0, 8.0 * beat.sign, nod=-22.0)
        score.arm(begin + 0.30 * cycle, side, flung)
        score.arm(begin + 0.30 * cycle, other, back)
        score.step(side, begin + 0.14 * cycle, begin + 0.40 * cycle, 0.78 * near, lift=0.09)
        score.root(begin + 0.50 * cycle, 0.80 * near, y=STANDING - 0.17, pitch=14.0, twist=0.0)
        trunk(score, begin + 0.52 * cycle, 24.0, -10.0 * beat.sign, 8.0 * beat.sign, nod=-10.0)
        score.arm(begin + 0.52 * cycle, side, back)
        score.arm(begin + 0.52 * cycle, other, flung)
        score.step(other, begin + 0.42 * cycle, begin + 0.66 * cycle, 1.05 * near, lift=0.08)
        score.step(side, begin + 0.70 * cycle, begin + 0.95 * cycle, 1.05 * near, lift=0.06)
        score.move(ahead=1.05 * near)
        score.root(begin + 0.80 * cycle, -0.04, y=STANDING - 0.07, pitch=2.0)
        trunk(score, begin + 0.8 * cycle, -4.0, nod=2.0)
        both_arms(score, begin + 0.85 * cycle, OUT)
    score.root(beat.done, y=STANDING, pitch=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("idle", 0.0, 3.0, 0.0, 1, entry="", repeats=True)
def idle(score: Score, beat: Beat) -> None:
    """Weight from one leg to the other, a look around, a hand that stirs."""
    for rep in range(beat.reps):
        sign = beat.sign * (1.0 if rep % 2 == 0 else -1.0)
        look = sign * float(beat.rng.uniform(6.0, 20.0))
        for share in (0.35, 0.75):
            lean(score, beat, beat.at(rep + share), 0.01, 0.045 * sign, dip=0.006, twist=3.0 * sign)
        trunk(score, beat.at(rep + 0.4), 1.0, 3.0 * sign, -4.0 * sign, nod=2.0, look=look)
        trunk(score, beat.at(rep + 0.8), 2.0, 1.0 * sign, -3.0 * sign, nod=-2.0, look=-0.4 * look)
        if score.stance == "stand":
            score.key(beat.at(rep + 0.4), roll=2.5 * sign)
        stir = reach(0.05, -0.46, 0.15, BACK, pronation=25.0)
        side = "l" if sign > 0 else "r"
        own = rest_arm(score)
        score.arm(beat.at(rep + 0.3), side, own)
        score.arm(beat.at(rep + 0.6), side, mix(own, stir, 0.7) if score.stance == "stand" else own)
        score.arm(beat.at(rep + 0.95), side, own)
