"""Dancing: phrases of four beats, chosen and ordered by chance, none twice in a row."""

from collections.abc import Callable
from typing import Final

import numpy as np

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.moves.body import both_arms, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.moves.standing import turn_about
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

BEATS: Final = 4
READY: Final = reach(0.10, -0.22, 0.24, (0.6, -0.9, -0.6), pronation=20.0)
HIGH: Final = reach(0.14, 0.46, 0.16, (1.0, -0.2, 0.0))
WIDE: Final = reach(0.48, 0.04, 0.14, (0.4, -0.7, -0.8), pronation=15.0)
AHEAD: Final = reach(0.0, -0.02, 0.44, (0.9, -0.8, 0.0), pronation=40.0)
DISCO: Final = reach(0.24, 0.44, 0.10, (0.8, -0.3, -0.1), pronation=20.0)
LOW_CROSS: Final = reach(-0.26, -0.36, 0.26, (0.9, -0.4, -0.3), pronation=30.0)
HIP: Final = reach(0.06, -0.42, 0.02, (1.0, 0.1, -0.5), pronation=40.0, flex=35.0)
BACK_SWING: Final = reach(0.14, -0.42, -0.18, (0.4, 0.0, -1.0), pronation=15.0)

Phrase = Callable[[Score, Beat, float, float, float], None]
"""Writes four beats: score, beat of the action, start (s), length of a beat (s), side sign."""


def _pulse(score: Score, start: float, beat: float, depth: float) -> None:
    for count in range(BEATS):
        score.key(start + (count + 0.5) * beat, y=STANDING - 0.025 - depth)
        score.key(start + (count + 1.0) * beat, y=STANDING - 0.02)


