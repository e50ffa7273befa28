"""Joint limits, enforced by swing and twist.

Ranges are degrees after the American Academy of Orthopaedic Surgeons' listings, those of neck and
trunk for the chain as a whole. Each joint is clamped in the frame of a left limb.
"""

from typing import Final

import numpy as np

from kinesphere.engines.choreo.rotation import cross, from_quaternion, from_vector, to_quaternion
from kinesphere.formats.clip import Floats

SLACK: Final = 8.0
"""Degrees beyond the listed range that a supple body is allowed."""
MIRROR: Final = np.diag([-1.0, 1.0, 1.0])


def clamp(rotation: Floats) -> None:
    """Bring the rotations (T, 22, 3, 3) of hips, ankles and wrists into range, in place.

    Knees and elbows are hinges by construction; the rig bounds trunk and neck as channels.
    """
    for left, right in ((1, 2), (7, 8), (20, 21)):
        limit = {1: _hips, 7: _ankles, 20: _wrists}[left]
        rotation[:, left] = limit(rotation[:, left])
        rotation[:, right] = MIRROR @ limit(MIRROR @ rotation[:, right] @ MIRROR) @ MIRROR


def _swing_twist(rotation: Floats, bone: int, sign: float) -> tuple[Floats, Floats]:
    """Swing (T, 3) as a rotation vector and twist (T,) about a signed axis, both in degrees.

    The rotation is swing after twist, as `_rebuild` composes it.
    """
    quaternion = to_quaternion(rotation)
    half = np.arctan2(sign * quaternion[:, 1 + bone], quaternion[:, 0])
    half = np.where(half > np.pi / 2, half - np.pi, np.where(half < -np.pi / 2, half + np.pi, half))
    twist = np.zeros_like(quaternion)
    twist[:, 0] = np.cos(half)
    twist[:, 1 + bone] = -sign * np.sin(half)
    w1, w2 = quaternion[:, :1], twist[:, :1]
    v1, v2 = quaternion[:, 1:], twist[:, 1:]
    w = w1 * w2 - np.sum(v1 * v2, axis=-1, keepdims=True)
    v = w1 * v2 + w2 * v1 + cross(v1, v2)
    v = np.where(w < 0.0, -v, v)
    sine = np.linalg.norm(v, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, np.abs(w))
    return np.degrees(v * angle / np.maximum(sine, 1e-12)), np.degrees(2.0 * half)


def _rebuild(swing: Floats, twist: Floats, bone: int, sign: float) -> Floats:
    quaternion = np.zeros((len(twist), 4))
    half = np.radians(twist) / 2.0
    quaternion[:, 0] = np.cos(half)
    quaternion[:, 1 + bone] = sign * np.sin(half)
    return from_vector(np.radians(swing)) @ from_quaternion(quaternion)


def within(angle: Floats, least: float, most: float) -> Floats:
    """An angle (T,) kept in a range, and SLACK beyond it, bent over the last degrees, not cut."""
    low, high = least - SLACK, most + SLACK
    knee = 6.0
    over = np.maximum(angle - (high - knee), 0.0)
    under = np.maximum((low + knee) - angle, 0.0)
    return np.asarray(
        angle - over + knee * (1.0 - np.exp(-over / knee)) + under
        - knee * (1.0 - np.exp(-under / knee))
    )  # fmt: skip


def _hips(rotation: Floats) -> Floats:
    swing, twist = _swing_twist(rotation, 1, -1.0)
    kept = swing.copy()
    kept[:, 0] = -within(-swing[:, 0], -30.0, 125.0)
    upright = np.clip(1.0 - np.abs(swing[:, 0]) / 60.0, 0.0, 1.0)
    kept[:, 2] += upright * (within(swing[:, 2], -25.0, 45.0) - swing[:, 2])
    turned = within(twist, -60.0, 45.0)
    return _changed(rotation, kept, turned, swing, twist, bone=1, sign=-1.0)


def _ankles(rotation: Floats) -> Floats:
    swing, twist = _swing_twist(rotation, 2, 1.0)
    kept = swing.copy()
    kept[:, 0] = -within(-swing[:, 0], -50.0, 20.0)
    kept[:, 1] = within(swing[:, 1], -35.0, 35.0)
    turned = -within(-twist, -25.0, 35.0)
    return _changed(rotation, kept, turned, swing, twist, bone=2, sign=1.0)


def _wrists(rotation: Floats) -> Floats:
    swing, twist = _swing_twist(rotation, 0, 1.0)
    kept = swing.copy()
    kept[:, 2] = -within(-swing[:, 2], -70.0, 80.0)
    kept[:, 1] = -within(-swing[:, 1], -45.0, 20.0)
    return _changed(rotation, kept, twist, swing, twist, bone=0, sign=1.0)


def _changed(
    rotation: Floats,
    kept: Floats,
    turned: Floats,
    swing: Floats,
    twist: Floats,
    *,
    bone: int,
    sign: float,
) -> Floats:
    """The clamped rotation where something had to be clamped, the very same elsewhere."""
    at_fault = (np.abs(kept - swing).max(axis=1) + np.abs(turned - twist)) > 1e-6
    if not at_fault.any():
        return rotation
    out = rotation.copy()
    out[at_fault] = _rebuild(kept[at_fault], turned[at_fault], bone, sign)
    return out
