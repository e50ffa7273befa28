"""Channels and planned feet to joint rotations: spine, then legs by two-bone IK, then arms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kinesphere.engines.choreo.armature import bend_arms
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
    dot,
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
SIGNS: Final = np.array([[1.0], [-1.0]])
"""Outwards for the left and the right leg."""
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
class _Legs:
    """Both legs, the left one first."""

    limb: Limb
    foot: Floats
    pitch: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What both legs are asked for, the left one first.

    Attributes:
        ball: (2, T, 3) m, the balls of the feet.
        heading: (2, T, 3, 3) where the toes point.
        hip: (2, T, 3) m, from the pelvis, in the world.
        weight: (2, T, 1) of the free leg against the planned foot, 0 to 1.
        swivel: (2, T) degrees by which the knee leaves the root's front outwards.
        free: Of each leg the ankle from the hip (m), foot and knee direction, when it is free.
        frees: (2,) whether a leg is ever free.
    """

    ball: Floats
    heading: Floats
    hip: Floats
    weight: Floats
    swivel: Floats
    free: tuple[Floats, Floats, Floats]
    frees: NDArray[np.bool_]


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
    plan = _plan(channels, feet, root)
    legs, place = _legs(channels, plan, root, place)
    _write_legs(rotation, root, legs, plan.ball)
    bend_arms(channels, rotation, *_chest(rotation, place))
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


def _both(channels: Channels, name: str) -> Floats:
    """(2, T) a channel of the left and of the right side."""
    return np.array([channels[f"{side}.{name}"] for side in SIDES])


def _plan(channels: Channels, feet: Mapping[str, Feet], root: Floats) -> _Plan:
    yaw = np.stack([feet[side].yaw for side in SIDES])
    weight = np.clip(_both(channels, "fw"), 0.0, 1.0)[..., None]
    away = (yaw - channels["heading"] - channels["twist"] + 180.0) % 360.0 - 180.0
    outwards = SIGNS * _both(channels, "ko")
    swivel = outwards + 0.6 * np.clip(away, -40.0, 40.0) * (1.0 - weight[..., 0])
    hip = [root @ STANDARD.offsets[JOINTS[side]["hip"]] for side in SIDES]
    return _Plan(
        np.stack([feet[side].ball for side in SIDES]), about_y(yaw), np.stack(hip), weight,
        swivel, _free_legs(channels, root), np.any(weight > 0.0, axis=(1, 2)),
    )  # fmt: skip


def _free_legs(channels: Channels, root: Floats) -> tuple[Floats, Floats, Floats]:
    """See `_Plan.free`."""
    hip = root @ (
        about_z(SIGNS * _both(channels, "f2"))
        @ about_x(-_both(channels, "f1"))
        @ about_y(SIGNS * _both(channels, "f3"))
    )
    knee = hip @ about_x(_both(channels, "f4"))
    foot = knee @ about_x(-_both(channels, "f5"))
    return -THIGH * hip[..., 1] - SHIN * knee[..., 1], foot, hip[..., 2]


def _legs(channels: Channels, plan: _Plan, root: Floats, place: Floats) -> tuple[_Legs, Floats]:
    """Solve both legs; raise heels, then lower the pelvis, where a foot is out of reach."""
    pitch = _both(channels, "fp")
    planted = 1.0 - plan.weight[..., 0]
    for attempt in range(5):
        legs, over = _solved(plan, root, place, pitch)
        settled = True
        dorsal = np.maximum(_dorsal(legs) - MOST_DORSAL, 0.0)
        rise = np.degrees(np.minimum(over / 0.13, 0.9))
        extra = np.minimum(planted * (dorsal + rise), np.maximum(72.0 - pitch, 0.0))
        wanting = extra.max(axis=1) > 0.3
        if attempt < 3 and wanting.any():
            pitch = pitch.copy()
            pitch[wanting] += smooth(extra[wanting], 1.5)
            settled = False
        drop = (planted * over).max(axis=0)
        if 0 < attempt < 4 and drop.max() > 1e-3:
            place = place.copy()
            place[:, 1] -= smooth(drop, 2.0)
            settled = False
        if settled:
            break
    return legs, place


