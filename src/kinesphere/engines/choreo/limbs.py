"""Two-bone inverse kinematics for arms and legs."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from kinesphere.engines.choreo.rotation import cross, norm, unit
from kinesphere.formats.clip import Floats

SOFT: Final = 0.98
"""Share of the limb's length above which it is approached, never reached: a straight limb has an
unbounded joint speed, which shows as a jerk spike at every step."""


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """A solved limb, all in the world.

    Attributes:
        upper: (..., 3) unit direction of the first bone.
        lower: (..., 3) unit direction of the second.
        hinge: (..., 3) unit axis about which the middle joint flexes.
        flexion: (...) degrees.
        end: (..., 3) m, where the last joint came to lie.
    """

    upper: Floats
    lower: Floats
    hinge: Floats
    flexion: Floats
    end: Floats


def soft_length(distance: Floats, length: float) -> Floats:
    """Distance, bent to stay under `length` from SOFT of it upwards, with a continuous slope."""
    start = SOFT * length
    room = length - start
    over = np.maximum(distance - start, 0.0)
    return np.where(distance > start, start + room * (1.0 - np.exp(-over / room)), distance)


def two_bone(
    root: Floats, target: Floats, pole: Floats, first: float, second: float, *, most: float
) -> Limb:
    """Reach for a target with a hinged limb.

    Args:
        root: (..., 3) m, hip or shoulder.
        target: (..., 3) m, ankle or wrist.
        pole: (..., 3) direction to which the knee or elbow points; need not be perpendicular.
        first: Length of the first bone, m.
        second: Length of the second bone, m.
        most: Largest flexion, degrees.
    """
    line = target - root
    distance = norm(line)
    shortest = np.sqrt(first**2 + second**2 + 2.0 * first * second * np.cos(np.radians(most)))
    length = np.maximum(soft_length(distance, first + second), shortest)
    axis = line / np.maximum(distance, 1e-9)[..., None]
    hinge = unit(cross(pole, axis))
    across = cross(axis, hinge)
    cosine = (first**2 + length**2 - second**2) / (2.0 * first * length)
    sine = np.sqrt(np.maximum(0.0, 1.0 - cosine**2))
    upper = cosine[..., None] * axis + sine[..., None] * across
    end = root + length[..., None] * axis
    lower = unit(end - root - first * upper)
    inner = (first**2 + second**2 - length**2) / (2.0 * first * second)
    flexion = 180.0 - np.degrees(np.arccos(np.clip(inner, -1.0, 1.0)))
    return Limb(upper, lower, hinge, flexion, end)
