"""Moves that end or happen near the ground."""

from typing import Final

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES, STANDING
from kinesphere.engines.choreo.moves.body import both_arms, lean, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.moves.standing import dodge
from kinesphere.engines.choreo.score import OTHER, Beat, Score
from kinesphere.engines.choreo.stances import STANCES

ROLL_HASTE: Final = 1.51
"""How many times faster than natural a whole turn of the body may be played."""


def _linger(score: Score, beat: Beat) -> None:
    """Stay in a stance, alive: the trunk shifts, the head looks."""
    count = max(1, round((beat.end - beat.start) / 1.6))
    for index in range(count):
        time = beat.start + (beat.end - beat.start) * (index + 0.6) / count
        aside = float(beat.rng.uniform(4.0, 12.0)) * (1.0 if index % 2 == 0 else -1.0) * beat.sign
        trunk(score, time, 2.0, 0.4 * aside, 0.25 * aside, nod=3.0, look=aside)


@move("kneel", 0.0, 1.0, 0.0, 1, entry="kneel", holds=True)
def kneel(score: Score, beat: Beat) -> None:
    """On the knee, hands low, quiet."""
    thigh = reach(-0.04, -0.38, 0.26, (0.8, -0.4, -0.6), pronation=40.0)
    if score.stance == "kneel":
        score.arm(min(beat.start + 0.5, beat.end), OTHER[score.low_side], thigh)
    _linger(score, beat)


@move("sit", 0.0, 1.0, 0.0, 1, entry="sit", holds=True)
def sit(score: Score, beat: Beat) -> None:
    """Seated, hands on the thighs."""
    _linger(score, beat)


@move("sit_floor", 0.0, 1.0, 0.0, 1, entry="sit_floor", holds=True)
def sit_floor(score: Score, beat: Beat) -> None:
    """On the floor, knees drawn up, hands on them."""
    _linger(score, beat)


@move("lie", 0.0, 1.2, 0.0, 1, entry="lie", holds=True)
def lie(score: Score, beat: Beat) -> None:
    """On the back; the chest breathes, the head rolls."""
    count = max(1, round((beat.end - beat.start) / 2.2))
    for index in range(count):
        time = beat.start + (beat.end - beat.start) * (index + 0.6) / count
        score.key(time, hy=14.0 * beat.sign * (1.0 if index % 2 == 0 else -1.0))


@move("stand", 0.0, 1.0, 0.0, 1, entry="stand", holds=True)
def stand(score: Score, beat: Beat) -> None:
    """Up on both feet, weight settling."""
    for share in (0.4, 0.85):
        time = beat.start + share * (beat.end - beat.start)
        sign = beat.sign * (1.0 if share < 0.5 else -0.3)
        lean(score, beat, time, 0.01, 0.03 * sign, dip=0.004)
        trunk(score, time, -2.0, 2.0 * sign, -2.0 * sign, nod=-3.0, look=5.0 * sign)


@move("crouch", 0.0, 1.0, 0.0, 1, entry="crouch", holds=True)
def crouch(score: Score, beat: Beat) -> None:
    """Low on the heels, eyes ahead."""
    _linger(score, beat)


@move("fall", 0.25, 1.5, 0.5, 1, leave="lie", most_tempo=1.1)
def fall(score: Score, beat: Beat) -> None:
    """Balance goes, knees give way, seat, back and head meet the ground in turn."""
    flung = reach(0.34, 0.16, 0.30, (0.6, -0.8, -0.2), pronation=20.0)
    brace = reach(0.26, -0.40, -0.20, (0.7, 0.2, -1.0), pronation=10.0, flex=-45.0)
    spread = reach(0.44, -0.26, -0.06, (0.8, -0.2, -0.6), pronation=20.0)
    lying = STANCES["lie"]
    at = beat.at
    score.root(at(0.0), -0.03, y=STANDING - 0.02, pitch=-6.0, sx=-10.0, hx=6.0)
    both_arms(score, at(0.0), mix(rest_arm(score), flung, 0.5))
    score.step(beat.side, at(0.0), at(0.22), -0.22, lift=0.06)
    score.root(at(0.26), -0.22, y=0.66, pitch=-4.0, sx=26.0, hx=6.0)
    both_arms(score, at(0.24), flung)
    score.root(at(0.50), -0.52, y=0.13, pitch=-24.0, sx=30.0, hx=16.0)
    both_arms(score, at(0.50), brace)
    score.root(at(0.60), -0.60, y=0.10, pitch=-38.0, sx=28.0, hx=20.0)
    for number, side in enumerate((beat.side, OTHER[beat.side])):
        # The hip opens as the pelvis tips, so that the heels do not go through the ground.
        for share, weight, flexion, knee in (
            (0.44, 0.0, 70.0, 44.0), (0.62, 0.5, 60.0, 44.0), (0.80, 1.0, 34.0, 34.0)
        ):  # fmt: skip
            bent = dict(lying.free) | {"f1": flexion, "f4": knee}
            score.limb(at(share) + 0.05 * number, side, **bent, fw=weight)
        settled = dict(lying.free) | {"f2": 12.0 + 6.0 * number}
        score.limb(at(1.0) + 0.08 * number, side, **settled, fw=1.0)
    score.root(at(0.88), lying.ahead, y=0.10, pitch=-90.0, sx=6.0, hx=18.0)
    both_arms(score, at(0.9), spread)
    score.root(beat.out, lying.ahead, y=0.10, pitch=-90.0, sx=0.0, hx=0.0)
    score.key(beat.done, hy=20.0 * beat.sign)
    score.stance = "lie"


