"""Upper-body actions that handle something."""

import numpy as np

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES
from kinesphere.engines.choreo.moves.body import beating, both_arms, lean, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, SIGN, Beat, Score

GUARD = reach(-0.05, -0.02, 0.24, (0.5, -1.0, -0.1), pronation=20.0)


@move("drink", 0.8, 1.2, 0.8, 1, holds=True, upper=True)
def drink(score: Score, beat: Beat) -> None:
    """The cup goes to the mouth, the head tips back, the cup comes down."""
    carry = reach(0.0, -0.20, 0.28, (0.5, -1.0, -0.4), pronation=5.0)
    lips = reach(-0.11, 0.07, 0.21, (0.8, -0.7, 0.1), pronation=10.0, flex=10.0)
    tip = reach(-0.11, 0.13, 0.22, (1.0, -0.4, 0.1), pronation=35.0, flex=10.0)
    for rep in range(beat.reps):
        score.arm(beat.at(rep) - (0.45 * beat.lead if rep == 0 else 0.0), beat.side, carry)
        score.arm(beat.at(rep + 0.15), beat.side, lips)
        score.arm(beat.at(rep + 0.45), beat.side, tip)
        score.arm(beat.at(rep + 0.8), beat.side, tip)
        score.arm(beat.at(rep + 1.0), beat.side, lips)
        trunk(score, beat.at(rep + 0.1), 2.0, nod=6.0)
        trunk(score, beat.at(rep + 0.5), -7.0, nod=-24.0)
        trunk(score, beat.at(rep + 0.8), -7.0, nod=-26.0)
    score.arm(beat.out + 0.45 * beat.tail, beat.side, carry)
    score.arm(beat.done, beat.side, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.5), ahead=-0.02, left=0.015 * beat.sign)
    lean(score, beat, beat.done)


@move("phone", 0.8, 1.6, 0.7, 1, repeats=True, upper=True)
def phone(score: Score, beat: Beat) -> None:
    """A hand at the ear, head inclined to it, the other hand talking, weight shifting."""
    ear = reach(-0.03, 0.06, 0.10, (1.0, -1.0, 0.2), pronation=-20.0, flex=10.0)
    idle = reach(0.02, -0.25, 0.26, (0.7, -0.9, -0.6), pronation=-10.0)
    speak = reach(0.16, -0.18, 0.28, (0.6, -1.0, -0.4), pronation=-55.0)
    other = OTHER[beat.side]
    score.arm(beat.at(0.0), beat.side, ear)
    score.arm(beat.out, beat.side, ear)
    trunk(score, beat.at(0.0), 2.0, nod=4.0, cock=-8.0 * beat.sign)
    for rep in range(beat.reps):
        score.arm(beat.at(rep + 0.3), other, speak if rep % 2 == 0 else idle)
        score.arm(beat.at(rep + 0.8), other, mix(idle, speak, 0.25))
        aside = float(beat.rng.uniform(-12.0, 12.0))
        trunk(score, beat.at(rep + 0.4), 3.0, 0.5 * aside, nod=7.0, look=aside,
              cock=-8.0 * beat.sign)  # fmt: skip
        lean(score, beat, beat.at(rep + 0.5), left=0.03 * (1.0 if rep % 2 else -1.0))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("pray", 0.8, 1.4, 0.7, 1, holds=True, upper=True)
def pray(score: Score, beat: Beat) -> None:
    """Palms together before the breast, fingers up, head bowed."""
    palms = reach(-0.145, -0.13, 0.22, (1.0, -0.7, -0.1), pronation=0.0, deviation=15.0)
    way = reach(-0.02, -0.20, 0.30, (1.0, -0.7, -0.2))
    both_arms(score, beat.start + 0.5 * beat.lead, way)
    both_arms(score, beat.at(0.0), palms)
    both_arms(score, beat.out, palms)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 6.0, nod=14.0)
    trunk(score, beat.at(0.5 * beat.reps), 12.0, nod=26.0)
    trunk(score, beat.out, 6.0, nod=16.0)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.5), ahead=-0.015)
    lean(score, beat, beat.done)


