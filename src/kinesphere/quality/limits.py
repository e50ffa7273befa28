"""Whether joints stay within what a body can do, measured by swing and twist.

Of each joint a rotation R takes the bone from its rest direction a to d = R a. The *swing* is the
smallest rotation doing that; its rotation vector is read along the joint's anatomical axes. The
*twist* is what remains about the bone. Euler angles would depend on their order and lock near 90°.

Joints of the right side are mirrored in the plane x = 0 first, so that one table serves both.
The rest pose has to be a T-pose that faces +Z, the left side at +X.

Ranges are degrees, after the American Academy of Orthopaedic Surgeons' listings; those of neck and
trunk are for the chain as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from kinesphere.formats.clip import Clip, Floats, Skeleton
from kinesphere.quality.contact import Flags, low
from kinesphere.quality.report import Check, LeftOut, Measure

_AAOS: Final = "AAOS range of motion; 10° and 25° of grace for fitting and for trained bodies"
_SHARE: Final = "as above: a pose held beyond the range is no overshoot"
GRACE: Final = 10.0

X: Final = np.array([1.0, 0.0, 0.0])
Y: Final = np.array([0.0, 1.0, 0.0])
Z: Final = np.array([0.0, 0.0, 1.0])
MIRROR: Final = np.diag([-1.0, 1.0, 1.0])

Excess = Callable[[Rotation], Floats]
"""(T,) rotations of a left or middle joint to (T,) degrees beyond its range."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A joint, or a chain of joints taken together, and how far it is beyond its range.

    Attributes:
        name: Of the measure, after `limit_`.
        chain: Joints whose rotations are multiplied, the outermost last; `{}` is the side.
        excess: Degrees beyond the range, never negative.
        lowered: The same for frames in which the figure kneels, squats, sits or lies.
    """

    name: str
    chain: tuple[str, ...]
    excess: Excess
    lowered: Excess | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that the joint has: L and R, or an empty name for one of the middle."""
        return ("L", "R") if "{}" in self.chain[0] else ("",)


def _beyond(angle: Floats, least: float, most: float) -> Floats:
    return np.maximum(0.0, np.maximum(angle - most, least - angle))


def _twist(rotation: Rotation, axis: Floats) -> Floats:
    """Degrees, -180 to 180, that a rotation turns about an axis of its rest frame."""
    quaternion = rotation.as_quat(canonical=True)
    return np.degrees(2.0 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])).astype(float)


def _wrapped(angle: Floats) -> Floats:
    return (angle + 180.0) % 360.0 - 180.0


def _swing_twist(rotation: Rotation, bone: Floats) -> tuple[Floats, Floats]:
    """Swing as a rotation vector (T, 3) and twist about the bone (T,), both in degrees."""
    twist = _wrapped(_twist(rotation, bone))
    swing = rotation * Rotation.from_rotvec(-np.radians(twist)[:, None] * bone)
    return np.degrees(swing.as_rotvec()), twist


def _inclination(direction: Floats) -> Floats:
    """Degrees of a unit vector's component: its angle to the plane across that axis."""
    return np.degrees(np.arcsin(np.clip(direction, -1.0, 1.0)))


def _worst(*excesses: Floats) -> Floats:
    worst: Floats = np.maximum.reduce(excesses)
    return worst


def _hip(rotation: Rotation) -> Floats:
    # Abduction is the angle of the thigh to the sagittal plane, not a component of the swing,
    # so that a cross-legged seat, flexed and abducted at once, is not counted twice.
    swing, twist = _swing_twist(rotation, -Y)
    return _worst(
        _beyond(-swing[:, 0], -30.0, 125.0),
        _beyond(_inclination(rotation.apply(-Y)[:, 0]), -25.0, 45.0),
        # About the downward thigh of the left leg a positive turn brings the toes inwards.
        _beyond(twist, -60.0, 45.0),
    )


def _knee(most: float) -> Excess:
    def excess(rotation: Rotation) -> Floats:
        swing, twist = _swing_twist(rotation, -Y)
        return _worst(
            _beyond(swing[:, 0], -10.0, most),
            _beyond(swing[:, 2], -15.0, 15.0),
            _beyond(twist, -15.0, 15.0),
        )

    return excess


def _ankle(rotation: Rotation) -> Floats:
    swing, roll = _swing_twist(rotation, Z)
    return _worst(_beyond(-swing[:, 0], -50.0, 20.0), _beyond(-roll, -25.0, 35.0))


def _shoulder(rotation: Rotation) -> Floats:
    # Flexion and abduction reach 180° together, so what bounds the arm is how far it goes behind
    # the body (extension) and across it (adduction).
    arm = rotation.apply(X)
    # Codman's paradox: the zero of axial rotation depends on the way by which the arm was raised.
    # It is taken both from the T-pose and from the hanging arm, and the more lenient one counts.
    _, spread = _swing_twist(rotation, X)
    _, hanging = _swing_twist(rotation * Rotation.from_rotvec(np.radians(90.0) * Z), -Y)
    return _worst(
        _beyond(_inclination(arm[:, 2]), -60.0, 90.0),
        _beyond(_inclination(arm[:, 0]), -75.0, 90.0),
        np.minimum(_beyond(spread, -90.0, 90.0), _beyond(hanging, -90.0, 90.0)),
    )


