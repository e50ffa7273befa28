"""GLB, binary glTF 2.0: a skinned figure with one animation, which nearly every viewer plays.

Metres, Y up, the figure faces +Z and the ground is y = 0, as glTF has it. The nodes of the joints
bear their names and stand in the T-pose; the animation moves the root and turns every joint.
"""

import json
import struct
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Clip, Floats, Skeleton
from kinesphere.formats.glb_reading import read
from kinesphere.formats.motion import BadClip
from kinesphere.formats.quaternions import continuous_quaternions
from kinesphere.formats.skin import KEPT, Material, key_of, rest_positions, skin_of

__all__ = ["decode", "encode"]

_FLOAT: Final = 5126
_UNSIGNED: Final = {1: 5121, 2: 5123, 4: 5125}
_ARRAY_BUFFER: Final = 34962
_ELEMENT_ARRAY_BUFFER: Final = 34963
LARGEST: Final = 1e6

decode = read


@dataclass(frozen=True, slots=True)
class _Figure:
    """What all clips of one skeleton share: the document without its animation, and its bytes."""

    document: dict[str, Any]
    data: bytes


_figures: OrderedDict[object, _Figure] = OrderedDict()
_lock = Lock()


def encode(clip: Clip) -> bytes:
    """Write a clip; the same clip always gives the same bytes.

    Raises:
        BadClip: No frame, or numbers that are not finite.
    """
    _check(clip)
    figure = _figure_of(clip.skeleton)
    joints = len(clip.skeleton.names)
    views, accessors = _Views(len(figure.data)), list(figure.document["accessors"])
    views.entries = list(figure.document["bufferViews"])
    # One sampler's times serve all channels.
    seconds = np.arange(clip.frames) / clip.fps
    accessors.append(views.add(seconds.astype(np.float32), "SCALAR", bounds=True))
    root = clip.skeleton.parents.index(-1)
    accessors.append(views.add(clip.translation.astype(np.float32), "VEC3"))
    turns = continuous_quaternions(clip.rotation).astype(np.float32)
    table = views.add(np.ascontiguousarray(turns.swapaxes(0, 1)), "VEC4")
    stride = 16 * clip.frames
    accessors += [
        table | {"count": clip.frames, "byteOffset": joint * stride} for joint in range(joints)
    ]
    times = len(accessors) - joints - 2
    node = figure.document["skins"][0]["joints"]
    channels = [{"sampler": 0, "target": {"node": node[root], "path": "translation"}}]
    channels += [
        {"sampler": 1 + joint, "target": {"node": node[joint], "path": "rotation"}}
        for joint in range(joints)
    ]
    samplers = [{"input": times, "output": times + 1 + k} for k in range(1 + joints)]
    document = figure.document | {
        "accessors": accessors,
        "animations": [
            {
                "name": "Motion",
                "channels": channels,
                "samplers": samplers,
                "extras": {"fps": float(clip.fps)},
            }
        ],
        "bufferViews": views.entries,
        "buffers": [{"byteLength": len(figure.data) + views.size}],
    }
    return _container(document, [figure.data, *views.chunks])


def _check(clip: Clip) -> None:
    if clip.frames < 1:
        raise BadClip("the clip has no frame")
    ends = np.array(list(clip.skeleton.ends.values()))
    finite = (clip.translation, clip.rotation, clip.skeleton.offsets, ends)
    if not all((np.abs(values) < LARGEST).all() for values in finite):
        raise BadClip("the clip has numbers that are not finite")
    if not 0.001 < clip.fps < 1e6:
        raise BadClip("the clip has a frame rate that is not finite")


def _container(document: dict[str, Any], chunks: list[bytes]) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    size = sum(map(len, chunks))
    header = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + size, len(text), b"JSON")
    return b"".join((header, text, struct.pack("<I4s", size, b"BIN\0"), *chunks))


