"""Channels and planned feet to joint rotations: spine forward, legs and arms by two-bone IK."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kinesphere.engines.choreo.arms import REFERENCE
from kinesphere.engines.choreo.channels import ARM_EXTRA, SIDES
from kinesphere.engines.choreo.curves import smooth
from kinesphere.engines.choreo.limbs import Limb, two_bone
from kinesphere.engines.choreo.limits import clamp
from kinesphere.engines.choreo.rotation import (
    about_x,
    about_y,
    about_z,
    carry,
    from_vector,
    to_vector,
    turn,
    unit,
)
from kinesphere.formats.clip import STANDARD, Clip, Floats

Channels = Mapping[str, Floats]

GROUND: Final = 0.015
"""Height of the ball of a planted foot, m."""

THIGH: Final = float(-STANDARD.offsets[4, 1])
SHIN: Final = float(-STANDARD.offsets[7, 1])
UPPER_ARM: Final = float(STANDARD.offsets[18, 0])
FOREARM: Final = float(STANDARD.offsets[20, 0])
BALL: Final = STANDARD.offsets[10]
JOINTS: Final = {
    "l": {"hip": 1, "knee": 4, "ankle": 7, "toe": 10, "collar": 13, "shoulder": 16, "elbow": 18,
          "wrist": 20},
    "r": {"hip": 2, "knee": 5, "ankle": 8, "toe": 11, "collar": 14, "shoulder": 17, "elbow": 19,
          "wrist": 21},
}  # fmt: skip
MIRROR: Final = np.diag([-1.0, 1.0, 1.0])
MOST_KNEE: Final = 148.0
MOST_ELBOW: Final = 145.0
MOST_DORSAL: Final = 19.0
LEANING: Final = np.array([0.8, -1.0, -0.3])
"""Where the elbow of an arm that carries weight points, in the chest's frame."""
REACH: Final = 0.985
"""Share of the leg's length that a planted foot may ask for before its heel rises."""


@dataclass(frozen=True, slots=True, eq=False)
class Feet:
    """Planned track of one foot.

    Attributes:
        ball: (T, 3) m, the ball of the foot.
        yaw: (T,) degrees, where the toes point.
    """

    ball: Floats
    yaw: Floats


@dataclass(slots=True, eq=False)
class _Leg:
    limb: Limb
    foot: Floats
    pitch: Floats


def solve(channels: Channels, feet: Mapping[str, Feet], fps: float) -> Clip:
    """The clip that shows these channels (each (T,)) with both feet on their tracks."""
    frames = len(channels["x"])
    rotation = np.broadcast_to(np.eye(3), (frames, 22, 3, 3)).copy()
    root = about_y(channels["heading"] + channels["twist"]) @ (
        about_x(channels["pitch"]) @ about_z(channels["roll"])
    )
    rotation[:, 0] = root
    place = np.stack([channels["x"], channels["y"], channels["z"]], axis=-1)
    _trunk(channels, rotation)
    place = _clear_trunk(place, rotation)
    legs, place = _legs(channels, feet, root, place)
    for side, leg in legs.items():
        _write_leg(rotation, root, side, leg, feet[side])
    chest, shoulders = _chest(rotation, place)
    for side in SIDES:
        _arm(channels, rotation, side, chest, shoulders[side])
    clamp(rotation)
    return Clip(_clear_feet(place, rotation), rotation, fps)


def _trunk(channels: Channels, rotation: Floats) -> None:
    bend = np.radians(np.stack([channels["sx"], channels["sy"], channels["sz"]], axis=-1))
    third = from_vector(bend / 3.0)
    for joint in (3, 6, 9):
        rotation[:, joint] = third
    nod = np.radians(np.stack([channels["hx"], channels["hy"], channels["hz"]], axis=-1))
    rotation[:, 12] = from_vector(0.45 * nod)
    rotation[:, 15] = from_vector(0.55 * nod)


