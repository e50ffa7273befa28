"""Gestures that show a mood: applause, laughter, tears, doubt, speech."""

import numpy as np

from kinesphere.engines.choreo.arms import mix, reach
from kinesphere.engines.choreo.channels import SIDES
from kinesphere.engines.choreo.moves.body import beating, both_arms, lean, rest_arm, trunk
from kinesphere.engines.choreo.moves.registry import move
from kinesphere.engines.choreo.score import OTHER, Beat, Score

DOWN_OUT = (0.9, -1.0, -0.3)


@move("clap", 0.5, 0.42, 0.5, 4, repeats=True, upper=True)
def clap(score: Score, beat: Beat) -> None:
    """Palms meet before the chest; the wrists stay a hand's thickness apart."""
    apart = reach(-0.02 + 0.10 * beat.size, -0.12, 0.30, (0.9, -0.9, -0.3), pronation=10.0)
    shut = reach(-0.158, -0.10, 0.33, (0.9, -0.9, -0.3), pronation=10.0, flex=8.0)
    both_arms(score, beat.at(0.0), apart)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.42), shut)
        both_arms(score, beat.at(rep + 0.55), shut)
        both_arms(score, beat.at(rep + 1.0), apart)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 2.0, nod=-4.0)
    trunk(score, beat.out, 2.0, nod=-4.0)
    trunk(score, beat.done)
    score.wave("sx", 2.0 * beating(score, beat))
    score.wave("hx", 2.5 * beating(score, beat, 0.8))
    if not beat.overlay and score.stance == "stand":
        score.wave("y", -0.008 * np.abs(beating(score, beat)))


@move("cheer", 0.5, 0.55, 0.6, 3, repeats=True, upper=True)
def cheer(score: Score, beat: Beat) -> None:
    """Both fists thrown up again and again, heels leaving the ground."""
    low = reach(0.12, 0.10, 0.22, (1.0, -0.8, 0.0), pronation=10.0)
    high = reach(0.16, 0.50, 0.08, (1.0, -0.3, 0.0))
    high = mix(low, high, min(1.05, 0.4 + 0.6 * beat.size))
    both_arms(score, beat.at(0.0) - 0.45 * beat.lead, low)
    both_arms(score, beat.at(0.0), high)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.45), mix(low, high, 0.35))
        both_arms(score, beat.at(rep + 0.95), high)
    both_arms(score, beat.out + 0.5 * beat.tail, mix(low, rest_arm(score), 0.5))
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.start + 0.5 * beat.lead, 8.0, nod=6.0)
    trunk(score, beat.at(0.0), -9.0, nod=-14.0)
    trunk(score, beat.out, -9.0, nod=-14.0)
    trunk(score, beat.done)
    score.wave("sz", 3.0 * beating(score, beat, 0.0, 0.5))
    if beat.overlay or score.stance != "stand":
        return
    lean(score, beat, beat.start + 0.5 * beat.lead, dip=0.06)
    lean(score, beat, beat.at(0.0), dip=-0.035)
    for rep in range(beat.reps):
        lean(score, beat, beat.at(rep + 0.45), dip=0.045)
        lean(score, beat, beat.at(rep + 0.95), dip=-0.035)
        for side in SIDES:
            score.limb(beat.at(rep + 0.4), side, fp=2.0)
            score.limb(beat.at(rep + 0.95), side, fp=24.0)
    lean(score, beat, beat.done)
    for side in SIDES:
        score.limb(beat.done, side, fp=0.0)


@move("nod", 0.3, 0.5, 0.3, 2, repeats=True, upper=True)
def nod(score: Score, beat: Beat) -> None:
    """The head goes down and up; the trunk follows a little."""
    for rep in range(beat.reps):
        trunk(score, beat.at(rep + 0.4), 3.0 * beat.size, nod=24.0 * beat.size)
        trunk(score, beat.at(rep + 0.9), -1.0, nod=-9.0 * beat.size)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.5), ahead=0.03)
    lean(score, beat, beat.done)


