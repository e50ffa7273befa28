"""Moves of a standing figure that train or greet: bows, squats, lunges, kicks."""

from kinesphere.engines.choreo.arms import BACK, mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.moves.body import both_arms, rest_arm, steps_to, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

OUT = reach(0.38, -0.18, 0.24, (0.6, -0.8, -0.6), pronation=25.0)


@move("bow", 0.25, 1.5, 0.85, 1)
def bow(score: Score, beat: Beat) -> None:
    """From the hips, back long, hips going back; eyes last to rise."""
    size = min(1.2, beat.size)
    side = beat.side
    belly = reach(-0.16, -0.36, 0.22, (0.9, -0.5, -0.3), pronation=10.0)
    down = reach(0.04, -0.50, 0.12, BACK, pronation=15.0)
    for rep in range(beat.reps):
        score.key(beat.at(rep), sx=-3.0, hx=-2.0)
        for share in (0.42, 0.72):
            time = beat.at(rep + share)
            score.root(time, -0.13 * size, y=STANDING - 0.03, pitch=36.0 * size)
            score.key(time, sx=36.0 * size, hx=14.0)
            score.arm(time, side, belly)
            score.arm(time, OTHER[side], down)
        if rep < beat.reps - 1:
            score.root(beat.at(rep + 1.0), y=STANDING, pitch=0.0)
            score.key(beat.at(rep + 1.0), sx=0.0, hx=6.0)
    score.root(beat.done, y=STANDING, pitch=0.0)
    score.key(beat.out + 0.4 * beat.tail, hx=12.0)
    score.key(beat.done, sx=0.0, hx=0.0)
    both_arms(score, beat.done, rest_arm(score))


@move("bend", 0.2, 1.9, 0.7, 1)
def bend(score: Score, beat: Beat) -> None:
    """Down on bent knees to something on the ground, and up with it in the hand."""
    side, sign = beat.side, beat.sign
    grab = reach(-0.04, -0.47, 0.24, (0.7, -0.3, -0.8), pronation=35.0)
    brace = reach(0.0, -0.34, 0.24, (0.8, -0.4, -0.6), pronation=40.0)
    carry = reach(-0.02, -0.22, 0.28, (0.6, -1.0, -0.5), pronation=-10.0)
    depth = min(1.1, beat.size)
    for rep in range(beat.reps):
        for share in (0.42, 0.56):
            time = beat.at(rep + share)
            score.root(time, -0.12, y=STANDING - 0.37 * depth, pitch=42.0 * depth)
            score.key(time, sx=42.0 * depth, sy=-8.0 * sign, hx=-12.0)
            score.arm(time, side, grab.but(flex=-10.0 if share < 0.5 else 25.0))
            score.arm(time, OTHER[side], brace)
        score.root(beat.at(rep + 1.0), y=STANDING, pitch=0.0)
        score.key(beat.at(rep + 1.0), sx=2.0, sy=0.0, hx=12.0)
        score.arm(beat.at(rep + 1.0), side, carry)
        score.arm(beat.at(rep + 1.0), OTHER[side], rest_arm(score))
    score.key(beat.done, sx=0.0, hx=0.0)
    score.arm(beat.done, side, mix(carry, rest_arm(score), 0.85))


@move("squat", 0.25, 1.5, 0.3, 2, repeats=True)
def squat(score: Score, beat: Beat) -> None:
    """Hips back and down, arms ahead as a counterweight, heels down while they can."""
    front = reach(0.0, 0.0, 0.51, (0.9, -0.8, 0.0), pronation=60.0)
    deep = min(1.15, beat.size)
    steps_to(score, beat.start, beat.at(0.0), {"l": 0.0}, {"l": 0.07}, yaw={"l": 12.0})
    steps_to(
        score,
        beat.start + 0.4 * beat.lead,
        beat.at(0.15),
        {"r": 0.0},
        {"r": 0.07},
        yaw={"r": -12.0},
    )
    for rep in range(beat.reps):
        for share in (0.45, 0.55):
            score.root(beat.at(rep + share), -0.17, y=STANDING - 0.43 * deep, pitch=26.0)
            score.key(beat.at(rep + share), sx=16.0, hx=-18.0)
            both_arms(score, beat.at(rep + share), front)
        for side in SIDES:
            score.limb(beat.at(rep + 0.5), side, ko=14.0)
        score.root(beat.at(rep + 1.0), 0.0, y=STANDING - 0.005, pitch=0.0)
        score.key(beat.at(rep + 1.0), sx=0.0, hx=0.0)
        both_arms(score, beat.at(rep + 1.0), mix(rest_arm(score), front, 0.15))
    for side in SIDES:
        score.limb(beat.done, side, ko=0.0)
    score.root(beat.done, y=STANDING)
    both_arms(score, beat.done, rest_arm(score))
    steps_to(score, beat.out, beat.done, {"l": 0.0})
    steps_to(score, beat.out + 0.4 * beat.tail, beat.done + 0.1, {"r": 0.0})