class _Views:
    """Buffer views in the making, each aligned to four bytes."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.size = 0
        self.entries: list[dict[str, Any]] = []
        self.chunks: list[bytes] = []

    def add(
        self, array: NDArray[Any], kind: str, target: int | None = None, bounds: bool = False
    ) -> dict[str, Any]:
        """Store an array in a view of its own; returns the accessor of the whole of it."""
        data = array.tobytes()
        view = {"buffer": 0, "byteOffset": self.start + self.size, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.entries.append(view)
        self.chunks.append(data + bytes(-len(data) % 4))
        self.size += len(self.chunks[-1])
        component = _FLOAT if array.dtype.kind == "f" else _UNSIGNED[array.dtype.itemsize]
        accessor = {
            "bufferView": len(self.entries) - 1,
            "componentType": component,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            columns = array.reshape(len(array), -1)
            accessor |= {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
        return accessor


def _figure_of(skeleton: Skeleton) -> _Figure:
    key = key_of(skeleton)
    with _lock:
        figure = _figures.pop(key, None)
        if figure is None:
            figure = _built(skeleton)
        _figures[key] = figure
        if len(_figures) > KEPT:
            _figures.popitem(last=False)
    return figure


def _built(skeleton: Skeleton) -> _Figure:
    skin, views = skin_of(skeleton), _Views(0)
    joints = len(skeleton.names)
    index = np.uint8 if joints <= 256 else np.uint16
    vertex = np.uint16 if len(skin.points) < 65535 else np.uint32
    weights = views.add(skin.weights, "VEC4", _ARRAY_BUFFER) | {"normalized": True}
    accessors = [
        views.add(skin.points.astype(np.float32), "VEC3", _ARRAY_BUFFER, bounds=True),
        views.add(_units(skin.normals), "VEC3", _ARRAY_BUFFER),
        views.add(skin.joints.astype(index), "VEC4", _ARRAY_BUFFER),
        weights,
    ]
    attributes = {"POSITION": 0, "NORMAL": 1, "JOINTS_0": 2, "WEIGHTS_0": 3}
    primitives = []
    for number, (_, faces) in enumerate(skin.parts):
        accessors.append(
            views.add(faces.reshape(-1).astype(vertex), "SCALAR", _ELEMENT_ARRAY_BUFFER)
        )
        primitives.append(
            {"attributes": attributes, "indices": len(accessors) - 1, "material": number}
        )
    accessors.append(views.add(_inverse_binds(skeleton), "MAT4"))
    root = skeleton.parents.index(-1)
    document = {
        "asset": {"version": "2.0", "generator": "Kinesphere"},
        "scene": 0,
        "scenes": [{"nodes": [0, 1 + root]}],
        "nodes": [{"name": "Figure", "mesh": 0, "skin": 0}, *_nodes(skeleton)],
        "meshes": [{"name": "Figure", "primitives": primitives}],
        "materials": [_material(material) for material, _ in skin.parts],
        "skins": [
            {"inverseBindMatrices": len(accessors) - 1, "joints": [1 + j for j in range(joints)]}
        ],
        "accessors": accessors,
        "bufferViews": views.entries,
    }
    return _Figure(document, b"".join(views.chunks))


def _units(normals: Floats) -> NDArray[np.float32]:
    single = normals.astype(np.float32)
    return np.asarray(single / np.linalg.norm(single, axis=1, keepdims=True))


def _inverse_binds(skeleton: Skeleton) -> NDArray[np.float32]:
    """(J, 16) inverse bind matrices by columns: in the T-pose joints are only moved."""
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(skeleton.names), 1, 1))
    matrices[:, 3, :3] = -rest_positions(skeleton)
    return matrices.reshape(-1, 16)


def _nodes(skeleton: Skeleton) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(skeleton.names):
        node: dict[str, Any] = {"name": name, "translation": skeleton.offsets[joint].tolist()}
        children = [1 + k for k, parent in enumerate(skeleton.parents) if parent == joint]
        if children:
            node["children"] = children
        if joint in skeleton.ends:
            node["extras"] = {"tip": list(skeleton.ends[joint])}
        nodes.append(node)
    return nodes


def _material(material: Material) -> dict[str, Any]:
    # glTF's factors are linear, colours here are sRGB (IEC 61966-2-1).
    srgb = np.array(material.colour)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return {
        "name": material.name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*(round(float(c), 4) for c in linear), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": material.roughness,
        },
    }