def _step_touch(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """Two steps to one side and two back, arms swinging across."""
    width = 0.34 * min(1.15, own.size)
    for count in range(BEATS):
        way = sign if count < 2 else -sign
        lead = "l" if way > 0 else "r"
        side = lead if count % 2 == 0 else OTHER[lead]
        begin = start + count * beat
        score.step(side, begin + 0.04 * beat, begin + 0.72 * beat, 0.0, way * width, lift=0.06)
        score.root(begin + 0.7 * beat, 0.0, way * width * (0.55 if count % 2 == 0 else 1.0))
        if count % 2 == 1:
            score.move(left=way * width)
        trunk(
            score,
            begin + 0.6 * beat,
            3.0,
            -9.0 * way,
            6.0 * way * (-1.0) ** count,
            nod=0.0,
            look=6.0 * way,
        )
        both_arms(score, begin + 0.6 * beat, mix(READY, WIDE if count % 2 == 0 else AHEAD, 0.8))
    _pulse(score, start, beat, 0.03)


def _hips(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """Hips from side to side, shoulders against them, one hand on the hip, one up."""
    first = "l" if sign > 0 else "r"
    for count in range(BEATS):
        way = sign * (1.0 if count % 2 == 0 else -1.0)
        time = start + (count + 0.6) * beat
        score.root(time, 0.0, 0.075 * way * own.size, roll=7.0 * way, twist=6.0 * way)
        trunk(score, time, 1.0, -10.0 * way, -9.0 * way, nod=-2.0, look=8.0 * way, cock=5.0 * way)
        score.arm(time, first, HIP)
        score.arm(time, OTHER[first], mix(HIGH, WIDE, 0.15 if count % 2 == 0 else 0.55))
        for side in SIDES:
            score.limb(time, side, fp=14.0 if SIGN[side] != way else 0.0)
    _pulse(score, start, beat, 0.025)


def _arms_up(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """Both hands pump overhead while the knees bounce."""
    for count in range(BEATS):
        up = mix(READY, HIGH, min(1.05, 0.6 + 0.4 * own.size))
        both_arms(score, start + (count + 0.45) * beat, mix(READY, HIGH, 0.35))
        both_arms(score, start + (count + 0.95) * beat, up)
        way = sign * (1.0 if count % 2 == 0 else -1.0)
        trunk(score, start + (count + 0.5) * beat, 7.0, 5.0 * way, 7.0 * way, nod=6.0)
        trunk(score, start + (count + 1.0) * beat, -5.0, 0.0, 3.0 * way, nod=-12.0)
        score.root(start + (count + 0.7) * beat, 0.0, 0.03 * way)
    _pulse(score, start, beat, 0.075 * min(1.2, own.size))


def _twist(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """On the balls of the feet, hips one way and shoulders the other, sinking and rising."""
    for count in range(BEATS):
        way = sign * (1.0 if count % 2 == 0 else -1.0)
        time = start + (count + 0.6) * beat
        deep = 0.10 if count in (1, 2) else 0.05
        score.root(time, 0.0, 0.02 * way, y=STANDING - deep * own.size, twist=20.0 * way)
        trunk(score, time, 8.0, -34.0 * way, 0.0, nod=-4.0, look=10.0 * way)
        for side in SIDES:
            forward = SIGN[side] == -way
            score.arm(time, side, mix(READY, AHEAD if forward else BACK_SWING, 0.75))
            score.limb(time, side, fp=16.0)
    for side in SIDES:
        score.limb(start + BEATS * beat, side, fp=0.0)
    score.key(start + BEATS * beat, twist=0.0, y=STANDING - 0.02)


def _disco(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """A finger to the sky on one side, then across to the other hip."""
    side = "l" if sign > 0 else "r"
    other = OTHER[side]
    for count in range(BEATS):
        up = count % 2 == 0
        time = start + (count + 0.7) * beat
        score.arm(time, side, mix(READY, DISCO if up else LOW_CROSS, min(1.05, own.size)))
        score.arm(time, other, HIP)
        way = sign if up else -sign
        score.root(time, 0.0, 0.07 * way, y=STANDING - 0.03, roll=4.0 * way)
        trunk(score, time, -6.0 if up else 12.0, 14.0 * way, 8.0 * way, nod=-16.0 if up else 10.0,
              look=22.0 * way)  # fmt: skip
        score.limb(time, other if up else side, fp=22.0)
        score.limb(time, side if up else other, fp=0.0)
    for one in SIDES:
        score.limb(start + (BEATS + 0.3) * beat, one, fp=0.0)


def _kick_step(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """A low kick and a step, twice, arms against the legs."""
    for count in range(0, BEATS, 2):
        side = "l" if (sign > 0) == (count == 0) else "r"
        way = SIGN[side]
        begin = start + count * beat
        pose = {"f1": 44.0 * min(1.2, own.size), "f2": 4.0, "f4": 14.0, "f5": -25.0}
        score.limb(begin + 0.06 * beat, side, fw=0.0, **pose)
        score.limb(begin + 0.8 * beat, side, fw=1.0, **pose)
        score.limb(begin + 1.6 * beat, side, fw=0.0)
        score.root(begin + 0.7 * beat, -0.02, -0.08 * way, y=STANDING - 0.025, pitch=-4.0)
        trunk(score, begin + 0.8 * beat, 6.0, 14.0 * way, 0.0, nod=-4.0)
        score.arm(begin + 0.8 * beat, side, mix(READY, BACK_SWING, 0.9))
        score.arm(begin + 0.8 * beat, OTHER[side], mix(READY, AHEAD, 0.9))
        score.root(begin + 1.7 * beat, 0.0, 0.02 * way, y=STANDING - 0.08, pitch=2.0)
        trunk(score, begin + 1.7 * beat, 6.0, -4.0 * way)
        both_arms(score, begin + 1.7 * beat, READY)


def _round(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """A full turn on small steps, arms opening and closing."""
    both_arms(score, start + 0.8 * beat, WIDE)
    both_arms(score, start + 2.2 * beat, mix(READY, HIGH, 0.7))
    both_arms(score, start + 3.8 * beat, READY)
    turn_about(score, start, start + 3.7 * beat, 360.0 * sign, 0.05)
    trunk(score, start + beat, 0.0, 12.0 * sign, -6.0 * sign, nod=0.0, look=20.0 * sign)
    trunk(score, start + 3.7 * beat, 2.0)
    _pulse(score, start, beat, 0.02 * own.size)


def _wave_through(score: Score, own: Beat, start: float, beat: float, sign: float) -> None:
    """A wave runs from head to knees and up again, arms floating after it."""
    for count in range(0, BEATS, 2):
        begin = start + count * beat
        trunk(score, begin + 0.4 * beat, -10.0, 0.0, 5.0 * sign, nod=18.0)
        score.root(begin + 0.7 * beat, 0.06, y=STANDING - 0.04, pitch=-12.0 * own.size)
        trunk(score, begin + 0.9 * beat, 14.0 * own.size, 0.0, 0.0, nod=-8.0)
        score.root(begin + 1.3 * beat, -0.06, y=STANDING - 0.13, pitch=12.0 * own.size)
        trunk(score, begin + 1.5 * beat, 18.0, 0.0, -5.0 * sign, nod=6.0)
        score.root(begin + 1.95 * beat, 0.0, y=STANDING - 0.02, pitch=0.0)
        both_arms(score, begin + 0.7 * beat, mix(READY, WIDE, 0.9))
        both_arms(score, begin + 1.8 * beat, mix(READY, AHEAD, 0.7))


PHRASES: Final[tuple[Phrase, ...]] = (
    _step_touch, _hips, _arms_up, _twist, _disco, _kick_step, _round, _wave_through,
)  # fmt: skip


@move("dance", 0.3, 2.1, 0.4, 2, repeats=True)
def dance(score: Score, beat: Beat) -> None:
    """Phrase after phrase, the order by chance, each with a side of its own."""
    order: list[int] = []
    while len(order) < beat.reps:
        fresh = [int(index) for index in beat.rng.permutation(len(PHRASES))]
        if order and fresh[0] == order[-1]:
            fresh = fresh[1:] + fresh[:1]
        order += fresh
    both_arms(score, beat.at(0.0), READY)
    score.key(beat.at(0.0), y=STANDING - 0.02)
    count = beat.cycle / BEATS
    for rep, chosen in enumerate(order[: beat.reps]):
        sign = beat.sign * float(np.sign(beat.rng.random() - 0.4))
        PHRASES[chosen](score, beat, beat.at(rep), count, sign)
        _even_out(score, beat.at(rep + 1.0), count)
    score.root(beat.done, y=STANDING, roll=0.0, twist=0.0, pitch=0.0)
    for side in SIDES:
        score.limb(beat.done, side, fp=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


def _even_out(score: Score, end: float, count: float) -> None:
    """At the end of a phrase bring back to neutral what it tilted."""
    for channel in ("roll", "twist", "pitch"):
        if abs(score.last(channel)) > 0.1:
            score.key(end + 0.25 * count, {channel: 0.0})