@move("lunge", 0.15, 1.7, 0.2, 1, repeats=True)
def lunge(score: Score, beat: Beat) -> None:
    """A long step, the front thigh level, the rear knee near the ground, and back."""
    aim = beat.action.direction
    hips = reach(0.06, -0.42, 0.02, (1.0, 0.1, -0.5), pronation=40.0, flex=35.0)
    for rep in range(beat.reps):
        side = beat.side if rep % 2 == 0 or beat.action.side else OTHER[beat.side]
        if aim in ("left", "right"):
            side = aim[0]
        far = 0.78 * min(1.1, beat.size) * (-1.0 if aim == "backward" else 1.0)
        begin = beat.at(rep)
        both_arms(score, begin + 0.25 * beat.cycle, hips)
        if aim in ("left", "right"):
            out = SIGN[side] * abs(far)
            score.step(side, begin, begin + 0.36 * beat.cycle, 0.0, out, yaw=SIGN[side] * 14.0)
            for share in (0.44, 0.6):
                score.root(
                    begin + share * beat.cycle, -0.1, 0.72 * out, y=0.62, pitch=18.0, sx=14.0
                )
        else:
            score.step(side, begin, begin + 0.36 * beat.cycle, far)
            front = side if far > 0 else OTHER[side]
            for share in (0.44, 0.6):
                score.root(begin + share * beat.cycle, 0.5 * far, y=0.58, pitch=4.0, sx=0.0)
                score.limb(begin + share * beat.cycle, OTHER[front], fp=44.0)
        score.step(side, begin + 0.66 * beat.cycle, begin + 0.97 * beat.cycle, 0.0)
        score.root(begin + beat.cycle, 0.0, y=STANDING, pitch=0.0, sx=0.0)
        for one in SIDES:
            score.limb(begin + 0.95 * beat.cycle, one, fp=0.0)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)


@move("kick", 0.45, 1.0, 0.55, 1)
def kick(score: Score, beat: Beat) -> None:
    """Knee up, shin snapped out, drawn back, set down; arms and trunk balance it."""
    aim = beat.action.direction or "forward"
    high = min(1.15, beat.size)
    guard = reach(0.02, -0.10, 0.28, (0.6, -1.0, -0.3), pronation=20.0)
    away = reach(0.24, -0.34, -0.12, (0.6, -0.2, -1.0), pronation=20.0)
    for rep in range(beat.reps):
        side = beat.side if beat.action.side != "both" or rep % 2 == 0 else OTHER[beat.side]
        if aim in ("left", "right"):
            side = aim[0]
        sign, other = SIGN[side], OTHER[side]
        chamber = {"f1": 74.0 * high, "f2": 2.0, "f3": 0.0, "f4": 112.0, "f5": -15.0}
        hit = {"f1": 84.0 * high, "f2": 2.0, "f3": 0.0, "f4": 10.0, "f5": -32.0}
        tilt, turn_in = -12.0, 10.0
        if aim in ("left", "right"):
            chamber = {"f1": 62.0, "f2": 30.0, "f3": -15.0, "f4": 110.0, "f5": 0.0}
            hit = {"f1": 18.0, "f2": 42.0, "f3": -25.0, "f4": 10.0, "f5": 5.0}
        elif aim == "backward":
            chamber = {"f1": 50.0, "f2": 2.0, "f3": 0.0, "f4": 100.0, "f5": 0.0}
            hit = {"f1": -26.0, "f2": 4.0, "f3": 0.0, "f4": 10.0, "f5": 5.0}
            tilt, turn_in = 34.0, 0.0
        aside = -sign * 0.085
        begin = beat.at(rep) - (0.5 * beat.lead if rep == 0 else 0.0)
        score.limb(begin, side, fw=0.0, **chamber)
        score.root(beat.at(rep), 0.0, aside, y=STANDING - 0.03, pitch=4.0)
        both_arms(score, beat.at(rep), guard)
        for share, weight, pose in ((0.22, 1.0, chamber), (0.44, 1.0, hit), (0.52, 1.0, hit),
                                    (0.72, 1.0, chamber), (0.98, 0.0, chamber)):  # fmt: skip
            score.limb(beat.at(rep + share), side, fw=weight, **pose)
        score.limb(beat.at(rep), other, ko=0.0)
        roll = 0.0 if aim not in ("left", "right") else sign * 14.0
        score.root(
            beat.at(rep + 0.22), 0.0, aside, y=STANDING - 0.025, pitch=-2.0, roll=-0.3 * roll
        )
        for share in (0.44, 0.52):
            score.root(beat.at(rep + share), 0.0, aside, y=STANDING - 0.015, pitch=tilt, roll=-roll,
                       twist=-turn_in * sign)  # fmt: skip
            trunk(score, beat.at(rep + share), 12.0 if aim != "backward" else 0.0, 14.0 * sign,
                  nod=-4.0, look=-4.0 * sign)  # fmt: skip
            score.arm(beat.at(rep + share), side, away)
            score.arm(beat.at(rep + share), other, guard)
        score.root(beat.at(rep + 0.98), 0.0, 0.3 * aside, y=STANDING - 0.02, pitch=2.0, roll=0.0,
                   twist=0.0)  # fmt: skip
        trunk(score, beat.at(rep + 0.98), 4.0)
        both_arms(score, beat.at(rep + 0.9), guard)
    score.root(beat.done, y=STANDING, pitch=0.0)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("stomp", 0.25, 0.75, 0.35, 2)