def _solved(plan: _Plan, root: Floats, place: Floats, pitch: Floats) -> tuple[_Legs, Floats]:
    """Both legs, and by how much (2, T), m, their feet are out of reach."""
    hip = place + plan.hip
    foot = plan.heading @ about_x(pitch)
    ankle = plan.ball - foot @ BALL
    weight = plan.weight
    if plan.frees.any():
        ankle, foot = _loosened(plan, hip, ankle, foot)
    way = ankle - hip
    distance = norm(way)
    axis = way / np.maximum(distance, 1e-9)[..., None]
    pole = carry(-root[..., 1], axis, root[..., 2])
    pole = turn(from_vector(-axis * np.radians(plan.swivel)[..., None]), pole)
    if plan.frees.any():
        mixed = unit((1.0 - weight) * pole + weight * plan.free[2])
        pole = np.where(plan.frees[:, None, None], mixed, pole)
    limb = two_bone(hip, ankle, pole, THIGH, SHIN, most=MOST_KNEE)
    over = distance - REACH * (THIGH + SHIN)
    return _Legs(limb, foot, pitch), np.maximum(over, 0.0)


def _loosened(plan: _Plan, hip: Floats, ankle: Floats, foot: Floats) -> tuple[Floats, Floats]:
    """Ankles and feet on their way between the planned and the free leg."""
    weight = plan.weight
    # Up first, then aside, and down last: a foot in between must not brush the ground.
    share = np.concatenate([weight**2, 1.0 - (1.0 - weight) ** 2, weight**2], axis=-1)
    ankle = (1.0 - share) * ankle + share * (hip + plan.free[0])
    relative = np.swapaxes(foot, -1, -2) @ plan.free[1]
    foot = foot @ from_vector(weight * to_vector(relative))
    sole = np.minimum(ankle[..., 1] - 0.04, (ankle + foot @ BALL)[..., 1] - 0.02)
    ankle[..., 1] += 0.5 * (np.sqrt(sole * sole + 1e-4) - sole) * weight[..., 0] ** 0.5
    return ankle, foot


def _dorsal(legs: _Legs) -> Floats:
    """Dorsiflexion of the ankles, (2, T) degrees."""
    toes = legs.foot[..., 2]
    sine = np.clip(-dot(toes, legs.limb.lower), -1.0, 1.0)
    return np.asarray(np.degrees(np.arcsin(sine)))


def _write_legs(rotation: Floats, root: Floats, legs: _Legs, ball: Floats) -> None:
    limb = legs.limb
    thigh = np.stack([limb.hinge, -limb.upper, cross(limb.upper, limb.hinge)], axis=-1)
    knee = about_x(limb.flexion)
    low = np.clip((0.14 - ball[..., 1]) / 0.11, 0.0, 1.0)
    for joint, turned in (
        ("hip", np.swapaxes(root, -1, -2) @ thigh),
        ("knee", knee),
        ("ankle", np.swapaxes(thigh @ knee, -1, -2) @ legs.foot),
        ("toe", about_x(-np.clip(legs.pitch, 0.0, 40.0) * low)),
    ):
        for side, one in zip(SIDES, turned, strict=True):
            rotation[:, JOINTS[side][joint]] = one


def _chest(rotation: Floats, place: Floats) -> tuple[Floats, Floats]:
    """World rotation (T, 3, 3) of the chest and the places (2, T, 3) of both collar joints."""
    position, world = place, rotation[:, 0]
    for joint in (3, 6, 9):
        position = position + world @ STANDARD.offsets[joint]
        world = world @ rotation[:, joint]
    collars = [world @ STANDARD.offsets[JOINTS[side]["collar"]] for side in SIDES]
    return world, position + np.stack(collars)
