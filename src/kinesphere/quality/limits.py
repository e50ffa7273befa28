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

from kinesphere.formats.clip import Clip, Floats, Skeleton
from kinesphere.formats.rotation import multiply, orthonormal, swing_twist, to_quaternion, twist
from kinesphere.quality.contact import low
from kinesphere.quality.report import Check, LeftOut, Measure

_AAOS: Final = "AAOS range of motion; 10° and 25° of grace for fitting and for trained bodies"
_SHARE: Final = "as above: a pose held beyond the range is no overshoot"
GRACE: Final = 10.0

X: Final = np.array([1.0, 0.0, 0.0])
Y: Final = np.array([0.0, 1.0, 0.0])
Z: Final = np.array([0.0, 0.0, 1.0])
MIRROR: Final = np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
"""What mirroring in the plane x = 0 does to each entry of a rotation matrix."""
RAISED: Final = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""Quaternion of the quarter turn about Z that takes a hanging left arm to the T-pose."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Rotations of left or middle joints, N over T frames.

    Attributes:
        matrix: (N, T, 3, 3), orthonormal.
        quaternion: (N, T, 4), as `to_quaternion` gives it.
        swing: (N, T, 3) degrees, the rotation vector of the bone's swing.
        twist: (N, T) degrees about the bone, -180 included and 180 not.
    """

    matrix: Floats
    quaternion: Floats
    swing: Floats
    twist: Floats

    def __getitem__(self, rows: slice) -> "Turns":
        """Those of some joints."""
        return Turns(self.matrix[rows], self.quaternion[rows], self.swing[rows], self.twist[rows])


Chain = tuple[str, ...]

Excess = Callable[[Turns], Floats]
"""N left or middle joints to (N, T) degrees beyond their range."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A joint of each side or of the middle, or a chain taken together, and its range.

    Attributes:
        name: Of the measure, after `limit_`.
        chains: Joints whose rotations are multiplied, the outermost last; left, then right, or one.
        bone: (3,) unit vector, the direction at rest of the left or middle joint's bone.
        excess: Degrees beyond the range, never negative.
        lowered: The same for frames in which the figure kneels, squats, sits or lies.
    """

    name: str
    chains: tuple[Chain, ...]
    bone: Floats
    excess: Excess
    lowered: Excess | None = None

    @property
    def joints(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(joint for chain in self.chains for joint in chain)

    @property
    def outer(self) -> tuple[str, ...]:
        """The outermost joint of each chain."""
        return tuple(chain[-1] for chain in self.chains)


def _both(*joints: str) -> tuple[Chain, Chain]:
    """A chain of the left side and that of the right."""
    left, right = (tuple(f"{side}_{joint}" for joint in joints) for side in "LR")
    return left, right


def _beyond(angle: Floats, least: float, most: float) -> Floats:
    """Degrees beyond a range, negative within it."""
    return np.abs(angle - 0.5 * (least + most)) - 0.5 * (most - least)


def _wrapped(angle: Floats) -> Floats:
    return np.asarray((angle + 180.0) % 360.0 - 180.0)


def _inclination(direction: Floats) -> Floats:
    """Degrees of a unit vector's component: its angle to the plane across that axis."""
    return np.degrees(np.arcsin(np.clip(direction, -1.0, 1.0)))


def _worst(*excesses: Floats) -> Floats:
    """The largest excess, zero where all are within their ranges."""
    worst = np.zeros(excesses[0].shape)
    for excess in excesses:
        np.maximum(worst, excess, out=worst)
    return worst


def _hip(turns: Turns) -> Floats:
    # Abduction is the angle of the thigh to the sagittal plane, not a component of the swing,
    # so that a cross-legged seat, flexed and abducted at once, is not counted twice.
    return _worst(
        _beyond(-turns.swing[..., 0], -30.0, 125.0),
        _beyond(_inclination(-turns.matrix[..., 0, 1]), -25.0, 45.0),
        # About the downward thigh of the left leg a positive turn brings the toes inwards.
        _beyond(turns.twist, -60.0, 45.0),
    )


def _knee(most: float) -> Excess:
    def excess(turns: Turns) -> Floats:
        return _worst(
            _beyond(turns.swing[..., 0], -10.0, most),
            _beyond(turns.swing[..., 2], -15.0, 15.0),
            _beyond(turns.twist, -15.0, 15.0),
        )

    return excess


def _ankle(turns: Turns) -> Floats:
    return _worst(_beyond(-turns.swing[..., 0], -50.0, 20.0), _beyond(-turns.twist, -25.0, 35.0))