@move("shake_head", 0.3, 0.6, 0.3, 2, repeats=True, upper=True)
def shake_head(score: Score, beat: Beat) -> None:
    """The head turns from side to side; shoulders answer against it."""
    for rep in range(beat.reps):
        wide = beat.sign * 34.0 * beat.size
        trunk(score, beat.at(rep + 0.25), 1.0, 0.1 * wide, nod=5.0, look=wide)
        trunk(score, beat.at(rep + 0.75), 1.0, -0.1 * wide, nod=5.0, look=-wide)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.5 * beat.reps), ahead=-0.02, left=0.035 * beat.sign)
    lean(score, beat, beat.done)


@move("shrug", 0.35, 0.8, 0.45, 1, upper=True)
def shrug(score: Score, beat: Beat) -> None:
    """Shoulders up, palms turned out, head cocked."""
    up = reach(0.16, -0.24, 0.30, (0.5, -1.0, -0.5), pronation=-75.0, flex=-20.0, shrug=24.0)
    for rep in range(beat.reps):
        both_arms(score, beat.at(rep + 0.25), up)
        both_arms(score, beat.at(rep + 0.7), up)
        trunk(score, beat.at(rep + 0.3), 2.0, nod=2.0, cock=12.0 * beat.sign)
        trunk(score, beat.at(rep + 0.7), 2.0, nod=2.0, cock=12.0 * beat.sign)
        both_arms(score, beat.at(rep + 1.0) + 0.5 * beat.tail, rest_arm(score))
    lean(score, beat, beat.at(0.4), ahead=-0.015)
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("cross_arms", 0.8, 1.2, 0.0, 1, holds=True, upper=True)
def cross_arms(score: Score, beat: Beat) -> None:
    """Forearms folded before the chest, one over the other, weight on one hip."""
    over = reach(-0.20, -0.20, 0.25, (0.8, -1.0, 0.1), pronation=35.0)
    under = reach(-0.20, -0.25, 0.19, (0.8, -1.0, 0.1), pronation=20.0)
    way = reach(0.10, -0.22, 0.34, (0.7, -1.0, 0.0), pronation=20.0)
    for side, pose in ((beat.side, over), (OTHER[beat.side], under)):
        score.arm(beat.start + 0.45 * beat.lead, side, way)
        score.arm(beat.at(0.0), side, pose)
        score.arm(beat.end, side, pose)
    trunk(score, beat.at(0.0), -4.0, nod=-2.0, cock=4.0 * beat.sign)
    trunk(score, beat.end, -4.0, nod=-2.0, cock=-3.0 * beat.sign)
    lean(score, beat, beat.at(0.0), left=0.035 * beat.sign)
    lean(score, beat, beat.end, left=0.03 * beat.sign)


@move("hands_on_hips", 0.7, 1.2, 0.0, 1, holds=True, upper=True)
def hands_on_hips(score: Score, beat: Beat) -> None:
    """Hands on the crests of the pelvis, elbows wide."""
    hips = reach(0.06, -0.42, 0.02, (1.0, 0.1, -0.5), pronation=40.0, flex=35.0)
    way = reach(0.18, -0.42, 0.10, (1.0, 0.0, -0.6), pronation=30.0)
    for side in beat.sides if beat.action.side else SIDES:
        score.arm(beat.start + 0.5 * beat.lead, side, way)
        score.arm(beat.at(0.0), side, hips)
        score.arm(beat.end, side, hips)
    trunk(score, beat.at(0.0), -5.0, nod=-4.0, look=6.0 * beat.sign)
    trunk(score, beat.end, -5.0, nod=-4.0, look=-5.0 * beat.sign)
    lean(score, beat, beat.at(0.0), left=0.03 * beat.sign)
    lean(score, beat, beat.end, left=0.035 * beat.sign)