@move("push_up", 0.3, 1.3, 0.3, 2, entry="plank", repeats=True)
def push_up(score: Score, beat: Beat) -> None:
    """A straight body lowered and pressed up between hands and toes."""
    plank = STANCES["plank"]
    pitch, nod = plank.body["pitch"], plank.body["hx"]
    deep = min(1.0, beat.size)
    for rep in range(beat.reps):
        for share in (0.44, 0.52):
            score.root(beat.at(rep + share), plank.ahead + 0.02, y=plank.height - 0.17 * deep,
                       pitch=pitch + 11.0 * deep)  # fmt: skip
            score.key(beat.at(rep + share), hx=nod - 4.0, sx=0.0)
        score.root(beat.at(rep + 1.0), plank.ahead, y=plank.height, pitch=pitch)
        score.key(beat.at(rep + 1.0), hx=nod, sx=0.0)


@move("sit_up", 0.4, 1.7, 0.4, 2, entry="lie", repeats=True)
def sit_up(score: Score, beat: Beat) -> None:
    """Knees bent, hands at the head, the trunk curls up and rolls down again."""
    ears = reach(0.10, 0.16, 0.06, (1.0, 0.2, 0.3), pronation=0.0, flex=20.0)
    lying = STANCES["lie"]
    both_arms(score, beat.at(0.0), ears)
    bent = {"f1": 52.0, "f2": 6.0, "f3": 4.0, "f4": 100.0, "f5": -2.0}
    for side in SIDES:
        score.limb(beat.at(0.0), side, fw=1.0, **bent)
    for rep in range(beat.reps):
        for share in (0.45, 0.55):
            up = min(1.0, beat.size)
            score.root(beat.at(rep + share), lying.ahead, y=0.10, pitch=-90.0 + 62.0 * up)
            score.key(beat.at(rep + share), sx=48.0 * up, hx=16.0)
            for side in SIDES:
                score.limb(beat.at(rep + share), side, fw=1.0, **(bent | {"f1": 52.0 + 62.0 * up}))
        score.root(beat.at(rep + 1.0), lying.ahead, y=0.10, pitch=-90.0)
        score.key(beat.at(rep + 1.0), sx=4.0, hx=12.0)
        for side in SIDES:
            score.limb(beat.at(rep + 1.0), side, fw=1.0, **bent)
    score.key(beat.done, sx=0.0, hx=0.0)
    both_arms(score, beat.done, rest_arm(score))
    for side in SIDES:
        score.limb(beat.done, side, **dict(lying.free))


@move("roll", 0.2, 1.7, 0.3, 1, entry="crouch", leave="crouch", most_tempo=1.05, most_haste=1.3)
def roll(score: Score, beat: Beat) -> None:
    """Hands down, chin in, over the round back and up on the feet again."""
    tuck = {"f1": 118.0, "f2": 8.0, "f4": 128.0, "f5": -10.0}
    ground = reach(0.04, 0.24, 0.42, (0.9, -0.8, 0.0), pronation=50.0, flex=-45.0)
    hug = reach(0.02, -0.28, 0.32, (0.9, -0.4, -0.3), pronation=20.0)
    low = STANCES["crouch"]
    if beat.haste > ROLL_HASTE:
        _linger(score, beat)
        return
    for rep in range(beat.reps):
        at, far = beat.at, 1.35
        begin = low.ahead
        first = score.last("pitch") - low.body["pitch"]
        for side in SIDES:
            score.arm(at(rep + 0.16), side, ground)
            score.arm(at(rep + 0.28), side, ground)
            score.limb(at(rep + 0.12), side, fw=0.0, **tuck)
            score.limb(at(rep + 0.36), side, fw=1.0, **tuck)
            score.limb(at(rep + 0.70), side, fw=1.0, **tuck)
            score.limb(at(rep + 0.88), side, fw=0.0)
            score.arm(at(rep + 0.5), side, hug)
            score.arm(at(rep + 0.75), side, hug)
            score.step(side, at(rep + 0.34), at(rep + 0.66), far, lift=0.05)
        turns = ((0.18, 78.0, 0.06, 0.50), (0.34, 140.0, 0.30, 0.46), (0.46, 205.0, 0.62, 0.30),
                 (0.58, 262.0, 0.88, 0.16), (0.70, 310.0, 1.06, 0.17), (0.84, 350.0, 1.20, 0.34),
                 (1.0, 360.0 + low.body["pitch"], far + begin, low.height))  # fmt: skip
        for share, pitch, ahead, height in turns:
            score.root(at(rep + share), begin * (1.0 - share) + ahead * 1.0, y=height,
                       pitch=first + pitch)  # fmt: skip
        for share, curl, chin in ((0.2, 45.0, 25.0), (0.4, 70.0, 40.0), (0.72, 60.0, 30.0),
                                  (1.0, low.body["sx"], low.body["hx"])):  # fmt: skip
            score.key(at(rep + share), sx=curl, hx=chin)
        score.move(ahead=far)
    both_arms(score, beat.done, low.arms)
    score.unwind("pitch")
    score.stance = "crouch"


