"""The scalar channels that describe a posture, and their values at rest.

Lengths in metres, angles in degrees. Channels of a limb carry its side as prefix, `l.` or `r.`,
and are written for the left one: the rig mirrors the right.
"""

from collections.abc import Mapping
from typing import Final

from kinesphere.engines.choreo.arms import HANG, Arm
from kinesphere.formats.clip import Floats

STANDING: Final = 0.945
"""Height of the pelvis of a figure that stands at ease, knees not locked."""

ROOT: Final = ("x", "y", "z", "heading", "pitch", "roll", "twist")
"""Place of the pelvis in the world; heading and twist turn left, pitch goes forward, roll right."""

TRUNK: Final = ("sx", "sy", "sz")
"""Spine: bend forward, twist left, lean (positive to the right)."""

HEAD: Final = ("hx", "hy", "hz")
"""Neck and head: nod down, turn left, tilt right."""

ARM: Final = ("a1", "a2", "a3", "el", "pr", "wf", "wd", "sh")
"""The fields of `Arm`: shoulder turn, elbow, pronation, flex, deviation, shrug."""

ARM_EXTRA: Final = ("swing", "open", "wx", "wy", "wz", "ww")
"""Whole arm swung ahead and opened outwards; wrist target in the world and its weight."""

LEG: Final = ("f1", "f2", "f3", "f4", "f5", "fw", "ko", "fp")
"""Free leg: hip flexion, abduction, turn out, knee, ankle (toes up), and its weight against the
planned foot; the knee's swing outwards; the planned foot's pitch (heel up)."""

SIDES: Final = ("l", "r")

Channels = Mapping[str, Floats]
"""All channels over time, each (T,)."""

JOINTS: Final = {
    "l": {"hip": 1, "knee": 4, "ankle": 7, "toe": 10, "collar": 13, "shoulder": 16, "elbow": 18,
          "wrist": 20},
    "r": {"hip": 2, "knee": 5, "ankle": 8, "toe": 11, "collar": 14, "shoulder": 17, "elbow": 19,
          "wrist": 21},
}  # fmt: skip
"""Joint indices of either side."""


def arm_values(side: str, arm: Arm) -> dict[str, float]:
    """The channels that hold one arm in a pose."""
    fields = (*arm.turn, arm.elbow, arm.pronation, arm.flex, arm.deviation, arm.shrug)
    return {f"{side}.{name}": value for name, value in zip(ARM, fields, strict=True)}


def _rest() -> dict[str, float]:
    rest = dict.fromkeys((*ROOT, *TRUNK, *HEAD), 0.0)
    rest["y"] = STANDING
    for side in SIDES:
        rest |= arm_values(side, HANG)
        rest |= dict.fromkeys((f"{side}.{name}" for name in (*ARM_EXTRA, *LEG)), 0.0)
    return rest


REST: Final[Mapping[str, float]] = _rest()
"""Standing at ease."""

UPPER: Final = frozenset([*TRUNK, *HEAD, *(f"{s}.{n}" for s in SIDES for n in (*ARM, *ARM_EXTRA))])
"""What an overlaid action may move."""


def group(channel: str) -> str:
    """Which part of the body a channel moves: l.arm, r.arm, l.leg, r.leg, trunk, head, root."""
    side, _, name = channel.partition(".")
    if name:
        return f"{side}.leg" if name in LEG else f"{side}.arm"
    if side in TRUNK:
        return "trunk"
    return "head" if side in HEAD else "root"
