"""Upper-body actions of force, out of a firm stand: blows, throws, pushes, lifts."""

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES
from kinesphere.engines.choreo.moves.body import both_arms, lean, rest_arm, steps_to, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

GUARD = reach(-0.05, -0.02, 0.24, (0.5, -1.0, -0.1), pronation=20.0)


def _stagger(score: Score, beat: Beat, time: float, ahead: float) -> bool:
    """Set the weak foot ahead for a firm stand; only where the figure stands freely."""
    if beat.overlay or score.stance != "stand":
        return False
    front = OTHER[beat.side]
    steps_to(score, beat.start, time, {front: ahead}, {front: 0.03})
    return True


def _gather(score: Score, beat: Beat) -> None:
    """Bring the feet together again in the action's tail."""
    front = OTHER[beat.side]
    steps_to(score, beat.out + 0.15 * beat.tail, beat.done, {front: 0.0})


@move("punch", 0.55, 0.62, 0.55, 2, repeats=True, upper=True)
def punch(score: Score, beat: Beat) -> None:
    """From a guard the fist shoots out, hip and shoulder behind it."""
    size = min(beat.size, 1.2)
    firm = _stagger(score, beat, beat.at(0.0), 0.22)
    for side in SIDES:
        score.arm(beat.at(0.0), side, GUARD)
    trunk(score, beat.at(0.0), 8.0, nod=-4.0)
    hit = reach(-0.12, 0.02, 0.5, (0.8, -0.9, 0.0), pronation=75.0)
    back = reach(0.03, -0.10, 0.10, (0.7, -0.8, -1.0), pronation=10.0)
    for rep in range(beat.reps):
        side = beat.side
        if beat.both or (beat.action.side is None and rep % 2 == 1):
            side = OTHER[beat.side]
        sign = SIGN[side]
        score.arm(beat.at(rep + 0.22), side, mix(GUARD, back, 0.9))
        score.arm(beat.at(rep + 0.50), side, mix(GUARD, hit, 0.5 + 0.5 * size))
        score.arm(beat.at(rep + 0.58), side, mix(GUARD, hit, 0.5 + 0.5 * size))
        score.arm(beat.at(rep + 1.0), side, GUARD)
        trunk(score, beat.at(rep + 0.2), 6.0, 16.0 * sign * size, nod=-4.0, look=-12.0 * sign)
        trunk(score, beat.at(rep + 0.5), 10.0, -22.0 * sign * size, nod=-6.0, look=18.0 * sign)
        trunk(score, beat.at(rep + 1.0), 8.0, nod=-4.0)
        if firm:
            lean(score, beat, beat.at(rep + 0.2), 0.05, 0.0, dip=0.05, twist=5.0 * sign)
            lean(score, beat, beat.at(rep + 0.5), 0.15, 0.0, dip=0.06, twist=-14.0 * sign * size)
            lean(score, beat, beat.at(rep + 1.0), 0.09, 0.0, dip=0.05)
            rear = beat.side
            score.limb(beat.at(rep + 0.2), rear, fp=6.0)
            score.limb(beat.at(rep + 0.5), rear, fp=28.0)
            score.limb(beat.at(rep + 1.0), rear, fp=6.0)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if firm:
        score.limb(beat.done, beat.side, fp=0.0)
        lean(score, beat, beat.done)
        _gather(score, beat)


@move("box_guard", 0.6, 0.7, 0.5, 3, repeats=True, upper=True)
def box_guard(score: Score, beat: Beat) -> None:
    """Fists up before the chin, knees soft, weaving."""
    firm = _stagger(score, beat, beat.at(0.0), 0.24)
    high = reach(-0.08, 0.06, 0.22, (0.45, -1.0, 0.0), pronation=10.0)
    for side in SIDES:
        score.arm(beat.at(0.0), side, high if side == beat.side else GUARD)
    for rep in range(beat.reps):
        aside = beat.sign * (1.0 if rep % 2 == 0 else -1.0)
        trunk(score, beat.at(rep + 0.5), 11.0, 4.0 * aside, 7.0 * aside, nod=-8.0)
        trunk(score, beat.at(rep + 1.0), 9.0, nod=-8.0)
        both_arms(score, beat.at(rep + 0.5), mix(GUARD, high, 0.4))
        both_arms(score, beat.at(rep + 1.0), mix(GUARD, high, 0.8))
        if firm:
            lean(score, beat, beat.at(rep + 0.5), 0.08, -0.04 * aside, dip=0.07)
            lean(score, beat, beat.at(rep + 1.0), 0.10, 0.0, dip=0.045)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if firm:
        lean(score, beat, beat.done)
        _gather(score, beat)


