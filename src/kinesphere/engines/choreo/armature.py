"""The rig's arms: posed by angles, drawn to planted hands, kept out of trunk and ground."""

from typing import Final

import numpy as np

from kinesphere.engines.choreo.arms import FORE, REFERENCE, UPPER
from kinesphere.engines.choreo.channels import JOINTS, SIDES, Channels
from kinesphere.engines.choreo.limbs import two_bone
from kinesphere.engines.choreo.rotation import (
    about_x,
    about_y,
    about_z,
    carry,
    cross,
    dot,
    from_vector,
    to_vector,
    turn,
    unit,
)
from kinesphere.formats.clip import STANDARD, Floats

MIRRORED: Final = np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
"""What mirroring in the plane x = 0 does to each entry of a rotation matrix."""
TURNED: Final = np.stack([np.ones((3, 3)), MIRRORED])[:, None]
"""The same for the left and the right arm."""
FLIP: Final = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])[:, None]
"""What it does to their vectors."""
MOST_ELBOW: Final = 145.0
LEANING: Final = np.array([0.8, -1.0, -0.3])
"""Where the elbow of an arm that carries weight points, in the chest's frame."""


def bend_arms(channels: Channels, rotation: Floats, chest: Floats, collars: Floats) -> None:
    """Solve both arms and write their eight joints into `rotation` (T, 22, 3, 3).

    Both are solved as left arms, the right one mirrored.

    Args:
        channels: The posture.
        rotation: Filled in.
        chest: (T, 3, 3) world rotation of the chest.
        collars: (2, T, 3) m, world places of the left and right collar joints.
    """

    def both(name: str) -> Floats:
        return np.array([channels[f"l.{name}"], channels[f"r.{name}"]])

    vector = np.stack([both(f"a{axis}") for axis in (1, 2, 3)], axis=-1)
    shoulder = from_vector(vector) @ REFERENCE
    swing, opened = both("swing"), both("open")
    if swing.any() or opened.any():
        shoulder = about_z(opened) @ about_x(-swing) @ shoulder
    upper, hinge = shoulder[..., 0], -shoulder[..., 1]
    bend = np.radians(np.clip(both("el"), 4.0, MOST_ELBOW))[..., None]
    lower = np.cos(bend) * upper + np.sin(bend) * cross(hinge, upper)
    raised = np.degrees(np.arccos(np.clip(-upper[..., 1], -1.0, 1.0)))
    rise = both("sh") + 0.28 * np.maximum(raised - 75.0, 0.0)
    clavicle = about_z(np.clip(rise, -10.0, 32.0))
    base = clavicle @ STANDARD.offsets[16]
    free = wrist = base + UPPER * upper + FORE * lower
    weight = np.clip(both("ww"), 0.0, 1.0)[..., None]
    if weight.any():
        target = np.stack([both("wx"), both("wy"), both("wz")], axis=-1)
        local = turn(np.swapaxes(chest, -1, -2), target - collars) * FLIP
        wrist = (1.0 - weight) * wrist + weight * local
    offset = STANDARD.offsets[13]
    elbow = _outside(base + UPPER * upper + offset, 0.16, 0.14) - offset
    wrist = _outside(wrist + offset, 0.165, 0.165) - offset
    up = chest[:, 1, :] * FLIP
    height = collars[..., 1] + dot(up, wrist) - 0.04
    wrist = wrist + (0.5 * (np.sqrt(height * height + 4e-4) - height))[..., None] * up
    pole = _pole(elbow, base, free, wrist, weight)
    limb = two_bone(base, wrist, pole, UPPER, FORE, most=MOST_ELBOW)
    frame = np.stack([limb.upper, -limb.hinge, cross(limb.hinge, limb.upper)], axis=-1)
    fore = about_y(-limb.flexion)
    hand = about_x(both("pr")) @ about_y(-both("wd")) @ about_z(-both("wf"))
    leant = weight.any(axis=(1, 2))
    if leant.any():
        level = (chest * TURNED[leant]) @ frame[leant] @ fore[leant]
        hand[leant] = _flat_hand(hand[leant], level, weight[leant])
    for joint, turned in (
        ("collar", clavicle),
        ("shoulder", np.swapaxes(clavicle, -1, -2) @ frame),
        ("elbow", fore),
        ("wrist", hand),
    ):
        for side, mirrored in zip(SIDES, turned * TURNED, strict=True):
            rotation[:, JOINTS[side][joint]] = mirrored


def _outside(point: Floats, wide: float, deep: float) -> Floats:
    """Push points (..., 3) of the chest's frame out of the trunk, an upright elliptic cylinder."""
    across, along = point[..., 0] / wide, point[..., 2] / deep
    radius = np.hypot(across, along)
    height = np.clip((0.34 - np.abs(point[..., 1] + 0.10)) / 0.08, 0.0, 1.0)
    kept = 0.5 * (radius + 1.0 + np.sqrt((radius - 1.0) ** 2 + 0.004))
    scale = 1.0 + height * (kept / np.maximum(radius, 0.15) - 1.0)
    return point * np.stack([scale, np.ones_like(scale), scale], axis=-1)


def _pole(elbow: Floats, base: Floats, free: Floats, wrist: Floats, weight: Floats) -> Floats:
    """Where the elbow points: as posed, carried along to the wrist's target, or as it leans."""
    posed, axis = unit(free - base), unit(wrist - base)
    aside = elbow - base
    aside = unit(aside - dot(aside, posed)[..., None] * posed)
    carried = carry(posed, axis, aside)
    leaning = np.broadcast_to(LEANING, axis.shape)
    leaning = unit(leaning - dot(leaning, axis)[..., None] * axis)
    return (1.0 - weight) * carried + weight * leaning


def _flat_hand(hand: Floats, fore: Floats, weight: Floats) -> Floats:
    """Bend the wrist back where it is planted, until the hand lies level on the ground."""
    fingers, back = fore[..., 1, 0], fore[..., 1, 1]
    level = np.degrees(np.arctan2(-fingers, np.maximum(back, 0.0) + 0.25))
    vector = np.zeros((*fingers.shape, 3))
    vector[..., 2] = np.radians(np.clip(level, 0.0, 68.0))
    return from_vector((1.0 - weight) * to_vector(hand) + weight * vector)