def _clear_trunk(place: Floats, rotation: Floats) -> Floats:
    """Lift the figure where pelvis, spine or head would sink into the ground."""
    radius = {0: 0.085, 3: 0.075, 9: 0.09, 12: 0.06, 15: 0.09}
    lift = np.maximum(radius[0] - place[:, 1], 0.0)
    position, world = place, rotation[:, 0]
    for joint in (3, 6, 9, 12, 15):
        position = position + world @ STANDARD.offsets[joint]
        world = world @ rotation[:, joint]
        if joint in radius:
            lift = np.maximum(lift, radius[joint] - position[:, 1])
    if not lift.any():
        return place
    raised = place.copy()
    raised[:, 1] += smooth(lift, 2.0)
    return raised


def _clear_feet(place: Floats, rotation: Floats) -> Floats:
    """Lift the figure where a clamped ankle or hip has brought knee or foot into the ground."""
    depth = np.zeros(len(place))
    for side in SIDES:
        position, world = place, rotation[:, 0]
        for joint in (JOINTS[side][name] for name in ("hip", "knee", "ankle", "toe")):
            position = position + world @ STANDARD.offsets[joint]
            world = world @ rotation[:, joint]
            depth = np.maximum(depth, -position[:, 1])
    if depth.max() < 0.004:
        return place
    raised = place.copy()
    raised[:, 1] += smooth(sliding_window_view(np.pad(depth, 2, mode="edge"), 5).max(axis=1), 1.5)
    return raised


def _legs(
    channels: Channels, feet: Mapping[str, Feet], root: Floats, place: Floats
) -> tuple[dict[str, _Leg], Floats]:
    """Solve both legs; raise heels, then lower the pelvis, where a foot is out of reach."""
    pitch = {side: channels[f"{side}.fp"] for side in SIDES}
    frees = {side: _free_leg(channels, root, side) for side in SIDES}
    legs: dict[str, _Leg] = {}
    for attempt in range(4):
        drop = np.zeros(len(place))
        for side in SIDES:
            leg, over = _leg(
                channels, feet[side], root, place, side, pitch=pitch[side], free=frees[side]
            )
            legs[side] = leg
            planted = 1.0 - np.clip(channels[f"{side}.fw"], 0.0, 1.0)
            dorsal = np.maximum(_dorsal(leg) - MOST_DORSAL, 0.0)
            rise = np.degrees(np.clip(over / 0.13, 0.0, 0.9))
            room = np.clip(72.0 - pitch[side], 0.0, None)
            extra = np.minimum(planted * (dorsal + rise), room)
            if attempt < 3 and extra.max() > 0.05:
                pitch[side] = pitch[side] + smooth(extra, 1.5)
            drop = np.maximum(drop, planted * over)
        if attempt and drop.max() > 1e-3:
            place = place.copy()
            place[:, 1] -= smooth(drop, 2.0)
    for side in SIDES:
        legs[side], _ = _leg(
            channels, feet[side], root, place, side, pitch=pitch[side], free=frees[side]
        )
    return legs, place


_Free = tuple[Floats, Floats, Floats]


def _free_leg(channels: Channels, root: Floats, side: str) -> _Free | None:
    """Ankle from the hip (m), foot rotation and knee direction of the free leg, in the world."""
    if not channels[f"{side}.fw"].any():
        return None
    sign = 1.0 if side == "l" else -1.0
    hip = root @ (
        about_z(sign * channels[f"{side}.f2"])
        @ about_x(-channels[f"{side}.f1"])
        @ about_y(sign * channels[f"{side}.f3"])
    )
    knee = hip @ about_x(channels[f"{side}.f4"])
    foot = knee @ about_x(-channels[f"{side}.f5"])
    return -THIGH * hip[..., 1] - SHIN * knee[..., 1], foot, hip[..., 2]