@move("cartwheel", 0.5, 1.8, 0.5, 1, most_tempo=1.05, most_haste=1.3)
def cartwheel(score: Score, beat: Beat) -> None:
    """Sideways over both hands, legs straight and wide like spokes."""
    if beat.haste > ROLL_HASTE:
        dodge(score, beat)
        return
    sign = {"left": 1.0, "right": -1.0}.get(beat.action.direction or "", beat.sign)
    lead = "l" if sign > 0 else "r"
    trail = OTHER[lead]
    high = reach(0.12, 0.50, 0.06, (0.9, -0.2, 0.0))
    spoke = {"f1": 4.0, "f2": 40.0, "f3": 8.0, "f4": 6.0, "f5": -25.0}
    for rep in range(beat.reps):
        at = beat.at
        ready = beat.start + 0.8 * beat.lead if rep == 0 else at(rep)
        first = score.last("roll")
        both_arms(score, ready, high)
        score.step(lead, at(rep), at(rep + 0.16), 0.0, sign * 0.46, yaw=sign * 40.0, lift=0.10)
        # The shoulders stay over the hands while the pelvis goes over them.
        rolls = (
            (0.0, 0.0, 0.0, STANDING), (0.14, 24.0, 0.22, 0.86), (0.27, 75.0, 0.50, 0.72),
            (0.34, 105.0, 0.60, 0.71), (0.42, 138.0, 0.72, 0.86), (0.50, 180.0, 1.00, 0.96),
            (0.58, 222.0, 1.28, 0.86), (0.66, 255.0, 1.40, 0.71), (0.73, 285.0, 1.50, 0.72),
            (0.86, 336.0, 1.78, 0.86), (1.0, 360.0, 2.0, STANDING),
        )  # fmt: skip
        for share, angle, out, height in rolls:
            score.root(at(rep + share), 0.0, sign * out, y=height, roll=first - sign * angle)
        for side in SIDES:
            near = side == lead
            down, up, out = (0.34, 0.56, 0.88) if near else (0.45, 0.66, 1.16)
            score.hand(at(rep + down - 0.09), side, 0.04, sign * out, 0.07, weight=0.0)
            score.hand(at(rep + down), side, 0.04, sign * out, 0.07, weight=0.9)
            score.hand(at(rep + up), side, 0.04, sign * out, 0.07, weight=0.9)
            score.limb(at(rep + up + 0.10), side, ww=0.0)
            score.arm(at(rep), side, high)
            off, land = (0.27, 0.93) if near else (0.12, 0.78)
            score.limb(at(rep + off), side, fw=0.0, **spoke)
            score.limb(at(rep + off + 0.14), side, fw=1.0, **spoke)
            score.limb(at(rep + land - 0.12), side, fw=1.0, **spoke)
            score.limb(at(rep + land), side, fw=0.0)
        score.step(lead, at(rep + 0.30), at(rep + 0.93), 0.0, sign * 2.0, lift=0.5)
        score.step(trail, at(rep + 0.14), at(rep + 0.78), 0.0, sign * 2.22, lift=0.5)
        score.step(trail, at(rep + 0.92), at(rep + 1.0) + 0.25, 0.0, sign * 2.0, lift=0.07)
        score.key(at(rep + 0.3), hx=-20.0)
        score.key(at(rep + 0.7), hx=-20.0)
        score.move(left=sign * 2.0)
        both_arms(score, at(rep + 1.0), high)
    score.key(beat.done, hx=0.0)
    both_arms(score, beat.done, rest_arm(score))
    score.unwind("roll")
