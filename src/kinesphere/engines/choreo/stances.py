"""Postures that actions begin and end in, and the ways between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kinesphere.engines.choreo.arms import HANG, Arm, reach
from kinesphere.engines.choreo.channels import REST, SIDES, STANDING, arm_values, group
from kinesphere.engines.choreo.score import OTHER, SIGN, Score


@dataclass(frozen=True, slots=True)
class Stance:
    """A posture, seen from the place where the figure stands.

    Attributes:
        height: Of the pelvis, m.
        ahead: How far the pelvis is ahead of the place, m.
        body: Channels that differ from REST.
        arms: Pose of the arms when nothing else is asked.
        feet: Of the active and of the other side: ahead (m), left outwards (m), pitch (degrees).
        free: Channels of both legs where they do not stand on the ground, with their weight.
        hands: Where both hands rest on the ground, ahead and outwards of the pelvis, m.
    """

    height: float = STANDING
    ahead: float = 0.0
    body: Mapping[str, float] = field(default_factory=dict)
    arms: Arm = HANG
    feet: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    )
    free: Mapping[str, float] = field(default_factory=dict)
    hands: tuple[float, float] | None = None


ON_THIGHS: Final = reach(0.0, -0.37, 0.27, (0.7, -0.5, -0.6), pronation=55.0, flex=-5.0)
ON_KNEES: Final = reach(-0.02, -0.24, 0.38, (0.8, -0.6, -0.2), pronation=50.0, flex=20.0)
BESIDE: Final = reach(0.2, -0.47, -0.02, (1.0, 0.0, -0.3), pronation=45.0)
LOW: Final = reach(0.06, -0.42, 0.22, (0.7, -0.4, -0.7), pronation=30.0)
PLANTED: Final = reach(0.0, 0.1, 0.5, (0.8, -0.6, -0.3), flex=-60.0)

STANCES: Final[Mapping[str, Stance]] = {
    "stand": Stance(),
    "crouch": Stance(
        0.46, -0.06, {"pitch": 22.0, "sx": 26.0, "hx": -30.0}, ON_KNEES,
        ((0.02, 0.03, 0.0), (-0.02, 0.03, 0.0)),
    ),
    "kneel": Stance(
        0.515, -0.04, {"pitch": 2.0, "sx": 2.0}, LOW,
        ((-0.545, 0.0, 80.0), (0.335, 0.02, 0.0)),
    ),
    "kneel_both": Stance(
        0.515, 0.12, {"pitch": -2.0, "sx": 2.0}, LOW,
        ((-0.405, 0.0, 80.0), (-0.405, 0.0, 80.0)),
    ),
    "sit": Stance(
        0.53, -0.38, {"pitch": -3.0, "sx": 5.0}, ON_THIGHS, ((0.0, 0.03, 0.0), (0.0, 0.03, 0.0))
    ),
    "sit_floor": Stance(
        0.10, -0.60, {"pitch": -16.0, "sx": 30.0, "hx": -8.0}, ON_KNEES,
        ((0.0, 0.03, 0.0), (0.0, 0.03, 0.0)),
    ),
    "lie": Stance(
        0.10, -0.90, {"pitch": -90.0}, BESIDE, ((0.0, 0.02, 0.0), (0.0, 0.02, 0.0)),
        {"f1": -2.0, "f2": 6.0, "f3": 15.0, "f4": 4.0, "f5": -28.0},
    ),
    "fours": Stance(
        0.50, 0.12, {"pitch": 62.0, "sx": 18.0, "hx": -22.0}, PLANTED,
        ((-0.405, 0.0, 82.0), (-0.405, 0.0, 82.0)), {}, (0.44, 0.0),
    ),
    "plank": Stance(
        0.40, 0.12, {"pitch": 70.0, "sx": 0.0, "hx": -25.0}, PLANTED,
        ((-0.86, -0.02, 55.0), (-0.86, -0.02, 55.0)), {}, (0.48, 0.03),
    ),
}  # fmt: skip

WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "stand": ("crouch", "kneel", "kneel_both", "sit", "sit_floor"),
    "crouch": ("stand",),
    "kneel": ("stand", "kneel_both"),
    "kneel_both": ("stand", "fours", "kneel"),
    "sit": ("stand",),
    "sit_floor": ("stand", "lie"),
    "lie": ("sit_floor",),
    "fours": ("kneel_both", "plank"),
    "plank": ("fours",),
}
"""From each stance the ones that one movement leads to."""

SECONDS: Final[Mapping[str, float]] = {
    "stand": 1.0, "crouch": 0.7, "kneel": 1.3, "kneel_both": 1.3, "sit": 1.2, "sit_floor": 1.4,
    "lie": 1.1, "fours": 0.9, "plank": 1.0,
}  # fmt: skip
"""Natural time to come into a stance from its neighbour, s."""


def way(start: str, goal: str) -> list[str]:
    """The stances to pass from one to another, the goal included, the start not; shortest."""
    paths = [[start]]
    seen = {start}
    while paths:
        path = paths.pop(0)
        if path[-1] == goal:
            return path[1:]
        for step in WAYS[path[-1]]:
            if step not in seen:
                seen.add(step)
                paths.append([*path, step])
    raise KeyError(goal)


def rest_of(stance: str) -> dict[str, float]:
    """The channels of trunk, head and arms when nothing else is asked in a stance."""
    chosen = STANCES[stance]
    values = {name: value for name, value in REST.items() if group(name) in _UPPER_GROUPS}
    for side in SIDES:
        values |= arm_values(side, chosen.arms)
    return values | dict(chosen.body)


_UPPER_GROUPS: Final = ("trunk", "head", "l.arm", "r.arm")


def enter(score: Score, goal: str, start: float, end: float, side: str = "r") -> None:
    """Write the movement from the score's stance to a neighbouring one."""
    origin, target = score.stance, STANCES[goal]
    score.open(start)
    if goal == "kneel":
        score.low_side = side
    low = score.low_side
    span = end - start
    _move_feet(score, origin, goal, low, start, span=span)
    _pass_over(score, origin, goal, start, span)
    score.root(end, target.ahead, y=target.height)
    for name in ("pitch", "roll", "twist"):
        score.key(end, {name: float(target.body.get(name, 0.0))})
    score.key(end, rest_of(goal))
    for limb in SIDES:
        if target.hands is None:
            if score.last(f"{limb}.ww") > 0.0:
                score.limb(start + 0.35 * span, limb, ww=0.0)
        else:
            ahead, out = target.hands
            aside = SIGN[limb] * (0.18 + out)
            if score.last(f"{limb}.ww") == 0.0:
                score.hand(start, limb, target.ahead + ahead, aside, 0.07, weight=0.0)
            score.hand(start + 0.75 * span, limb, target.ahead + ahead, aside, 0.07)
    score.stance = goal