@move("guitar", 0.7, 0.5, 0.6, 4, repeats=True, upper=True)
def guitar(score: Score, beat: Beat) -> None:
    """One hand on the neck, the other strumming at the belly, head and knee in time."""
    strum, neck = beat.side, OTHER[beat.side]
    high = reach(-0.10, -0.28, 0.22, (1.0, -0.2, -0.3), pronation=40.0, flex=10.0)
    deep = reach(-0.06, -0.41, 0.20, (1.0, -0.2, -0.3), pronation=40.0, flex=25.0)
    near = reach(0.14, -0.12, 0.30, (0.6, -1.0, -0.3), pronation=-50.0, flex=30.0)
    far = reach(0.24, -0.08, 0.30, (0.6, -1.0, -0.3), pronation=-50.0, flex=30.0)
    score.arm(beat.at(0.0), strum, high)
    score.arm(beat.at(0.0), neck, near)
    for rep in range(beat.reps):
        score.arm(beat.at(rep + 0.45), strum, mix(high, deep, min(1.2, beat.size)))
        score.arm(beat.at(rep + 1.0), strum, high)
        if rep % 2 == 0:
            score.arm(beat.at(rep + 1.0), neck, mix(near, far, float(beat.rng.random())))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 6.0, nod=10.0, look=8.0 * SIGN[neck])
    trunk(score, beat.out, 4.0, nod=6.0, look=8.0 * SIGN[neck])
    trunk(score, beat.done)
    score.wave("hx", 5.0 * beat.size * beating(score, beat))
    score.wave("sz", 3.0 * beat.size * beating(score, beat, 0.0, 0.5))
    if not beat.overlay and score.stance == "stand":
        score.wave(
            "y", -0.015 * beat.size * (1.0 - np.cos(0.0)) - 0.012 * np.abs(beating(score, beat))
        )
        lean(score, beat, beat.at(0.0), dip=0.02)
        lean(score, beat, beat.done)


@move("drum", 0.5, 0.4, 0.5, 5, repeats=True, upper=True)
def drum(score: Score, beat: Beat) -> None:
    """Hands beat in turn on what stands before the hips."""
    up = reach(0.06, -0.08, 0.30, (0.8, -0.9, -0.6), pronation=55.0, flex=-25.0)
    hit = reach(0.0, -0.26, 0.34, (0.8, -0.8, -0.6), pronation=55.0, flex=20.0)
    up = mix(hit, up, min(1.3, beat.size))
    for side in SIDES:
        score.arm(beat.at(0.0), side, mix(hit, up, 0.7))
    for rep in range(beat.reps):
        first = beat.side if rep % 2 == 0 else OTHER[beat.side]
        score.arm(beat.at(rep + 0.5), first, hit)
        score.arm(beat.at(rep + 1.0), first, up)
        score.arm(beat.at(rep + 0.5), OTHER[first], up)
        score.arm(beat.at(rep + 1.0), OTHER[first], mix(up, hit, 0.2))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 10.0, nod=8.0)
    trunk(score, beat.out, 10.0, nod=8.0)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.0), dip=0.03)
    lean(score, beat, beat.out, dip=0.03)
    lean(score, beat, beat.done)
    score.wave("hx", 5.0 * beat.size * beating(score, beat))
    score.wave("sy", 4.0 * beat.size * beating(score, beat, 0.0, 0.5))


@move("scratch_head", 0.8, 0.4, 0.7, 3, repeats=True, upper=True)
def scratch_head(score: Score, beat: Beat) -> None:
    """Fingers on the crown, small strokes, head inclined."""
    low = reach(-0.02, 0.17, 0.04, (1.0, 0.1, 0.3), pronation=10.0, flex=25.0)
    high = reach(-0.04, 0.24, 0.02, (1.0, 0.1, 0.3), pronation=10.0, flex=25.0)
    score.arm(beat.start + 0.5 * beat.lead, beat.side, reach(0.18, 0.0, 0.28, (1.0, -0.6, 0.0)))
    score.arm(beat.at(0.0), beat.side, low)
    for rep in range(beat.reps):
        score.arm(beat.at(rep + 0.5), beat.side, high)
        score.arm(beat.at(rep + 1.0), beat.side, low)
    score.arm(beat.out + 0.5 * beat.tail, beat.side, reach(0.18, 0.0, 0.28, (1.0, -0.6, 0.0)))
    score.arm(beat.done, beat.side, rest_arm(score))
    trunk(score, beat.at(0.0), 3.0, nod=10.0, cock=-10.0 * beat.sign)
    trunk(score, beat.out, 3.0, nod=6.0, look=-14.0 * beat.sign, cock=-8.0 * beat.sign)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.0), left=-0.025 * beat.sign)
    lean(score, beat, beat.done)