def _leg(
    channels: Channels,
    feet: Feet,
    root: Floats,
    place: Floats,
    side: str,
    *,
    pitch: Floats,
    free: _Free | None,
) -> tuple[_Leg, Floats]:
    """One leg, and by how much (m) its foot is out of reach."""
    sign = 1.0 if side == "l" else -1.0
    hip = place + root @ STANDARD.offsets[JOINTS[side]["hip"]]
    foot = about_y(feet.yaw) @ about_x(pitch)
    ankle = feet.ball - foot @ BALL
    weight = np.clip(channels[f"{side}.fw"], 0.0, 1.0)[:, None]
    if free is not None:
        # Up first, then aside, and down last: a foot in between must not brush the ground.
        share = np.concatenate([weight**2, 1.0 - (1.0 - weight) ** 2, weight**2], axis=1)
        ankle = (1.0 - share) * ankle + share * (hip + free[0])
        relative = np.swapaxes(foot, -1, -2) @ free[1]
        foot = foot @ from_vector(weight * to_vector(relative))
        sole = np.minimum(ankle[:, 1] - 0.04, (ankle + foot @ BALL)[:, 1] - 0.02)
        ankle = ankle.copy()
        ankle[:, 1] += 0.5 * (np.sqrt(sole * sole + 1e-4) - sole) * weight[:, 0] ** 0.5
    axis = unit(ankle - hip)
    pole = carry(-root[..., 1], axis, root[..., 2])
    away = (feet.yaw - channels["heading"] - channels["twist"] + 180.0) % 360.0 - 180.0
    swivel = sign * channels[f"{side}.ko"] + 0.6 * np.clip(away, -40.0, 40.0) * (1.0 - weight[:, 0])
    pole = turn(from_vector(-axis * np.radians(swivel)[:, None]), pole)
    if free is not None:
        pole = unit((1.0 - weight) * pole + weight * free[2])
    limb = two_bone(hip, ankle, pole, THIGH, SHIN, most=MOST_KNEE)
    over = np.linalg.norm(ankle - hip, axis=-1) - REACH * (THIGH + SHIN)
    return _Leg(limb, foot, pitch), np.maximum(over, 0.0)


def _dorsal(leg: _Leg) -> Floats:
    """Dorsiflexion of the ankle, degrees."""
    toes = leg.foot[..., 2]
    sine = np.clip(-np.sum(toes * leg.limb.lower, axis=-1), -1.0, 1.0)
    return np.asarray(np.degrees(np.arcsin(sine)))


def _write_leg(rotation: Floats, root: Floats, side: str, leg: _Leg, feet: Feet) -> None:
    joints = JOINTS[side]
    limb = leg.limb
    thigh = np.stack([limb.hinge, -limb.upper, np.cross(limb.upper, limb.hinge)], axis=-1)
    rotation[:, joints["hip"]] = np.swapaxes(root, -1, -2) @ thigh
    rotation[:, joints["knee"]] = about_x(limb.flexion)
    shin = thigh @ rotation[:, joints["knee"]]
    rotation[:, joints["ankle"]] = np.swapaxes(shin, -1, -2) @ leg.foot
    low = np.clip((0.14 - feet.ball[:, 1]) / 0.11, 0.0, 1.0)
    bend = np.clip(leg.pitch, 0.0, 40.0) * low
    rotation[:, joints["toe"]] = about_x(-bend)


def _chest(rotation: Floats, place: Floats) -> tuple[Floats, dict[str, Floats]]:
    """World rotation of the chest and the place of both collar joints."""
    position, world = place, rotation[:, 0]
    for joint in (3, 6, 9):
        position = position + world @ STANDARD.offsets[joint]
        world = world @ rotation[:, joint]
    return world, {
        side: position + world @ STANDARD.offsets[JOINTS[side]["collar"]] for side in SIDES
    }