def _move_feet(
    score: Score, origin: str, goal: str, low: str, start: float, *, span: float
) -> None:
    target = STANCES[goal]
    if target.free:
        for limb in SIDES:
            _lay_leg(
                score, limb, start, start + span, dict(target.free), pitch=target.body["pitch"]
            )
        return
    if STANCES[origin].free:
        for limb in SIDES:
            score.limb(start + span, limb, f1=90.0 + target.body.get("pitch", 0.0))
    rising = goal in ("stand", "crouch")
    order = (low, OTHER[low]) if not rising else (OTHER[low], low)
    for turn_number, limb in enumerate(order):
        ahead, out, pitch = target.feet[0 if limb == low else 1]
        if score.last(f"{limb}.fw") > 0.0:
            score.limb(start + 0.8 * span, limb, fw=0.0)
        begin = start + (0.04 + 0.36 * turn_number) * span
        if rising:
            begin = start + (0.1 + 0.45 * turn_number) * span
        stop = begin + 0.4 * span
        x, z = score.world(0.075 + ahead, SIGN[limb] * (0.1 + out))
        foot = score.feet[limb]
        if abs(foot.x - x) + abs(foot.z - z) > 0.03:
            low_lift = 0.07 if goal in ("fours", "plank") or origin in ("fours", "plank") else 0.09
            score.step(limb, begin, stop, ahead, SIGN[limb] * out, lift=low_lift)
        score.limb(max(stop, start + 0.7 * span) if pitch else stop, limb, fp=pitch)


def _lay_leg(
    score: Score, limb: str, start: float, end: float, values: dict[str, float], *, pitch: float
) -> None:
    """Take a leg from the ground to lying on it while the trunk goes back to `pitch`.

    The hip opens as the pelvis tips, so that the leg stays level all the way.
    """
    first = values | {"f1": 90.0 + score.last("pitch")}
    score.limb(start, limb, fw=0.0, **first)
    score.limb(end, limb, fw=1.0, **(values | {"f1": 90.0 + pitch + values["f1"]}))


def _pass_over(score: Score, origin: str, goal: str, start: float, span: float) -> None:
    """Lean and reach on the way, which carries the weight over the feet."""
    here, there = STANCES[origin], STANCES[goal]
    middle = start + 0.5 * span
    ahead = 0.5 * (here.ahead + there.ahead)
    pair = {origin, goal}
    if pair == {"stand", "sit"}:
        score.root(middle, ahead - 0.02, y=0.72, pitch=24.0, sx=26.0, hx=-22.0)
        _both(score, middle, reach(0.05, -0.33, 0.3, (0.6, -0.6, -0.6), pronation=40.0))
    elif pair == {"stand", "sit_floor"}:
        score.root(middle, -0.27, y=0.52, pitch=-2.0, sx=52.0, hx=-30.0)
        _both(score, middle, reach(0.05, -0.05, 0.46, (0.6, -0.8, 0.0), pronation=50.0))
    elif pair == {"sit_floor", "lie"}:
        score.root(middle, -0.76, y=0.10, pitch=-53.0, sx=32.0, hx=22.0)
    elif pair == {"fours", "plank"}:
        score.root(middle, 0.06, y=0.66, pitch=66.0)
    elif pair == {"stand", "kneel"}:
        score.root(middle, 0.5 * ahead, y=0.78, pitch=10.0, sx=12.0, hx=6.0)
    elif pair == {"stand", "kneel_both"}:
        score.root(middle, 0.04, y=0.74, pitch=12.0, sx=12.0, hx=-6.0)


def _both(score: Score, time: float, arm: Arm) -> None:
    for side in SIDES:
        score.arm(time, side, arm)