@move("talk", 0.4, 1.1, 0.4, 2, repeats=True, upper=True)
def talk(score: Score, beat: Beat) -> None:
    """Hands that speak: they open, weigh and set points, another way each time."""
    choices = [
        (reach(0.12, -0.20, 0.30, (0.6, -1.0, -0.4), pronation=-45.0), 1.0),
        (reach(0.02, -0.14, 0.32, (0.8, -0.9, -0.3), pronation=15.0), 0.0),
        (reach(0.24, -0.16, 0.26, (0.6, -1.0, -0.5), pronation=-60.0), 1.0),
        (reach(-0.02, -0.24, 0.30, (0.8, -0.9, -0.4), pronation=50.0), 0.6),
        (reach(0.06, -0.05, 0.30, (0.8, -0.9, -0.2), pronation=5.0), 0.0),
    ]
    home = reach(0.0, -0.28, 0.26, (0.7, -0.9, -0.6), pronation=20.0)
    for rep in range(beat.reps):
        pose, shared = choices[int(beat.rng.integers(len(choices)))]
        lead_side = beat.side if beat.rng.random() < 0.65 else OTHER[beat.side]
        pose = mix(home, pose, min(1.1, beat.size))
        for side in SIDES:
            own = pose if side == lead_side else mix(home, pose, shared)
            score.arm(beat.at(rep + 0.3), side, own)
            score.arm(beat.at(rep + 0.5), side, mix(own, home, 0.35))
            score.arm(beat.at(rep + 0.68), side, own)
            score.arm(beat.at(rep + 1.0), side, home)
        aside = float(beat.rng.uniform(-9.0, 9.0))
        trunk(score, beat.at(rep + 0.35), 4.0, aside, nod=5.0, look=aside, cock=0.5 * aside)
        trunk(score, beat.at(rep + 0.8), 1.0, 0.4 * aside, nod=-3.0, look=0.3 * aside)
        lean(score, beat, beat.at(rep + 0.5), ahead=0.02, left=0.002 * aside)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("laugh", 0.4, 0.34, 0.5, 5, repeats=True, upper=True)
def laugh(score: Score, beat: Beat) -> None:
    """A hand on the belly, head thrown back, then shaking forward."""
    belly = reach(-0.12, -0.34, 0.20, (0.9, -0.6, -0.3), pronation=10.0, flex=15.0)
    loose = reach(0.12, -0.44, 0.12, (0.8, -0.5, -0.8), pronation=20.0)
    score.arm(beat.at(0.0), beat.side, belly)
    score.arm(beat.out, beat.side, belly)
    score.arm(beat.at(0.0), OTHER[beat.side], loose)
    for time, bend, head in (
        (beat.at(0.0), -10.0, -22.0),
        (beat.at(0.45 * beat.reps), 12.0, -4.0),
        (beat.at(0.75 * beat.reps), 22.0, 10.0),
        (beat.out, 10.0, -6.0),
    ):
        trunk(score, time, bend * min(beat.size, 1.3), 0.0, 3.0 * beat.sign, nod=head)
        lean(score, beat, time, ahead=-0.002 * bend, dip=0.012)
    score.wave("sx", 3.2 * beat.size * beating(score, beat))
    score.wave("hx", 3.5 * beat.size * beating(score, beat, 1.0))
    for side in SIDES:
        score.wave(f"{side}.sh", 6.0 * beat.size * beating(score, beat, 0.4))
        score.arm(beat.done, side, rest_arm(score))
    trunk(score, beat.done)
    lean(score, beat, beat.done)


@move("cry", 0.8, 0.5, 0.6, 4, repeats=True, upper=True)
def cry(score: Score, beat: Beat) -> None:
    """Face in the hands, shoulders shaking, eyes wiped in turn."""
    face = reach(-0.125, 0.0, 0.185, (0.6, -1.0, 0.1), pronation=-10.0, flex=8.0)
    wipe = reach(-0.10, 0.03, 0.20, (0.6, -1.0, 0.1), pronation=-10.0, flex=20.0)
    both_arms(score, beat.at(0.0), face)
    for rep in range(beat.reps):
        own = beat.sides if rep % 2 == 0 else (OTHER[beat.side],)
        for side in own:
            score.arm(beat.at(rep + 0.5), side, wipe)
            score.arm(beat.at(rep + 1.0), side, face)
    both_arms(score, beat.done, rest_arm(score))
    trunk(score, beat.at(0.0), 16.0, nod=22.0)
    trunk(score, beat.at(0.6 * beat.reps), 22.0, nod=27.0, cock=4.0 * beat.sign)
    trunk(score, beat.out, 16.0, nod=20.0)
    trunk(score, beat.done)
    lean(score, beat, beat.at(0.0), dip=0.02)
    lean(score, beat, beat.done)
    score.wave("sx", 2.6 * beating(score, beat))
    for side in SIDES:
        score.wave(f"{side}.sh", 5.0 * beating(score, beat, 0.5, 2.0))
