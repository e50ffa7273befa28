"""Poses of one arm, written as where the hand is and solved once into angles.

Coordinates are those of the left arm in the chest's frame, metres from the shoulder joint:
`out` away from the body, `up`, `ahead`. The right arm is the mirror image.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from kinesphere.engines.choreo.rotation import to_vector, unit
from kinesphere.formats.clip import STANDARD, Floats

UPPER: Final = float(STANDARD.offsets[18, 0])
FORE: Final = float(STANDARD.offsets[20, 0])


def _frame(upper: Floats, hinge: Floats) -> Floats:
    return np.stack([upper, -hinge, np.cross(hinge, upper)], axis=-1)


REFERENCE: Final = _frame(
    unit(np.array([0.5, -0.45, 0.75])),
    unit(np.cross(np.array([0.5, -0.45, 0.75]), np.array([-0.5, 0.5, 0.7]))),
)
"""Shoulder rotation that every arm pose is measured from: half raised, half out, so that no pose
comes near the half turn at which rotation vectors are ambiguous."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Angles of one arm.

    Attributes:
        turn: Rotation vector (rad) of the shoulder from REFERENCE.
        elbow: Flexion, degrees.
        pronation: Turn of the hand about the forearm, degrees, thumb inward and down positive.
        flex: Wrist bend to the palm's side, degrees.
        deviation: Wrist bend to the thumb's side, degrees.
        shrug: Rise of the collar bone, degrees.
    """

    turn: tuple[float, float, float]
    elbow: float
    pronation: float = 0.0
    flex: float = 0.0
    deviation: float = 0.0
    shrug: float = 0.0

    def but(self, **changes: float) -> "Arm":
        """The same arm with other angles of the hand, elbow or collar bone."""
        return replace(self, **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def reach(
    out: float,
    up: float,
    ahead: float,
    pole: tuple[float, float, float] = (0.35, -1.0, -0.45),
    pronation: float = 0.0,
    *,
    flex: float = 0.0,
    deviation: float = 0.0,
    shrug: float = 0.0,
) -> Arm:
    """The arm whose wrist is at (out, up, ahead), m from the shoulder, the elbow towards `pole`.

    A target beyond the arm's length gives an almost straight arm in its direction.
    """
    target = np.array([out, up, ahead])
    length = float(np.clip(np.linalg.norm(target), 0.16, 0.992 * (UPPER + FORE)))
    axis = unit(target)
    hinge = unit(np.cross(np.array(pole), axis))
    side = np.cross(axis, hinge)
    cosine = (UPPER**2 + length**2 - FORE**2) / (2.0 * UPPER * length)
    upper = cosine * axis + np.sqrt(max(0.0, 1.0 - cosine**2)) * side
    inner = (UPPER**2 + FORE**2 - length**2) / (2.0 * UPPER * FORE)
    elbow = 180.0 - float(np.degrees(np.arccos(np.clip(inner, -1.0, 1.0))))
    turn = to_vector(_frame(upper, hinge) @ REFERENCE.T)
    return Arm((turn[0], turn[1], turn[2]), elbow, pronation, flex, deviation, shrug)


def mix(first: Arm, second: Arm, share: float) -> Arm:
    """Between two arms: 0 is the first, 1 the second."""
    a = (*first.turn, first.elbow, first.pronation, first.flex, first.deviation, first.shrug)
    b = (*second.turn, second.elbow, second.pronation, second.flex, second.deviation, second.shrug)
    c = [x + share * (y - x) for x, y in zip(a, b, strict=True)]
    return Arm((c[0], c[1], c[2]), *c[3:])


BACK: Final = (0.25, -0.2, -1.0)
"""Pole of a hanging arm: the elbow points back."""

HANG: Final = reach(0.055, -0.519, 0.055, BACK, pronation=15.0, flex=5.0)
"""Beside the body, relaxed."""
