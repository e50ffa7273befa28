"""FBX 7.4, binary: a skinned figure with one animation, for Maya, Unreal, Unity and Blender.

Centimetres, Y up, the figure faces +Z and the ground is y = 0. Joints turn about Y, then X, then
Z (FBX's rotation order 3), by the same angles that our BVH holds, one linear key a frame.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from kinesphere.formats import fbx_binary as binary
from kinesphere.formats.clip import Clip, Floats, Skeleton
from kinesphere.formats.euler import zxy_degrees
from kinesphere.formats.fbx_binary import Node, array, int64, named, node, text
from kinesphere.formats.fbx_figure import (
    CENTIMETRES,
    connection,
    figure_connections,
    figure_objects,
    limb_id,
    properties,
)  # fmt: skip
from kinesphere.formats.motion import BadClip
from kinesphere.formats.skin import KEPT, key_of, skin_of

__all__ = ["encode"]

TICKS: Final = 46_186_158_000
"""FBX's units of time a second."""
LONGEST: Final = 2**63 / TICKS / 4.0
LARGEST: Final = 1e6
CUSTOM_RATE: Final = 14
TIME_MODES: Final = {120.0: 1, 100.0: 2, 60.0: 3, 50.0: 4, 48.0: 5, 30.0: 6, 24.0: 11}
"""FbxTime::EMode of the frame rates that have one; all others are custom."""
LINEAR: Final = 4

