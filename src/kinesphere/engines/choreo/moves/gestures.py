"""Gestures of arms and head that are meant for somebody."""

import numpy as np

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.moves.body import beating, lean, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import Beat, Score

DOWN_OUT = (0.9, -1.0, -0.3)


@move("wave", 0.55, 0.5, 0.55, 3, repeats=True, upper=True)
def wave(score: Score, beat: Beat) -> None:
    """Hand beside the head, palm ahead, swung from the elbow; trunk gives way."""
    size = beat.size
    up = 0.12 + 0.14 * size
    inner = reach(0.10, up + 0.05, 0.20, DOWN_OUT, deviation=10.0)
    outer = reach(0.14 + 0.25 * size, up - 0.03, 0.16, DOWN_OUT, deviation=-16.0)
    for side in beat.sides:
        score.arm(beat.at(0.0), side, inner)
        for rep in range(beat.reps):
            score.arm(beat.at(rep + 0.5), side, outer)
            score.arm(beat.at(rep + 1.0), side, inner)
        score.arm(beat.done, side, rest_arm(score))
    sign = 0.0 if beat.both else beat.sign
    lean(score, beat, beat.at(0.0), left=-0.025 * sign)
    lean(score, beat, beat.out, left=-0.025 * sign)
    lean(score, beat, beat.done)
    trunk(
        score,
        beat.at(0.0),
        -2.0,
        4.0 * sign,
        -4.0 * sign,
        nod=-4.0,
        look=4.0 * sign,
        cock=5.0 * sign,
    )
    trunk(
        score, beat.out, -2.0, 3.0 * sign, -4.0 * sign, nod=-4.0, look=4.0 * sign, cock=3.0 * sign
    )
    trunk(score, beat.done)
    score.wave("sz", 1.5 * beating(score, beat, np.pi / 2))


@move("beckon", 0.5, 0.55, 0.5, 3, repeats=True, upper=True)
def beckon(score: Score, beat: Beat) -> None:
    """Forearm out, palm up, the hand drawn in again and again."""
    away = reach(0.05, -0.06, 0.44, (0.5, -1.0, -0.2), pronation=-70.0, flex=-20.0)
    near = reach(0.02, 0.10, 0.20, (0.5, -1.0, -0.2), pronation=-70.0, flex=55.0)
    for side in beat.sides:
        score.arm(beat.at(0.0), side, away)
        for rep in range(beat.reps):
            score.arm(beat.at(rep + 0.45), side, mix(away, near, min(1.0, beat.size)))
            score.arm(beat.at(rep + 1.0), side, away)
        score.arm(beat.done, side, rest_arm(score))
    lean(score, beat, beat.at(0.0), ahead=0.03)
    lean(score, beat, beat.done)
    trunk(score, beat.at(0.0), 4.0, 4.0 * beat.sign, nod=-3.0)
    trunk(score, beat.out, 4.0, 4.0 * beat.sign, nod=-3.0)
    trunk(score, beat.done)
    score.wave("hx", 3.0 * beating(score, beat))


@move("point", 0.6, 1.0, 0.55, 1, holds=True, upper=True)
def point(score: Score, beat: Beat) -> None:
    """A straight arm, drawn back first, the eyes along it."""
    places = {
        None: (0.02, 0.06, 0.54), "forward": (0.02, 0.06, 0.54), "up": (0.05, 0.48, 0.22),
        "down": (0.10, -0.34, 0.40), "backward": (0.5, 0.05, -0.25),
    }  # fmt: skip
    direction = beat.action.direction
    side = beat.side
    look = 0.0
    if direction in ("left", "right"):
        toward = "l" if direction == "left" else "r"
        side = toward if beat.action.side is None else side
        spot = (0.53, 0.08, 0.06) if side == toward else (-0.42, 0.05, 0.30)
        look = 50.0 if direction == "left" else -50.0
    else:
        spot = places[direction]
    nod = {"up": -30.0, "down": 22.0}.get(direction or "", -2.0)
    wind = reach(0.06, -0.18, 0.12, (0.6, -0.6, -1.0), pronation=40.0)
    aim = reach(*spot, pole=(0.6, -1.0, -0.3), pronation=60.0)
    over = reach(spot[0], spot[1] + 0.05, spot[2], pole=(0.6, -1.0, -0.3), pronation=65.0)
    sides = beat.sides if direction not in ("left", "right") else (side,)
    for one in sides:
        score.arm(beat.start + 0.45 * beat.lead, one, wind)
        score.arm(beat.at(0.0), one, over)
        score.arm(beat.at(0.0) + 0.18 * beat.cycle, one, aim)
        score.arm(beat.out, one, aim)
        score.arm(beat.done, one, rest_arm(score))
    sign = 1.0 if side == "l" else -1.0
    turn = 0.22 * look if look else -8.0 * sign
    trunk(score, beat.start + 0.45 * beat.lead, 1.0, -0.6 * turn, look=0.3 * look)
    trunk(score, beat.at(0.0), 3.0, turn, nod=nod, look=look)
    trunk(score, beat.out, 3.0, turn, nod=nod, look=look)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.0), ahead=0.03, left=0.01 * sign)
    lean(score, beat, beat.out, ahead=0.03, left=0.01 * sign)
    lean(score, beat, beat.done)