def _shoulder(turns: Turns) -> Floats:
    # Flexion and abduction reach 180° together, so what bounds the arm is how far it goes behind
    # the body (extension) and across it (adduction).
    arm = turns.matrix[..., 0]
    # Codman's paradox: the zero of axial rotation depends on the way by which the arm was raised.
    # It is taken both from the T-pose and from the hanging arm, and the more lenient one counts.
    from_hanging = multiply(turns.quaternion, RAISED)
    hanging = _wrapped(np.degrees(twist(from_hanging, -Y)))
    return _worst(
        _beyond(_inclination(arm[..., 2]), -60.0, 90.0),
        _beyond(_inclination(arm[..., 0]), -75.0, 90.0),
        np.minimum(_beyond(turns.twist, -90.0, 90.0), _beyond(hanging, -90.0, 90.0)),
    )


def _elbow(turns: Turns) -> Floats:
    # The turn about the forearm is pronation, 80° either way; it is no fault of the hinge.
    return _worst(
        _beyond(-turns.swing[..., 1], -10.0, 150.0),
        _beyond(turns.swing[..., 2], -15.0, 15.0),
        _beyond(turns.twist, -80.0, 80.0),
    )


def _wrist(turns: Turns) -> Floats:
    return _worst(
        _beyond(-turns.swing[..., 2], -70.0, 80.0), _beyond(-turns.swing[..., 1], -45.0, 20.0)
    )


def _upright(forward: float, back: float, side: float, turn: float) -> Excess:
    def excess(turns: Turns) -> Floats:
        return _worst(
            _beyond(turns.swing[..., 0], -back, forward),
            _beyond(turns.swing[..., 2], -side, side),
            _beyond(turns.twist, -turn, turn),
        )

    return excess


LIMITS: Final = (
    Limit("hip", _both("Hip"), -Y, _hip),
    # Only body weight bends a knee beyond 140°: kneeling on the heels reaches 160°.
    Limit("knee", _both("Knee"), -Y, _knee(140.0), _knee(160.0)),
    Limit("ankle", _both("Ankle"), Z, _ankle),
    Limit("shoulder", _both("Collar", "Shoulder"), X, _shoulder),
    Limit("elbow", _both("Elbow"), X, _elbow),
    Limit("wrist", _both("Wrist"), X, _wrist),
    Limit("neck", (("Neck", "Head"),), Y, _upright(50.0, 60.0, 45.0, 80.0)),
    Limit("trunk", (("Spine1", "Spine2", "Spine3"),), Y, _upright(90.0, 30.0, 35.0, 45.0)),
)


def limits(clip: Clip, *, exact: bool) -> tuple[tuple[Measure, ...], tuple[LeftOut, ...]]:
    """For each joint the most degrees beyond its range, and the share of frames over 10°.

    Joints that the skeleton lacks are left out; all are when its rest pose is no T-pose.

    Args:
        clip: A whole clip of proper rotations.
        exact: Whether they are so in double precision; if not, the nearest such are judged.
    """
    names = clip.skeleton.names
    if not _t_pose(clip.skeleton):
        return (), (LeftOut("limits", "the skeleton's rest is not a T-pose of named joints"),)
    within = [limit for limit in LIMITS if set(limit.joints) <= set(names)]
    left_out = tuple(
        LeftOut(f"limit_{limit.name}", f"the skeleton has no {', '.join(missing)}")
        for limit in LIMITS
        if (missing := [joint for joint in limit.joints if joint not in names])
    )
    turns, lowered = _turns(clip, within, exact=exact), low(clip)
    measures, beyond = [], []
    owners: list[str] = []
    for limit in within:
        first = len(owners)
        owners += limit.outer
        these = turns[first : len(owners)]
        over = limit.excess(these)
        if limit.lowered is not None and lowered.any():
            over = np.where(lowered, limit.lowered(these), over)
        beyond.append(over > GRACE)
        check = Check(f"limit_{limit.name}", "°", GRACE, 25.0, _AAOS)
        measures.append(check.measure(float(over.max()), beyond[-1].T, limit.outer))
    faults = np.concatenate(beyond).T
    share = float(faults.mean(axis=0).max())
    held = Check("limit_share", "", None, 0.05, _SHARE)
    measures.append(held.measure(share, faults, tuple(owners)))
    return tuple(measures), left_out


def _turns(clip: Clip, of: list[Limit], *, exact: bool) -> Turns:
    """The rotations of all chains, one after another, those of the right side mirrored."""
    index = {name: joint for joint, name in enumerate(clip.skeleton.names)}
    chains = [chain for limit in of for chain in limit.chains]
    matrix = np.empty((len(chains), clip.frames, 3, 3))
    for row, chain in enumerate(chains):
        product = clip.rotation[:, index[chain[0]]]
        for name in chain[1:]:
            product = product @ clip.rotation[:, index[name]]
        matrix[row] = product * MIRROR if chain[0].startswith("R_") else product
    if not exact:
        matrix = orthonormal(matrix)
    quaternion = to_quaternion(matrix)
    bones = np.array([limit.bone for limit in of for _ in limit.chains])[:, None]
    swing, about = swing_twist(quaternion, bones)
    return Turns(matrix, quaternion, np.degrees(swing), _wrapped(np.degrees(about)))


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
