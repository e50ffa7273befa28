"""What each style does to posture, tempo and size of movement."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Style:
    """Manner of moving; the defaults are neutral.

    Attributes:
        tempo: Factor on speed.
        size: Factor on amplitudes.
        bend: Forward bend of the spine, degrees.
        nod: Head down, degrees.
        drop: How much the pelvis hangs lower, m: bent knees.
        shrug: Raised shoulders, degrees.
        elbow: Added elbow flexion, degrees.
        open: Arms held away from the body, degrees.
        swing: Factor on the arms' swing.
        step: Factor on step length.
        bounce: Factor on the rise and fall of a gait.
        sway: Factor on the sideways sway of a gait.
        wide: Added half distance of the feet, m.
        heel: Heels off the ground, degrees.
        reel: Slow unsteady sway of the whole body, degrees.
        tremble: Quick small shaking, degrees.
        stepped: 1 where the upper body moves in jerks with stops between, 0 where it flows.
    """

    tempo: float = 1.0
    size: float = 1.0
    bend: float = 0.0
    nod: float = 0.0
    drop: float = 0.0
    shrug: float = 0.0
    elbow: float = 0.0
    open: float = 0.0
    swing: float = 1.0
    step: float = 1.0
    bounce: float = 1.0
    sway: float = 1.0
    wide: float = 0.0
    heel: float = 0.0
    reel: float = 0.0
    tremble: float = 0.0
    stepped: float = 0.0


NEUTRAL: Final = Style()

MANNERS: Final = {
    "tired": Style(0.72, 0.7, 20, 20, 0.03, -4, -4, -2, 0.35, 0.75, 0.9, 1.3),
    "angry": Style(1.25, 1.2, 9, 8, 0.015, 9, 34, 13, 1.25, 1.12, 1.1, 0.8),
    "happy": Style(1.12, 1.15, -6, -8, 0.0, 2, 14, 8, 1.35, 1.05, 1.8, 1.2),
    "sad": Style(0.75, 0.72, 15, 26, 0.01, -2, 0, -2, 0.35, 0.75, 0.6, 0.9),
    "drunk": Style(0.82, 1.0, 6, 8, 0.03, -3, 8, 12, 1.2, 0.8, 1.0, 2.2, 0.05, 0, 6.0),
    "sneaky": Style(0.7, 0.8, 22, -14, 0.1, 5, 55, 6, 0.5, 0.85, 0.5, 0.8),
    "proud": Style(0.92, 1.05, -9, -10, 0.0, -3, 6, 9, 1.0, 1.05, 0.9, 0.8),
    "old": Style(0.62, 0.65, 28, -12, 0.055, 4, 28, 2, 0.4, 0.55, 0.6, 1.0, 0.02, 0, 1.2, 0.5),
    "robotic": Style(0.85, 1.0, -2, 0, 0.0, 0, 40, 4, 0.8, 0.85, 0.15, 0.3, 0, 0, 0, 0, 1.0),
    "scared": Style(1.15, 0.8, 15, -4, 0.055, 15, 62, 2, 0.4, 0.75, 0.7, 0.8, 0, 0, 0, 1.2),
    "graceful": Style(0.85, 1.12, -4, -4, -0.005, -4, 8, 13, 1.1, 1.0, 0.9, 1.1, -0.02, 8),
    "heavy": Style(0.78, 1.05, 7, 6, 0.035, 0, 10, 15, 0.9, 0.9, 1.6, 1.9, 0.05),
    "light": Style(1.1, 1.0, -3, -5, -0.008, 0, 10, 6, 1.0, 0.95, 1.3, 0.8, -0.01, 14),
    "childlike": Style(1.2, 1.2, -2, -6, 0.0, 3, 12, 14, 1.6, 0.85, 2.2, 1.5),
    "cool": Style(0.84, 0.95, -7, -5, 0.015, -3, 6, 5, 0.8, 1.0, 1.3, 2.0, 0.015),
    "nervous": Style(1.14, 0.8, 8, 8, 0.01, 9, 48, -1, 0.5, 0.75, 0.8, 0.9, -0.01, 0, 0, 0.9),
}  # fmt: skip
"""One manner for each member of STYLES."""

FACTORS: Final = frozenset({"tempo", "size", "swing", "step", "bounce", "sway"})


def style_of(names: Sequence[str]) -> Style:
    """The manner that these styles make together: the first counts in full, the others half."""
    values = {field.name: getattr(NEUTRAL, field.name) for field in fields(Style)}
    for place, name in enumerate(names):
        weight = 1.0 if place == 0 else 0.5
        manner = MANNERS[name]
        for key in values:
            other = getattr(manner, key)
            if key in FACTORS:
                values[key] *= other**weight
            else:
                values[key] += weight * other
    return Style(**values)