def stomp(score: Score, beat: Beat) -> None:
    """The knee goes high, the foot comes down hard, the body takes the blow."""
    fist = reach(0.14, -0.42, 0.14, (0.7, -0.2, -0.8), pronation=20.0)
    both_arms(score, beat.at(0.0), fist)
    for rep in range(beat.reps):
        side = OTHER[beat.side] if beat.both and rep % 2 else beat.side
        sign = SIGN[side]
        knee = {"f1": 68.0 * min(1.15, beat.size), "f4": 86.0, "f5": 8.0}
        score.limb(beat.at(rep + 0.02), side, fw=0.0, **knee)
        score.limb(beat.at(rep + 0.44), side, fw=1.0, **knee)
        score.limb(beat.at(rep + 0.66), side, fw=0.0)
        score.root(beat.at(rep + 0.42), 0.0, -0.075 * sign, y=STANDING, roll=-4.0 * sign)
        trunk(score, beat.at(rep + 0.42), -5.0, 0.0, -5.0 * sign, nod=4.0)
        score.root(beat.at(rep + 0.72), 0.0, 0.01 * sign, y=STANDING - 0.06, roll=0.0)
        trunk(score, beat.at(rep + 0.74), 14.0, 0.0, 4.0 * sign, nod=8.0)
        both_arms(score, beat.at(rep + 0.74), mix(fist, rest_arm(score), 0.4))
        both_arms(score, beat.at(rep + 0.99), fist)
        score.root(beat.at(rep + 1.0), y=STANDING - 0.015)
        trunk(score, beat.at(rep + 1.0), 4.0, nod=2.0)
    score.root(beat.done, y=STANDING)
    trunk(score, beat.done)
    both_arms(score, beat.done, rest_arm(score))


@move("stretch", 0.6, 2.2, 0.7, 1, repeats=True)
def stretch(score: Score, beat: Beat) -> None:
    """Arms overhead on the toes, then long to one side and to the other."""
    high = reach(-0.06, 0.50, 0.10, (1.0, -0.1, 0.1), flex=-25.0)
    way = reach(0.20, 0.0, 0.46, (0.9, -0.7, -0.2), pronation=20.0)
    both_arms(score, beat.start + 0.6 * beat.lead, way)
    for rep in range(beat.reps):
        sign = beat.sign * (1.0 if rep % 2 == 0 else -1.0)
        both_arms(score, beat.at(rep + 0.18), high)
        both_arms(score, beat.at(rep + 0.95), high)
        score.root(beat.at(rep + 0.22), 0.0, y=STANDING + 0.02)
        score.key(beat.at(rep + 0.22), sx=-10.0, sz=0.0, hx=-16.0)
        for side in SIDES:
            score.limb(beat.at(rep + 0.2), side, fp=20.0)
            score.limb(beat.at(rep + 0.36), side, fp=0.0)
        for share, way_sign in ((0.48, sign), (0.60, sign), (0.80, -sign), (0.92, -sign)):
            score.root(beat.at(rep + share), 0.0, 0.05 * way_sign, y=STANDING - 0.01)
            score.key(beat.at(rep + share), sx=0.0, sz=27.0 * way_sign * min(1.1, beat.size),
                      hx=0.0, hz=8.0 * way_sign)  # fmt: skip
    both_arms(score, beat.out + 0.4 * beat.tail, reach(0.46, 0.05, 0.15, (0.4, -0.6, -0.8)))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    score.root(beat.done, y=STANDING)