def _arm(channels: Channels, rotation: Floats, side: str, chest: Floats, collar: Floats) -> None:
    """Solve one arm in the chest's frame, as a left one, and write it mirrored if need be."""
    flip = np.eye(3) if side == "l" else MIRROR
    value = {name: channels[f"{side}.{name}"] for name in ("el", "pr", "wf", "wd", "sh")}
    extra = {name: channels[f"{side}.{name}"] for name in ARM_EXTRA}
    vector = np.stack([channels[f"{side}.a{axis}"] for axis in (1, 2, 3)], axis=-1)
    shoulder = from_vector(vector) @ REFERENCE
    if extra["swing"].any() or extra["open"].any():
        shoulder = about_z(extra["open"]) @ about_x(-extra["swing"]) @ shoulder
    upper, hinge = shoulder[..., 0], -shoulder[..., 1]
    bend = np.radians(np.clip(value["el"], 4.0, MOST_ELBOW))[:, None]
    lower = np.cos(bend) * upper + np.sin(bend) * np.cross(hinge, upper)
    raised = np.degrees(np.arccos(np.clip(-upper[:, 1], -1.0, 1.0)))
    rise = value["sh"] + 0.28 * np.maximum(raised - 75.0, 0.0)
    clavicle = about_z(np.clip(rise, -10.0, 32.0))
    from_collar = STANDARD.offsets[16]
    base = clavicle @ from_collar
    free = wrist = base + UPPER_ARM * upper + FOREARM * lower
    weight = np.clip(extra["ww"], 0.0, 1.0)[:, None]
    if weight.any():
        target = np.stack([extra["wx"], extra["wy"], extra["wz"]], axis=-1)
        local = turn(np.swapaxes(chest, -1, -2), target - collar) @ flip
        wrist = (1.0 - weight) * wrist + weight * local
    offset = STANDARD.offsets[13]
    elbow = _outside(base + UPPER_ARM * upper + offset, 0.16, 0.14) - offset
    wrist = _outside(wrist + offset, 0.165, 0.165) - offset
    up = (chest[:, 1, :] @ flip) * np.ones_like(wrist)
    height = collar[:, 1] + np.sum(up * wrist, axis=-1) - 0.04
    wrist = wrist + (0.5 * (np.sqrt(height * height + 4e-4) - height))[:, None] * up
    pole = _pole(elbow, base, free, wrist, weight)
    limb = two_bone(base, wrist, pole, UPPER_ARM, FOREARM, most=MOST_ELBOW)
    frame = np.stack([limb.upper, -limb.hinge, np.cross(limb.hinge, limb.upper)], axis=-1)
    fore = about_y(-limb.flexion)
    hand = about_x(value["pr"]) @ about_y(-value["wd"]) @ about_z(-value["wf"])
    if weight.any():
        hand = _flat_hand(hand, flip @ chest @ flip @ frame @ fore, weight)
    joints = JOINTS[side]
    rotation[:, joints["collar"]] = flip @ clavicle @ flip
    rotation[:, joints["shoulder"]] = flip @ np.swapaxes(clavicle, -1, -2) @ frame @ flip
    rotation[:, joints["elbow"]] = flip @ fore @ flip
    rotation[:, joints["wrist"]] = flip @ hand @ flip


def _outside(point: Floats, wide: float, deep: float) -> Floats:
    """Push points (T, 3) of the chest's frame out of the trunk, an upright elliptic cylinder."""
    across, along = point[:, 0] / wide, point[:, 2] / deep
    radius = np.hypot(across, along)
    height = np.clip((0.34 - np.abs(point[:, 1] + 0.10)) / 0.08, 0.0, 1.0)
    kept = 0.5 * (radius + 1.0 + np.sqrt((radius - 1.0) ** 2 + 0.004))
    scale = 1.0 + height * (kept / np.maximum(radius, 0.15) - 1.0)
    return point * np.stack([scale, np.ones_like(scale), scale], axis=-1)


def _pole(elbow: Floats, base: Floats, free: Floats, wrist: Floats, weight: Floats) -> Floats:
    """Where the elbow points: as posed, carried along to the wrist's target, or as it leans."""
    posed, axis = unit(free - base), unit(wrist - base)
    aside = elbow - base
    aside = unit(aside - np.sum(aside * posed, axis=-1, keepdims=True) * posed)
    carried = carry(posed, axis, aside)
    leaning = np.broadcast_to(LEANING, axis.shape)
    leaning = unit(leaning - np.sum(leaning * axis, axis=-1, keepdims=True) * axis)
    return (1.0 - weight) * carried + weight * leaning


def _flat_hand(hand: Floats, fore: Floats, weight: Floats) -> Floats:
    """Bend the wrist back where it is planted, until the hand lies level on the ground."""
    fingers, back = fore[:, 1, 0], fore[:, 1, 1]
    level = np.degrees(np.arctan2(-fingers, np.maximum(back, 0.0) + 0.25))
    vector = np.zeros((len(fingers), 3))
    vector[:, 2] = np.radians(np.clip(level, 0.0, 68.0))
    return from_vector((1.0 - weight) * to_vector(hand) + weight * vector)
