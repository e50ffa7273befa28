"""BVH, Biovision's hierarchical motion text: what nearly every animation tool reads.

Lengths are centimetres and angles degrees. We write the channels Z, X, Y in this order, the root
with its absolute position and a zero OFFSET, since readers disagree on whether to add the two.
"""

from typing import Final

import numpy as np

from kinesphere.formats.bvh_text import Hierarchy, parse
from kinesphere.formats.clip import JOINT_NAMES, Clip, Floats, Skeleton
from kinesphere.formats.decimals import LARGEST, decimal_rows
from kinesphere.formats.euler import from_degrees, zxy_degrees
from kinesphere.formats.motion import BadClip

__all__ = ["BadClip", "decode", "encode"]

CENTIMETRES: Final = 100.0
STRETCH: Final = 0.01
"""Metres by which a joint's own position channels may wander before its bone is no bone."""
FURTHEST: Final = LARGEST / CENTIMETRES
"""Metres from the origin that can be written."""


def encode(clip: Clip) -> bytes:
    """Write a clip; the same clip always gives the same bytes.

    Joints come in depth-first order. Six places are written: 5e-7 degrees, 5 nanometres.

    Raises:
        BadClip: No frame, numbers that are not finite, or names that BVH cannot hold.
    """
    skeleton = clip.skeleton
    _check(clip)
    header, order = _hierarchy(skeleton)
    angles = zxy_degrees(clip.rotation[:, order].astype(np.float64))
    if np.abs(angles).max() >= LARGEST:
        raise BadClip("a joint turns round and round for too long")
    rows = np.empty((clip.frames, 3 + 3 * len(order)))
    rows[:, :3] = clip.translation * CENTIMETRES
    rows[:, 3:] = angles.reshape(clip.frames, -1)
    motion = f"MOTION\nFrames: {clip.frames}\nFrame Time: {1.0 / clip.fps:.9f}\n"
    return (header + motion).encode() + decimal_rows(rows)


def _check(clip: Clip) -> None:
    if clip.frames < 1:
        raise BadClip("the clip has no frame")
    if not (np.abs(clip.translation) < FURTHEST).all() or not np.isfinite(clip.rotation).all():
        raise BadClip("the clip has positions or rotations that are not finite")
    if not (np.abs(clip.skeleton.offsets) < FURTHEST).all() or not 0.001 < clip.fps < 1e6:
        raise BadClip("the clip has a bone or a frame rate that is not finite")
    for name in clip.skeleton.names:
        if not name.isprintable() or name != name.strip() or set("{}") & set(name) or not name:
            raise BadClip(f"BVH cannot hold the joint name {name!r}")


def _hierarchy(skeleton: Skeleton) -> tuple[str, list[int]]:
    """The HIERARCHY section, and the joints in the order in which it names them."""
    children: list[list[int]] = [[] for _ in skeleton.names]
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(joint)
    lines, order = ["HIERARCHY"], []
    pending = [(skeleton.parents.index(-1), 0)]
    while pending:
        joint, depth = pending.pop()
        indent = "\t" * depth
        if joint < 0:
            lines.append(f"{indent}}}")
            continue
        order.append(joint)
        root = depth == 0
        offset = (0.0, 0.0, 0.0) if root else skeleton.offsets[joint]
        positions = "6 Xposition Yposition Zposition" if root else "3"
        lines += [
            f"{indent}{'ROOT' if root else 'JOINT'} {skeleton.names[joint]}",
            f"{indent}{{",
            f"{indent}\tOFFSET {_vector(offset)}",
            f"{indent}\tCHANNELS {positions} Zrotation Xrotation Yrotation",
        ]
        if not children[joint]:
            tip = _vector(skeleton.ends.get(joint, (0.0, 0.0, 0.0)))
            lines += [f"{indent}\tEnd Site", f"{indent}\t{{"]
            lines += [f"{indent}\t\tOFFSET {tip}", f"{indent}\t}}"]
        pending.append((-1, depth))
        pending += [(child, depth + 1) for child in reversed(children[joint])]
    return "\n".join(lines) + "\n", order


def _vector(metres: Floats | tuple[float, float, float]) -> str:
    return " ".join(f"{coordinate * CENTIMETRES:.6f}" for coordinate in metres)