@move("throw", 0.45, 1.25, 0.6, 1, upper=True)
def throw(score: Score, beat: Beat) -> None:
    """Arm drawn back behind the ear, a step, a whip over the top, and the follow-through."""
    side, other = beat.side, OTHER[beat.side]
    sign = beat.sign
    size = min(beat.size, 1.2)
    cocked = reach(0.30, 0.16, -0.16, (1.0, -0.2, -0.6), pronation=-20.0, flex=-30.0)
    over = reach(0.16, 0.36, 0.20, (1.0, 0.0, 0.0), flex=-10.0)
    gone = reach(-0.02, 0.05, 0.51, (0.9, -0.4, 0.0), pronation=40.0, flex=30.0)
    down = reach(-0.22, -0.36, 0.26, (0.9, -0.2, -0.4), pronation=50.0, flex=20.0)
    aim = reach(0.05, 0.02, 0.48, (0.6, -1.0, 0.0), pronation=60.0)
    hold = reach(-0.06, -0.16, 0.28, (0.7, -1.0, -0.3), pronation=20.0)
    firm = not beat.overlay and score.stance == "stand"
    both_arms(score, beat.at(0.0), hold)
    for rep in range(beat.reps):
        score.arm(beat.at(rep + 0.42), side, mix(hold, cocked, min(1.0, size)))
        score.arm(beat.at(rep + 0.56), side, over)
        score.arm(beat.at(rep + 0.66), side, gone)
        score.arm(beat.at(rep + 0.85), side, down)
        score.arm(beat.at(rep + 0.40), other, aim)
        score.arm(beat.at(rep + 0.70), other, mix(aim, hold, 0.8))
        trunk(score, beat.at(rep + 0.40), -8.0, 30.0 * sign * size, 6.0 * sign, look=-26.0 * sign)
        trunk(score, beat.at(rep + 0.62), 12.0, -16.0 * sign, look=6.0 * sign)
        trunk(score, beat.at(rep + 0.85), 24.0, -30.0 * sign * size, nod=-14.0, look=16.0 * sign)
        if firm:
            lean(score, beat, beat.at(rep + 0.36), -0.06, 0.03 * sign, dip=0.04, twist=14.0 * sign)
            lean(score, beat, beat.at(rep + 0.66), 0.16, -0.02 * sign, dip=0.06, twist=-12.0 * sign)
            lean(score, beat, beat.at(rep + 0.9), 0.19, -0.02 * sign, dip=0.07, twist=-14.0 * sign)
            if rep == 0:
                steps_to(score, beat.at(0.28), beat.at(0.58), {other: 0.36}, {other: 0.04})
            score.limb(beat.at(rep + 0.5), side, fp=4.0)
            score.limb(beat.at(rep + 0.75), side, fp=34.0)
        if rep < beat.reps - 1:
            both_arms(score, beat.at(rep + 1.0), hold)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if firm:
        score.limb(beat.done, side, fp=0.0)
        lean(score, beat, beat.done)
        _gather(score, beat)


@move("catch", 0.5, 1.0, 0.5, 1, upper=True)
def catch(score: Score, beat: Beat) -> None:
    """Both hands go out to meet it and give way to the chest."""
    ready = reach(-0.02, -0.18, 0.30, (0.8, -0.9, -0.3), pronation=10.0, flex=-15.0)
    meet = reach(-0.10, 0.06, 0.46, (0.9, -0.8, 0.0), pronation=5.0, flex=-20.0)
    held = reach(-0.12, -0.16, 0.20, (0.9, -0.8, -0.2), pronation=10.0, flex=5.0)
    both_arms(score, beat.at(0.0), ready)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.40), meet)
        both_arms(score, beat.at(rep + 0.60), held)
        both_arms(score, beat.at(rep + 1.0), mix(held, ready, 0.3))
        trunk(score, beat.at(rep + 0.40), 4.0, nod=-12.0)
        trunk(score, beat.at(rep + 0.62), 12.0, nod=12.0)
        lean(score, beat, beat.at(rep + 0.1), 0.0, 0.0, dip=0.07)
        lean(score, beat, beat.at(rep + 0.40), 0.05, 0.0, dip=0.01)
        lean(score, beat, beat.at(rep + 0.65), -0.04, 0.0, dip=0.09)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


def _shove(score: Score, beat: Beat, toward: float) -> None:
    near = reach(0.0, -0.10, 0.20, (0.7, -0.9, -0.7), pronation=50.0, flex=-50.0)
    far = reach(-0.02, -0.02, 0.5, (0.8, -0.9, 0.0), pronation=50.0, flex=-55.0)
    if toward < 0.0:
        near = reach(0.04, -0.26, 0.14, (0.5, -0.6, -1.0), pronation=15.0)
        far = reach(-0.06, -0.12, 0.49, (0.7, -1.0, 0.0), pronation=15.0)
    begin, finish = (near, far) if toward > 0.0 else (far, near)
    firm = _stagger(score, beat, beat.at(0.0), 0.34)
    both_arms(score, beat.at(0.0), begin)
    trunk(score, beat.at(0.0), 10.0 if toward > 0 else 16.0, nod=-6.0)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.55), mix(begin, finish, min(1.0, beat.size)))
        both_arms(score, beat.at(rep + 0.7), mix(begin, finish, min(1.0, beat.size)))
        both_arms(score, beat.at(rep + 1.0), begin)
        trunk(score, beat.at(rep + 0.6), 20.0 if toward > 0 else -8.0, nod=-10.0)
        trunk(score, beat.at(rep + 1.0), 10.0 if toward > 0 else 16.0, nod=-6.0)
        if firm:
            start, stop = (0.04, 0.24) if toward > 0 else (0.18, 0.0)
            lean(score, beat, beat.at(rep), start, 0.0, dip=0.06)
            lean(score, beat, beat.at(rep + 0.6), stop, 0.0, dip=0.11)
            score.limb(beat.at(rep + 0.6), beat.side, fp=22.0 if toward > 0 else 2.0)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if firm:
        lean(score, beat, beat.out, 0.1, 0.0, dip=0.06)
        lean(score, beat, beat.done)
        score.limb(beat.done, beat.side, fp=0.0)
        _gather(score, beat)