@move("type", 0.7, 0.36, 0.6, 8, repeats=True, upper=True)
def type_(score: Score, beat: Beat) -> None:
    """Level forearms, fingers tapping in turn, eyes on the screen and down again."""
    home = reach(-0.05, -0.26, 0.33, (0.7, -1.0, -0.5), pronation=65.0, flex=-8.0)
    down = reach(-0.02, -0.275, 0.34, (0.7, -1.0, -0.5), pronation=65.0, flex=14.0)
    aside = reach(0.04, -0.25, 0.35, (0.7, -1.0, -0.5), pronation=65.0, flex=-8.0)
    both_arms(score, beat.at(0.0), home)
    for rep in range(beat.reps):
        first = beat.side if rep % 2 == 0 else OTHER[beat.side]
        score.arm(beat.at(rep + 0.5), first, down)
        back = mix(home, aside, float(beat.rng.random()) * beat.size)
        score.arm(beat.at(rep + 1.0), first, back)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 8.0, nod=14.0)
    trunk(score, beat.at(0.4 * beat.reps), 8.0, 2.0, nod=4.0, look=5.0)
    trunk(score, beat.at(0.7 * beat.reps), 9.0, -2.0, nod=16.0, look=-5.0)
    trunk(score, beat.out, 8.0, nod=10.0)
    trunk(score, beat.done)


@move("flap", 0.5, 0.75, 0.5, 3, repeats=True, upper=True)
def flap(score: Score, beat: Beat) -> None:
    """Wide wings: elbows lead, hands trail."""
    size = min(beat.size, 1.25)
    high = reach(0.46, 0.18 * size, 0.02, (0.4, -0.3, -1.0), pronation=20.0, flex=25.0)
    low = reach(0.40, -0.32 * size, 0.06, (0.6, 0.5, -1.0), pronation=20.0, flex=-25.0)
    both_arms(score, beat.at(0.0), high)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.5), low)
        both_arms(score, beat.at(rep + 1.0), high)
        trunk(score, beat.at(rep + 0.5), 7.0, nod=-6.0)
        trunk(score, beat.at(rep + 1.0), -2.0, nod=-4.0)
        lean(score, beat, beat.at(rep + 0.25), dip=0.05)
        lean(score, beat, beat.at(rep + 0.6), dip=-0.01)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("conduct", 0.6, 1.6, 0.6, 1, repeats=True, upper=True)
def conduct(score: Score, beat: Beat) -> None:
    """Four beats to the bar: down, in, out, up."""
    size = min(beat.size, 1.25)
    home = reach(0.06, 0.04, 0.32, (0.8, -0.9, -0.2), pronation=50.0)
    down = reach(0.02, -0.24, 0.38, (0.8, -0.8, -0.4), pronation=55.0, flex=20.0)
    inner = reach(-0.14, -0.10, 0.34, (0.9, -0.7, -0.1), pronation=50.0)
    outer = reach(0.28, -0.08, 0.32, (0.7, -0.9, -0.5), pronation=50.0)
    high = reach(0.10, 0.24, 0.30, (0.9, -0.7, 0.0), pronation=45.0, flex=-15.0)
    both_arms(score, beat.at(0.0), high)
    for rep in range(beat.reps):
        for share, pose in ((0.2, down), (0.45, inner), (0.7, outer), (1.0, high)):
            score.arm(beat.at(rep + share), beat.side, mix(home, pose, size))
            calm = mix(home, pose, 0.55 * size)
            score.arm(beat.at(rep + share) + 0.04 * beat.cycle, OTHER[beat.side], calm)
        trunk(score, beat.at(rep + 0.2), 7.0, nod=6.0)
        trunk(score, beat.at(rep + 0.7), 0.0, 7.0 * beat.sign, look=5.0 * beat.sign)
        trunk(score, beat.at(rep + 1.0), -4.0, nod=-6.0)
        lean(score, beat, beat.at(rep + 0.2), 0.02, 0.0, dip=0.025)
        lean(score, beat, beat.at(rep + 0.7), 0.0, 0.03 * beat.sign)
        lean(score, beat, beat.at(rep + 1.0), -0.01, 0.0, dip=-0.01)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)