def decode(data: bytes) -> Clip:
    """Read any valid BVH of one figure: other names, channels, orders and frame rates.

    Our 22 joints come back in our order, those of other figures in the file's. The root's rest
    height is taken so that the lowest point of the rest pose touches the ground. A joint with
    position channels takes its bone from them. Lengths count as centimetres.

    Raises:
        BadClip: With the line at fault: not BVH, truncated, numbers that are not finite or too
            many or too few, bones that change their length, or more than the limits of
            `kinesphere.formats.bvh_text`.
    """
    hierarchy, values, fps = parse(data)
    frames, joints = len(values), len(hierarchy.names)
    rotation = _rotation(hierarchy, values)
    offsets = np.array(hierarchy.offsets) / CENTIMETRES
    translation = np.tile(offsets[0], (frames, 1))
    for axis, column in hierarchy.positions[0]:
        translation[:, axis] = values[:, column] / CENTIMETRES
    for joint in range(1, joints):
        _take_bone(hierarchy, joint, offsets, values)
    ends = {
        joint: (x / CENTIMETRES, y / CENTIMETRES, z / CENTIMETRES)
        for joint, (x, y, z) in hierarchy.ends.items()
        if (x, y, z) != (0.0, 0.0, 0.0)
    }
    offsets[0] = (0.0, _rest_height(hierarchy.parents, offsets, ends), 0.0)
    skeleton = Skeleton(tuple(hierarchy.names), tuple(hierarchy.parents), offsets, ends)
    return _in_our_order(Clip(translation, rotation, fps, skeleton))


def _rotation(hierarchy: Hierarchy, values: Floats) -> Floats:
    """(T, J, 3, 3) of the table."""
    frames, joints = len(values), len(hierarchy.names)
    rotation = None
    for axes, members in _by_rotation_order(hierarchy).items():
        columns = [[column for _, column in hierarchy.rotations[joint]] for joint in members]
        turned = from_degrees(values.take(columns, axis=1), axes)
        if len(members) == joints:
            return turned
        if rotation is None:
            rotation = np.tile(np.eye(3), (frames, joints, 1, 1))
        rotation[:, members] = turned
    return np.tile(np.eye(3), (frames, joints, 1, 1)) if rotation is None else rotation


def _by_rotation_order(hierarchy: Hierarchy) -> dict[tuple[int, ...], list[int]]:
    orders: dict[tuple[int, ...], list[int]] = {}
    for joint, channels in enumerate(hierarchy.rotations):
        if channels:
            orders.setdefault(tuple(axis for axis, _ in channels), []).append(joint)
    return orders


def _take_bone(hierarchy: Hierarchy, joint: int, offsets: Floats, values: Floats) -> None:
    """Replace a joint's offset by its position channels, if it has any that say something."""
    channels = hierarchy.positions[joint]
    if not channels:
        return
    columns = values[:, [column for _, column in channels]] / CENTIMETRES
    # Some exporters add the channels to the offset and then write zeros.
    if not columns.any():
        return
    if np.ptp(columns, axis=0).max() > STRETCH:
        line, name = hierarchy.lines[joint], hierarchy.names[joint]
        raise BadClip(f"joint {name} moves against its parent by more than 1 cm", line)
    for (axis, _), mean in zip(channels, columns.mean(axis=0), strict=True):
        offsets[joint, axis] = mean


def _rest_height(
    parents: list[int], offsets: Floats, ends: dict[int, tuple[float, float, float]]
) -> float:
    height = np.zeros(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            height[joint] = height[parent] + offsets[joint, 1]
    tips = [height[joint] + tip[1] for joint, tip in ends.items()]
    return -float(min([*height, *tips]))


def _in_our_order(clip: Clip) -> Clip:
    skeleton = clip.skeleton
    if set(skeleton.names) != set(JOINT_NAMES):
        return clip
    order = [skeleton.names.index(name) for name in JOINT_NAMES]
    place = {joint: new for new, joint in enumerate(order)}
    parents = tuple(place.get(skeleton.parents[joint], -1) for joint in order)
    if any(parent >= joint for joint, parent in enumerate(parents)):
        return clip
    ends = {place[joint]: tip for joint, tip in skeleton.ends.items()}
    ordered = Skeleton(JOINT_NAMES, parents, skeleton.offsets[order], ends)
    return Clip(clip.translation, clip.rotation[:, order], clip.fps, ordered)