def _elbow(rotation: Rotation) -> Floats:
    # The turn about the forearm is pronation, 80° either way; it is no fault of the hinge.
    swing, pronation = _swing_twist(rotation, X)
    return _worst(
        _beyond(-swing[:, 1], -10.0, 150.0),
        _beyond(swing[:, 2], -15.0, 15.0),
        _beyond(pronation, -80.0, 80.0),
    )


def _wrist(rotation: Rotation) -> Floats:
    swing, _ = _swing_twist(rotation, X)
    return _worst(_beyond(-swing[:, 2], -70.0, 80.0), _beyond(-swing[:, 1], -45.0, 20.0))


def _upright(forward: float, back: float, side: float, turn: float) -> Excess:
    def excess(rotation: Rotation) -> Floats:
        swing, twist = _swing_twist(rotation, Y)
        return _worst(
            _beyond(swing[:, 0], -back, forward),
            _beyond(swing[:, 2], -side, side),
            _beyond(twist, -turn, turn),
        )

    return excess


LIMITS: Final = (
    Limit("hip", ("{}_Hip",), _hip),
    # Only body weight bends a knee beyond 140°: kneeling on the heels reaches 160°.
    Limit("knee", ("{}_Knee",), _knee(140.0), _knee(160.0)),
    Limit("ankle", ("{}_Ankle",), _ankle),
    Limit("shoulder", ("{}_Collar", "{}_Shoulder"), _shoulder),
    Limit("elbow", ("{}_Elbow",), _elbow),
    Limit("wrist", ("{}_Wrist",), _wrist),
    Limit("neck", ("Neck", "Head"), _upright(50.0, 60.0, 45.0, 80.0)),
    Limit("trunk", ("Spine1", "Spine2", "Spine3"), _upright(90.0, 30.0, 35.0, 45.0)),
)


def limits(clip: Clip) -> tuple[tuple[Measure, ...], tuple[LeftOut, ...]]:
    """For each joint the most degrees beyond its range, and the share of frames over 10°.

    The rotations have to be proper ones. Joints that the skeleton lacks are left out; all are
    when its rest pose is no T-pose.
    """
    names = clip.skeleton.names
    if not _t_pose(clip.skeleton):
        return (), (LeftOut("limits", "the skeleton's rest is not a T-pose of named joints"),)
    measures, left_out, columns = [], [], []
    owners: list[str] = []
    lowered = low(clip)
    for limit in LIMITS:
        chains = [[joint.format(side) for joint in limit.chain] for side in limit.sides]
        missing = [joint for chain in chains for joint in chain if joint not in names]
        if missing:
            reason = f"the skeleton has no {', '.join(missing)}"
            left_out.append(LeftOut(f"limit_{limit.name}", reason))
            continue
        over = np.stack([_over(clip, limit, chain, lowered) for chain in chains], axis=1)
        outer = tuple(chain[-1] for chain in chains)
        check = Check(f"limit_{limit.name}", "°", GRACE, 25.0, _AAOS)
        measures.append(check.measure(float(over.max()), over > GRACE, outer))
        columns.append(over > GRACE)
        owners += outer
    faults = np.concatenate(columns, axis=1)
    share = float(faults.mean(axis=0).max())
    held = Check("limit_share", "", None, 0.05, _SHARE)
    measures.append(held.measure(share, faults, tuple(owners)))
    return tuple(measures), tuple(left_out)


def _over(clip: Clip, limit: Limit, chain: list[str], lowered: Flags) -> Floats:
    rotation = _compose(clip, chain)
    over = limit.excess(rotation)
    return over if limit.lowered is None else np.where(lowered, limit.lowered(rotation), over)


def _compose(clip: Clip, chain: list[str]) -> Rotation:
    matrix = np.eye(3)
    for name in chain:
        matrix = matrix @ clip.rotation[:, clip.skeleton.names.index(name)]
    if chain[0].startswith("R_"):
        matrix = MIRROR @ matrix @ MIRROR
    return Rotation.from_matrix(matrix)


def _t_pose(skeleton: Skeleton) -> bool:
    """Whether thighs hang and upper arms spread, each to 30 degrees, in the skeleton's rest."""
    wanted = {"L_Knee": -Y, "R_Knee": -Y, "L_Elbow": X, "R_Elbow": -X}
    for name, direction in wanted.items():
        if name not in skeleton.names:
            return False
        bone = skeleton.offsets[skeleton.names.index(name)]
        if bone @ direction <= np.cos(np.radians(30.0)) * np.linalg.norm(bone):
            return False
    return True