_STACK: Final = 1
_LAYER: Final = 2
_CURVES: Final = 10_000_000
"""Ids below those of the figure's own objects."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """What all clips of one skeleton share."""

    objects: list[Node]
    connections: list[Node]


_figures: OrderedDict[object, _Figure] = OrderedDict()
_lock = Lock()


def encode(clip: Clip) -> bytes:
    """Write a clip; the same clip always gives the same bytes.

    Raises:
        BadClip: No frame, numbers that are not finite, or a joint's name that FBX cannot hold.
    """
    _check(clip)
    angles = zxy_degrees(clip.rotation.astype(np.float64))[..., [1, 2, 0]]
    figure = _figure_of(clip.skeleton)
    stop = round((clip.frames - 1) / clip.fps * TICKS)
    animation, links = _animation(clip, angles, stop)
    objects = [*figure.objects, *animation]
    return binary.written(
        [
            *_header(),
            _global_settings(clip.fps, stop),
            _documents(),
            node("References"),
            _definitions(objects),
            node("Objects", children=objects),
            node("Connections", children=[*figure.connections, *links]),
            _takes(stop),
        ]
    )


def _check(clip: Clip) -> None:
    if clip.frames < 1:
        raise BadClip("the clip has no frame")
    ends = np.array(list(clip.skeleton.ends.values()))
    finite = (clip.translation, clip.rotation, clip.skeleton.offsets, ends)
    if not all((np.abs(values) < LARGEST).all() for values in finite):
        raise BadClip("the clip has numbers that are not finite")
    if not 0.001 < clip.fps < 1e6 or clip.duration > LONGEST:
        raise BadClip("the clip has a frame rate that is not finite, or lasts too long")
    for name in clip.skeleton.names:
        if "\0" in name or "::" in name or not name:
            raise BadClip(f"FBX cannot hold the joint name {name!r}")


def _figure_of(skeleton: Skeleton) -> _Figure:
    key = key_of(skeleton)
    with _lock:
        figure = _figures.pop(key, None)
        if figure is None:
            skin = skin_of(skeleton)
            figure = _Figure(figure_objects(skeleton, skin), figure_connections(skeleton, skin))
        _figures[key] = figure
        if len(_figures) > KEPT:
            _figures.popitem(last=False)
    return figure


def _animation(clip: Clip, angles: Floats, stop: int) -> tuple[list[Node], list[Node]]:
    """The stack, layer and curves of a clip, and what they are connected to."""
    span = (("LocalStart", 0), ("LocalStop", stop), ("ReferenceStart", 0), ("ReferenceStop", stop))
    times = [(name, "KTime", "Time", "", int64(tick)) for name, tick in span]
    stack = Node(
        "AnimationStack", (int64(_STACK), named("Motion", "AnimStack"), text("")),
        [properties(times)],
    )  # fmt: skip
    layer = Node("AnimationLayer", (int64(_LAYER), named("Base", "AnimLayer"), text("")))
    objects, links = [stack, layer], [connection(_LAYER, _STACK), connection(_STACK, 0)]
    ticks = np.rint(np.arange(clip.frames) * (TICKS / clip.fps)).astype(np.int64)
    shared = [node("KeyVer", 4008), Node("KeyTime", (array(ticks),))]
    ending = [
        Node("KeyAttrFlags", (array(np.array([LINEAR], dtype=np.int32)),)),
        Node("KeyAttrDataFloat", (array(np.zeros(4, dtype=np.float32)),)),
        Node("KeyAttrRefCount", (array(np.array([clip.frames], dtype=np.int32)),)),
    ]
    root = clip.skeleton.parents.index(-1)
    moved = [(root, "Lcl Translation", "T", clip.translation * CENTIMETRES)]
    moved += [(joint, "Lcl Rotation", "R", angles[:, joint]) for joint in range(angles.shape[1])]
    for number, (joint, target, short, values) in enumerate(moved):
        owner = _CURVES + 4 * number
        singles = np.ascontiguousarray(values.T, dtype=np.float32)
        start = [float(value) for value in values[0]]
        rows = [
            (f"d|{axis}", "Number", "", "A", value)
            for axis, value in zip("XYZ", start, strict=True)
        ]
        objects.append(
            Node(
                "AnimationCurveNode",
                (int64(owner), named(short, "AnimCurveNode"), text("")),
                [properties(rows)],
            )
        )
        links += [connection(owner, _LAYER), connection(owner, limb_id(joint), target)]
        for axis in range(3):
            curve = owner + 1 + axis
            content = [
                node("Default", start[axis]), *shared,
                Node("KeyValueFloat", (array(singles[axis]),)), *ending,
            ]  # fmt: skip
            objects.append(
                Node("AnimationCurve", (int64(curve), named("", "AnimCurve"), text("")), content)
            )
            links.append(connection(curve, owner, f"d|{'XYZ'[axis]}"))
    return objects, links


def _header() -> list[Node]:
    stamp = [("Year", 1970), ("Month", 1), ("Day", 1), ("Hour", 10)]
    stamp += [("Minute", 0), ("Second", 0), ("Millisecond", 0)]
    header = node(
        "FBXHeaderExtension",
        children=[
            node("FBXHeaderVersion", 1003),
            node("FBXVersion", binary.VERSION),
            node("EncryptionType", 0),
            node(
                "CreationTimeStamp",
                children=[node("Version", 1000), *(node(name, value) for name, value in stamp)],
            ),
            node("Creator", "Kinesphere"),
        ],
    )
    return [
        header,
        node("FileId", binary.FILE_ID),
        node("CreationTime", binary.CREATION_TIME),
        node("Creator", "Kinesphere"),
    ]


def _global_settings(fps: float, stop: int) -> Node:
    axes = (("UpAxis", 1), ("FrontAxis", 2), ("CoordAxis", 0), ("OriginalUpAxis", 1))
    rows: list[tuple[object, ...]] = []
    for axis, number in axes:
        rows.append((axis, "int", "Integer", "", number))
        rows.append((f"{axis}Sign", "int", "Integer", "", 1))
    rows += [
        ("UnitScaleFactor", "double", "Number", "", 1.0),
        ("OriginalUnitScaleFactor", "double", "Number", "", 1.0),
        ("TimeMode", "enum", "", "", TIME_MODES.get(fps, CUSTOM_RATE)),
        ("TimeSpanStart", "KTime", "Time", "", int64(0)),
        ("TimeSpanStop", "KTime", "Time", "", int64(stop)),
        ("CustomFrameRate", "double", "Number", "", float(fps)),
    ]
    return node("GlobalSettings", children=[node("Version", 1000), properties(rows)])


def _documents() -> Node:
    rows = [
        ("SourceObject", "object", "", ""),
        ("ActiveAnimStackName", "KString", "", "", "Motion"),
    ]
    document = Node(
        "Document",
        (int64(3), text(""), text("Scene")),
        [properties(rows), Node("RootNode", (int64(0),))],
    )
    return node("Documents", children=[node("Count", 1), document])


def _definitions(objects: list[Node]) -> Node:
    counts: dict[str, int] = {"GlobalSettings": 1}
    for each in objects:
        counts[each.name] = counts.get(each.name, 0) + 1
    kinds = [
        node("ObjectType", kind, children=[node("Count", count)]) for kind, count in counts.items()
    ]
    total = node("Count", sum(counts.values()))
    return node("Definitions", children=[node("Version", 100), total, *kinds])


def _takes(stop: int) -> Node:
    span = (int64(0), int64(stop))
    take = node(
        "Take",
        "Motion",
        children=[
            node("FileName", "Motion.tak"),
            Node("LocalTime", span),
            Node("ReferenceTime", span),
        ],
    )
    return node("Takes", children=[node("Current", "Motion"), take])