@move("push", 0.6, 1.1, 0.6, 1, repeats=True, upper=True)
def push(score: Score, beat: Beat) -> None:
    """Both palms drive ahead out of a staggered stand."""
    _shove(score, beat, 1.0)


@move("pull", 0.6, 1.1, 0.6, 1, repeats=True, upper=True)
def pull(score: Score, beat: Beat) -> None:
    """Both fists haul in, the weight going back."""
    _shove(score, beat, -1.0)


@move("lift", 0.8, 1.6, 0.8, 1, upper=True)
def lift(score: Score, beat: Beat) -> None:
    """Down with a straight back, hands under the load, up to the chest and above."""
    carry = reach(-0.02, -0.22, 0.30, (0.6, -1.0, -0.5), pronation=-20.0)
    high = reach(0.0, 0.34, 0.32, (0.9, -0.6, 0.3), pronation=-10.0, flex=-30.0)
    under = reach(-0.02, -0.44, 0.26, (0.7, -0.4, -0.7))
    standing = not beat.overlay and score.stance == "stand"
    for rep in range(beat.reps):
        first = beat.at(rep) if rep else beat.start + 0.75 * beat.lead
        both_arms(score, first, under)
        both_arms(score, first + 0.08 * beat.cycle, under)
        both_arms(score, beat.at(rep + 0.42), carry)
        both_arms(score, beat.at(rep + 0.72), mix(carry, high, min(1.0, beat.size)))
        both_arms(score, beat.at(rep + 0.9), mix(carry, high, min(1.0, beat.size)))
        trunk(score, beat.at(rep + 0.45), -3.0, nod=0.0)
        trunk(score, beat.at(rep + 0.75), -7.0, nod=-12.0)
        if standing:
            score.root(first, -0.14, y=0.56, pitch=30.0)
            score.key(first, sx=24.0, hx=-20.0)
            score.root(first + 0.08 * beat.cycle, -0.14, y=0.56, pitch=30.0)
            score.root(beat.at(rep + 0.42), -0.02, y=0.92, pitch=0.0)
            score.root(beat.at(rep + 0.75), 0.0, y=0.945, pitch=-2.0)
            score.root(beat.at(rep + 0.95), 0.0, y=0.94, pitch=0.0)
    both_arms(score, beat.out + 0.4 * beat.tail, carry)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if standing:
        score.root(beat.done, y=0.945, pitch=0.0)


@move("swing", 0.7, 1.2, 0.6, 1, repeats=True, upper=True)
def swing(score: Score, beat: Beat) -> None:
    """Both hands on a bat: coiled behind one shoulder, whipped round, followed through."""
    side, other, sign = beat.side, OTHER[beat.side], beat.sign
    size = min(beat.size, 1.15)
    own = [
        reach(0.10, 0.04, 0.05, (1.0, -0.6, -0.6), deviation=10.0),
        reach(-0.14, -0.10, 0.46, (0.7, -1.0, 0.0), pronation=10.0),
        reach(-0.34, 0.08, 0.22, (0.6, -1.0, 0.3), pronation=30.0),
    ]
    across = [
        reach(-0.30, 0.02, 0.14, (0.4, -1.0, 0.5), deviation=10.0),
        reach(-0.12, -0.13, 0.45, (0.9, -0.9, 0.0), pronation=40.0),
        reach(0.10, 0.06, 0.14, (1.0, -0.5, -0.3), pronation=10.0),
    ]
    firm = not beat.overlay and score.stance == "stand"
    if firm:
        steps_to(score, beat.start, beat.at(0.0), {other: 0.22}, {other: 0.08})
    for rep in range(beat.reps):
        turns = ((0.0, 26.0), (0.3, 32.0), (0.58, -4.0), (0.82, -30.0))
        poses = (0, 0, 1, 2)
        for (share, yaw), index in zip(turns, poses, strict=True):
            time = beat.at(rep + share)
            score.arm(time, side, own[index])
            score.arm(time, other, across[index])
            trunk(score, time, 8.0, sign * yaw * size, look=-0.75 * sign * yaw)
            shift = 0.10 - 0.0028 * yaw
            if firm:
                lean(score, beat, time, shift, 0.0, dip=0.06, twist=0.5 * sign * yaw)
                score.limb(time, side, fp=max(0.0, -yaw))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    if firm:
        score.limb(beat.done, side, fp=0.0)
        lean(score, beat, beat.done)
        _gather(score, beat)
