"""Channels and planned feet to joint rotations: spine, then legs by two-bone IK, then arms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kinesphere.engines.choreo.armature import bend_arm
from kinesphere.engines.choreo.channels import JOINTS, SIDES, Channels
from kinesphere.engines.choreo.curves import smooth
from kinesphere.engines.choreo.limbs import Limb, two_bone
from kinesphere.engines.choreo.limits import clamp, within
from kinesphere.engines.choreo.rotation import (
    about_x,
    about_y,
    about_z,
    carry,
    cross,
    from_vector,
    norm,
    to_vector,
    turn,
    unit,
)
from kinesphere.formats.clip import STANDARD, Clip, Floats

GROUND: Final = 0.015
"""Height of the ball of a planted foot, m."""

THIGH: Final = float(-STANDARD.offsets[4, 1])
SHIN: Final = float(-STANDARD.offsets[7, 1])
BALL: Final = STANDARD.offsets[10]
Ranges = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
TRUNK_RANGE: Final[Ranges] = ((-30.0, 90.0), (-45.0, 45.0), (-35.0, 35.0))
"""Degrees of bend, turn and lean of the whole spine."""
NECK_RANGE: Final[Ranges] = ((-60.0, 50.0), (-80.0, 80.0), (-45.0, 45.0))
"""The same of neck and head together."""
MOST_KNEE: Final = 148.0
MOST_DORSAL: Final = 19.0
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
        bend_arm(channels, rotation, side, chest, shoulders[side])
    clamp(rotation)
    return Clip(_clear_feet(place, rotation), rotation, fps)


def _trunk(channels: Channels, rotation: Floats) -> None:
    bend = _bounded(channels, "s", TRUNK_RANGE)
    third = from_vector(bend / 3.0)
    for joint in (3, 6, 9):
        rotation[:, joint] = third
    nod = _bounded(channels, "h", NECK_RANGE)
    rotation[:, 12] = from_vector(0.45 * nod)
    rotation[:, 15] = from_vector(0.55 * nod)


def _bounded(channels: Channels, part: str, ranges: Ranges) -> Floats:
    """Rotation vectors (T, 3), rad, of trunk or neck, each component within its range."""
    columns = [
        within(channels[part + axis], *bounds) for axis, bounds in zip("xyz", ranges, strict=True)
    ]
    return np.asarray(np.radians(np.stack(columns, axis=-1)))


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
    for attempt in range(5):
        drop = np.zeros(len(place))
        settled = True
        for side in SIDES:
            leg, over = _leg(
                channels, feet[side], root, place, side, pitch=pitch[side], free=frees[side]
            )
            legs[side] = leg
            planted = 1.0 - np.clip(channels[f"{side}.fw"], 0.0, 1.0)
            dorsal = np.maximum(_dorsal(leg) - MOST_DORSAL, 0.0)
            rise = np.degrees(np.clip(over / 0.13, 0.0, 0.9))
            extra = np.minimum(planted * (dorsal + rise), np.clip(72.0 - pitch[side], 0.0, None))
            if attempt < 3 and extra.max() > 0.3:
                pitch[side] = pitch[side] + smooth(extra, 1.5)
                settled = False
            drop = np.maximum(drop, planted * over)
        if 0 < attempt < 4 and drop.max() > 1e-3:
            place = place.copy()
            place[:, 1] -= smooth(drop, 2.0)
            settled = False
        if settled:
            break
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
    over = norm(ankle - hip) - REACH * (THIGH + SHIN)
    return _Leg(limb, foot, pitch), np.maximum(over, 0.0)


def _dorsal(leg: _Leg) -> Floats:
    """Dorsiflexion of the ankle, degrees."""
    toes = leg.foot[..., 2]
    sine = np.clip(-np.sum(toes * leg.limb.lower, axis=-1), -1.0, 1.0)
    return np.asarray(np.degrees(np.arcsin(sine)))


def _write_leg(rotation: Floats, root: Floats, side: str, leg: _Leg, feet: Feet) -> None:
    joints = JOINTS[side]
    limb = leg.limb
    thigh = np.stack([limb.hinge, -limb.upper, cross(limb.upper, limb.hinge)], axis=-1)
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
