"""Joint limits, enforced by swing and twist.

Ranges are degrees after the American Academy of Orthopaedic Surgeons' listings, those of neck and
trunk for the chain as a whole. Each joint is clamped in the frame of a left limb.
"""

from typing import Final

import numpy as np

from kinesphere.engines.choreo.rotation import (
    cross,
    dot,
    from_quaternion,
    from_vector,
    norm,
    to_quaternion,
)
from kinesphere.formats.clip import Floats

SLACK: Final = 8.0
"""Degrees beyond the listed range that a supple body is allowed."""
CLAMPED: Final = (1, 2, 7, 8, 20, 21)
"""Left and right hip, ankle and wrist."""
BONES: Final = np.array([1, 1, 2, 2, 0, 0])
"""The axis along which each one's bone lies at rest."""
SIGNS: Final = np.array([-1.0, -1.0, 1.0, 1.0, 1.0, 1.0])
"""Whether the bone points up or down its axis."""
ROWS: Final = np.arange(6)
MIRRORED: Final = np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
"""What mirroring in the plane x = 0 does to each entry of a rotation matrix."""


def clamp(rotation: Floats) -> None:
    """Bring the rotations (T, 22, 3, 3) of hips, ankles and wrists into range, in place.

    Knees and elbows are hinges by construction; the rig bounds trunk and neck as channels.
    """
    # All six joints are split at once, each pair's right one mirrored: few frames cost less than
    # the calls upon them.
    turns = np.ascontiguousarray(np.moveaxis(rotation[:, CLAMPED], 1, 0))
    turns[1::2] *= MIRRORED
    swing, twist = _swing_twist(turns)
    kept, turned = swing.copy(), twist.copy()
    _hips(kept[:2], turned[:2])
    _ankles(kept[2:4], turned[2:4])
    _wrists(kept[4:])
    at_fault = (np.abs(kept - swing).max(axis=2) + np.abs(turned - twist)) > 1e-6
    for row in np.flatnonzero(at_fault.any(axis=1)):
        frames = at_fault[row]
        inside = _rebuild(kept[row, frames], turned[row, frames], BONES[row], SIGNS[row])
        rotation[frames, CLAMPED[row]] = inside * MIRRORED if row % 2 else inside


def _swing_twist(rotation: Floats) -> tuple[Floats, Floats]:
    """Swing (6, T, 3) as a rotation vector and twist (6, T) about a signed axis, in degrees.

    The rotation is swing after twist, as `_rebuild` composes it.
    """
    quaternion = to_quaternion(rotation)
    along = quaternion[ROWS, :, 1 + BONES] * SIGNS[:, None]
    half = np.arctan2(along, quaternion[..., 0])
    half = np.where(half > np.pi / 2, half - np.pi, np.where(half < -np.pi / 2, half + np.pi, half))
    back = np.zeros_like(quaternion)
    back[..., 0] = np.cos(half)
    back[ROWS, :, 1 + BONES] = -SIGNS[:, None] * np.sin(half)
    w1, w2 = quaternion[..., :1], back[..., :1]
    v1, v2 = quaternion[..., 1:], back[..., 1:]
    w = w1 * w2 - dot(v1, v2)[..., None]
    v = w1 * v2 + w2 * v1 + cross(v1, v2)
    v = np.where(w < 0.0, -v, v)
    sine = norm(v)[..., None]
    angle = 2.0 * np.arctan2(sine, np.abs(w))
    return np.degrees(v * angle / np.maximum(sine, 1e-12)), np.degrees(2.0 * half)


def _rebuild(swing: Floats, twist: Floats, bone: int, sign: float) -> Floats:
    quaternion = np.zeros((len(twist), 4))
    half = np.radians(twist) / 2.0
    quaternion[:, 0] = np.cos(half)
    quaternion[:, 1 + bone] = sign * np.sin(half)
    return from_vector(np.radians(swing)) @ from_quaternion(quaternion)


def within(angle: Floats, least: float, most: float) -> Floats:
    """An angle (...) kept in a range, and SLACK beyond it, bent over the last degrees, not cut."""
    low, high = least - SLACK, most + SLACK
    knee = 6.0
    over = np.maximum(angle - (high - knee), 0.0)
    under = np.maximum((low + knee) - angle, 0.0)
    return np.asarray(
        angle - over + knee * (1.0 - np.exp(-over / knee)) + under
        - knee * (1.0 - np.exp(-under / knee))
    )  # fmt: skip


def _hips(swing: Floats, twist: Floats) -> None:
    upright = np.clip(1.0 - np.abs(swing[..., 0]) / 60.0, 0.0, 1.0)
    swing[..., 0] = -within(-swing[..., 0], -30.0, 125.0)
    swing[..., 2] += upright * (within(swing[..., 2], -25.0, 45.0) - swing[..., 2])
    twist[:] = within(twist, -60.0, 45.0)


def _ankles(swing: Floats, twist: Floats) -> None:
    swing[..., 0] = -within(-swing[..., 0], -50.0, 20.0)
    swing[..., 1] = within(swing[..., 1], -35.0, 35.0)
    twist[:] = -within(-twist, -25.0, 35.0)


def _wrists(swing: Floats) -> None:
    swing[..., 2] = -within(-swing[..., 2], -70.0, 80.0)
    swing[..., 1] = -within(-swing[..., 1], -45.0, 20.0)