@move("raise_arm", 0.8, 0.9, 0.8, 1, holds=True, upper=True)
def raise_arm(score: Score, beat: Beat) -> None:
    """The arm straight up; ahead or aside where asked."""
    spot = {
        "forward": (0.02, 0.02, 0.53), "left": (0.53, 0.02, 0.05), "right": (0.53, 0.02, 0.05),
        "backward": (0.14, -0.40, -0.31),
    }.get(beat.action.direction or "up", (0.03, 0.52, 0.08))  # fmt: skip
    side = {"left": "l", "right": "r"}.get(beat.action.direction or "", beat.side)
    sides = beat.sides if beat.action.side is not None else (side,)
    behind = beat.action.direction == "backward"
    high = reach(*spot, pole=(0.25, 0.6, -0.8) if behind else (1.0, -0.2, 0.0))
    middle = reach(0.22, 0.02, 0.46, (0.9, -0.7, -0.2))
    share = (0.3 + 0.7 * min(1.1, beat.size)) if beat.size < 1.0 else 1.0
    for rep in range(beat.reps):
        for one in sides:
            begin = beat.start if rep == 0 else beat.at(rep)
            first = beat.lead if rep == 0 else 0.4 * beat.cycle
            if beat.action.direction in (None, "up"):
                score.arm(begin + 0.5 * first, one, middle)
            score.arm(begin + first, one, mix(middle, high, share))
            held = beat.at(rep + (1.0 if rep == beat.reps - 1 else 0.7))
            score.arm(held, one, mix(middle, high, share))
            if rep < beat.reps - 1:
                score.arm(beat.at(rep + 1.0), one, rest_arm(score))
    for one in sides:
        score.arm(beat.out + 0.45 * beat.tail, one, middle)
        score.arm(beat.done, one, rest_arm(score))
    sign = 0.0 if len(sides) == 2 else (1.0 if sides[0] == "l" else -1.0)
    trunk(score, beat.at(0.0), -4.0, 3.0 * sign, -5.0 * sign, nod=-10.0, look=6.0 * sign)
    trunk(score, beat.out, -4.0, 3.0 * sign, -5.0 * sign, nod=-10.0, look=6.0 * sign)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.0), left=-0.02 * sign)
    lean(score, beat, beat.done)


@move("salute", 0.6, 1.0, 0.6, 1, holds=True, upper=True)
def salute(score: Score, beat: Beat) -> None:
    """Fingertips at the brow, elbow out level, chest lifted."""
    hand = reach(0.07, 0.17, 0.10, (1.0, -0.1, 0.0), pronation=35.0, deviation=-8.0)
    over = reach(0.12, 0.19, 0.15, (1.0, -0.1, 0.0), pronation=35.0, deviation=-10.0)
    side = beat.side if beat.action.side else "r"
    score.arm(beat.at(0.0), side, over)
    score.arm(beat.at(0.0) + 0.15 * beat.cycle, side, hand)
    score.arm(beat.out, side, hand)
    score.arm(beat.done, side, rest_arm(score))
    lean(score, beat, beat.at(0.0), dip=-0.008)
    lean(score, beat, beat.done)
    trunk(score, beat.start + 0.4 * beat.lead, 2.0, nod=3.0)
    trunk(score, beat.at(0.0), -6.0, nod=-3.0)
    trunk(score, beat.out, -6.0, nod=-3.0)
    trunk(score, beat.done)


@move("blow_kiss", 0.6, 1.0, 0.6, 1, upper=True)
def blow_kiss(score: Score, beat: Beat) -> None:
    """Fingers to the lips, then the palm offered away."""
    lips = reach(-0.13, 0.04, 0.20, (0.6, -1.0, 0.1), pronation=20.0, flex=20.0)
    away = reach(0.06, 0.0, 0.49, (0.6, -1.0, 0.0), pronation=-60.0, flex=-10.0)
    for rep in range(beat.reps):
        for side in beat.sides:
            score.arm(beat.at(rep), side, lips)
            score.arm(beat.at(rep + 0.3), side, lips)
            score.arm(beat.at(rep + 0.75), side, away)
        trunk(score, beat.at(rep + 0.2), 2.0, nod=8.0)
        trunk(score, beat.at(rep + 0.75), 8.0, 6.0 * beat.sign, nod=-10.0)
        lean(score, beat, beat.at(rep + 0.75), ahead=0.04)
    for side in beat.sides:
        score.arm(beat.out, side, away)
        score.arm(beat.done, side, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("look", 0.5, 1.6, 0.5, 1, repeats=True, upper=True)
def look(score: Score, beat: Beat) -> None:
    """Head first, then shoulders: to one side and to the other, or where asked."""
    towards = {"left": 62.0, "right": -62.0, "backward": 72.0 * beat.sign}
    direction = beat.action.direction or ""
    lift = {"up": -32.0, "down": 30.0}.get(direction, -2.0)
    for rep in range(beat.reps):
        wide = towards.get(direction, 58.0 * beat.sign) * min(beat.size, 1.15)
        other = wide if direction in towards else -wide
        if direction in ("up", "down", "forward"):
            wide, other = 8.0, -8.0
        for share, yaw in ((0.15, wide), (0.45, wide), (0.7, other), (0.95, other)):
            time = beat.at(rep + share)
            score.key(time, hy=yaw * 0.8, hx=lift)
            score.key(time + 0.08, sy=0.35 * yaw, sx=0.2 * lift)
            lean(score, beat, time, left=0.0003 * yaw, twist=0.12 * yaw)
    trunk(score, beat.done)
    lean(score, beat, beat.done)
