"""Reading motions out of GLB files: one skinned figure whose animation turns its joints.

Files that other programs wrote are read too, whatever the frames of their joints: a joint's
rotation here is how far it has turned from the bind pose.
"""

import json
import math
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import JOINT_NAMES, Clip, Floats, Skeleton
from kinesphere.formats.motion import BadClip
from kinesphere.formats.quaternions import matrices
from kinesphere.formats.rotation import deviation

MOST_BYTES: Final = 64 * 2**20
MOST_FRAMES: Final = 100_000
MOST_NODES: Final = 4096
MOST_TURNS: Final = 4_000_000
"""Frames times nodes."""
STRETCH: Final = 0.01
"""m by which a joint may move against its parent before its bone is no bone."""
SHEARED: Final = 1e-3
"""`deviation` from which a joint's turn is no rotation."""
FURTHEST: Final = 1e6
DEFAULT_FPS: Final = 30.0

_COMPONENTS: Final = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_FULL: Final = {"i1": 127.0, "u1": 255.0, "<i2": 32767.0, "<u2": 65535.0}
_REST: Final = {"translation": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0)}


def read(data: bytes) -> Clip:
    """Read the first animation of the first skin of a GLB.

    Keys that are not evenly spaced are sampled at `extras.fps` of the animation, else at the rate
    of its closest keys.

    Raises:
        BadClip: Not GLB 2, truncated, no skin or animation, joints of other names than the 22 of
            SMPL-H in a file of another program, splines, scaled or stretched bones, numbers that
            are not finite, or more than the limits of this module.
    """
    if len(data) > MOST_BYTES:
        raise BadClip(f"{len(data)} bytes are more than {MOST_BYTES}")
    document, binary = _chunks(data)
    try:
        return _Scene(document, binary).clip()
    except BadClip:
        raise
    except (
        AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise BadClip(f"the glTF document is broken: {error!r}") from error


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    if len(data) < 20 or data[:4] != b"glTF":
        raise BadClip("no GLB file")
    _, version, length, size, kind = struct.unpack_from("<4sIII4s", data)
    if version != 2 or length > len(data) or kind != b"JSON" or 20 + size > length:
        raise BadClip("the GLB container is of another version, or truncated")
    try:
        document = json.loads(data[20 : 20 + size])
    except (ValueError, RecursionError) as error:
        raise BadClip(f"the JSON of the GLB is broken: {error}") from error
    if not isinstance(document, dict):
        raise BadClip("the JSON of the GLB is no object")
    if 28 + size > length:
        return document, b""
    binary, kind = struct.unpack_from("<I4s", data, 20 + size)
    if kind != b"BIN\0" or 28 + size + binary > length:
        raise BadClip("the GLB has no whole binary chunk")
    return document, data[28 + size : 28 + size + binary]


class _Scene:
    """The nodes of a document over time."""

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self.document, self.binary = document, binary
        self.nodes: list[dict[str, Any]] = document.get("nodes", [])
        if not document.get("skins") or not document.get("animations"):
            raise BadClip("the GLB has no skin or no animation")
        if len(self.nodes) > MOST_NODES:
            raise BadClip(f"{len(self.nodes)} nodes are more than {MOST_NODES}")
        self.parents = [-1] * len(self.nodes)
        for node, entry in enumerate(self.nodes):
            for child in entry.get("children", ()):
                if child < 0 or self.parents[child] >= 0:
                    raise BadClip(f"node {child} has two parents")
                self.parents[child] = node
        self.animation: dict[str, Any] = document["animations"][0]
        self.times = self._times()

    def clip(self) -> Clip:
        """The motion of the first skin's joints."""
        skin = self.document["skins"][0]
        joints = self._sorted(list(skin["joints"]))
        names = tuple(str(self.nodes[node].get("name", "")) for node in joints)
        parents = tuple(self._joint_above(node, joints) for node in joints)
        if (
            len(set(names)) != len(names)
            or "" in names
            or parents.count(-1) != 1
            or parents[0] >= 0
        ):
            raise BadClip("the skin's joints are not one tree with a name each")
        theirs = self.document.get("asset", {}).get("generator") != "Kinesphere"
        if theirs and not set(JOINT_NAMES) <= set(names):
            raise BadClip(f"the skin has no joint {min(set(JOINT_NAMES) - set(names))}")
        bind = self._binds(skin, joints)
        places, turns = self._world(joints)
        # How far each joint has turned from the bind pose, then the same seen from its parent.
        turned = turns @ np.swapaxes(bind[:, :3, :3], -1, -2)
        rotation = turned.copy()
        offsets = bind[:, :3, 3].copy()
        for joint, parent in enumerate(parents):
            if parent >= 0:
                back = np.swapaxes(turned[:, parent], -1, -2)
                rotation[:, joint] = back @ turned[:, joint]
                offsets[joint] = bind[joint, :3, 3] - bind[parent, :3, 3]
                bone = np.einsum("tij,tj->ti", back, places[:, joint] - places[:, parent])
                if np.abs(bone - offsets[joint]).max() > STRETCH:
                    raise BadClip(f"joint {names[joint]} moves against its parent, or is scaled")
        if deviation(rotation).max() > SHEARED:
            raise BadClip("a joint is sheared")
        skeleton = Skeleton(names, parents, offsets, self._ends(joints))
        return Clip(places[:, 0], rotation, self.fps, skeleton)

    def _sorted(self, joints: list[int]) -> list[int]:
        """The joints with parents before children: ours in our order, others as they are if so."""
        if len(set(joints)) != len(joints) or not all(0 <= n < len(self.nodes) for n in joints):
            raise BadClip("the skin names nodes twice, or nodes that there are not")
        names = {str(self.nodes[node].get("name", "")): node for node in joints}
        if set(names) == set(JOINT_NAMES):
            joints = [names[name] for name in JOINT_NAMES]
        depth = [len(self._path(node)) for node in joints]
        place = {node: index for index, node in enumerate(joints)}
        if all(place.get(self.parents[n], -1) < i for i, n in enumerate(joints)):
            return joints
        return [node for _, node in sorted(zip(depth, joints, strict=True))]

    def _path(self, node: int) -> list[int]:
        """A node and all above it, the topmost last."""
        path = [node]
        while (parent := self.parents[path[-1]]) >= 0:
            if len(path) > len(self.nodes):
                raise BadClip("the nodes go round in a circle")
            path.append(parent)
        return path

    def _joint_above(self, node: int, joints: list[int]) -> int:
        above = [joints.index(each) for each in self._path(node)[1:] if each in joints]
        return above[0] if above else -1

    def _ends(self, joints: list[int]) -> dict[int, tuple[float, float, float]]:
        ends = {}
        for joint, node in enumerate(joints):
            extras = self.nodes[node].get("extras")
            tip = extras.get("tip") if isinstance(extras, dict) else None
            if tip is not None:
                x, y, z = (float(v) for v in tip)
                if not all(abs(v) < FURTHEST for v in (x, y, z)):
                    raise BadClip(f"the tip of node {node} is not finite")
                ends[joint] = (x, y, z)
        return ends

    def _binds(self, skin: dict[str, Any], joints: list[int]) -> Floats:
        """The joints' frames in the bind pose, (J, 4, 4), freed of their scale."""
        accessor = skin.get("inverseBindMatrices")
        if accessor is None:
            raise BadClip("the skin has no inverse bind matrices")
        inverse = self._array(accessor, "MAT4").reshape(-1, 4, 4)
        if len(inverse) != len(joints):
            raise BadClip("the skin has not one inverse bind matrix a joint")
        order = [list(skin["joints"]).index(node) for node in joints]
        try:
            binds = np.linalg.inv(np.swapaxes(inverse[order], -1, -2))
        except np.linalg.LinAlgError as error:
            raise BadClip("an inverse bind matrix is singular") from error
        return _freed_of_scale(np.asarray(binds, dtype=np.float64))

    def _times(self) -> Floats:
        samplers = self.animation["samplers"]
        inputs = {sampler["input"] for sampler in samplers}
        keys = [self._array(accessor, "SCALAR")[:, 0] for accessor in sorted(inputs)]
        if any(not len(each) or each[0] < 0.0 or (np.diff(each) <= 0.0).any() for each in keys):
            raise BadClip("the times of the keys do not ascend")
        last = max(each[-1] for each in keys)
        extras = self.animation.get("extras")
        fps = extras.get("fps") if isinstance(extras, dict) else None
        if fps is None:
            finest = min([np.diff(each).mean() for each in keys if len(each) > 1], default=0.0)
            fps = 1.0 / finest if finest > 0.0 else DEFAULT_FPS
        self.fps = float(fps)
        if not math.isfinite(self.fps) or not 0.001 < self.fps < 1e6:
            raise BadClip(f"{fps} frames a second")
        frames = round(float(last) * self.fps) + 1
        if frames > MOST_FRAMES or frames * max(1, len(self.nodes)) > MOST_TURNS:
            raise BadClip(f"{frames} frames of {len(self.nodes)} nodes are too many")
        return np.asarray(np.arange(frames) / self.fps)

    def _world(self, joints: list[int]) -> tuple[Floats, Floats]:
        """World positions (T, J, 3) m and rotations (T, J, 3, 3) of joints."""
        channels = {
            (channel["target"].get("node"), channel["target"]["path"]): channel["sampler"]
            for channel in self.animation["channels"]
        }
        known: dict[int, Floats] = {}
        for joint in joints:
            for node in reversed(self._path(joint)):
                if node not in known:
                    local = self._local(node, channels)
                    parent = self.parents[node]
                    known[node] = local if parent < 0 else known[parent] @ local
        world = _freed_of_scale(np.stack([known[node] for node in joints], axis=1))
        return world[..., :3, 3], world[..., :3, :3]

    def _local(self, node: int, channels: dict[tuple[int, str], int]) -> Floats:
        """A node's matrix against its parent, (T, 4, 4), or (1, 4, 4) where it keeps still."""
        entry = self.nodes[node]
        if "matrix" in entry:
            return np.asarray(entry["matrix"], dtype=np.float64).reshape(1, 4, 4).swapaxes(-1, -2)
        parts = {
            path: self._sampled(channels[node, path], path)
            if (node, path) in channels
            else np.asarray(entry.get(path, rest), dtype=np.float64).reshape(1, len(rest))
            for path, rest in _REST.items()
        }
        if not all((np.abs(part) < FURTHEST).all() for part in parts.values()):
            raise BadClip(f"node {node} is not finite")
        turns = parts["rotation"]
        length = np.linalg.norm(turns, axis=1, keepdims=True)
        if (length < 0.5).any():
            raise BadClip(f"the rotation of node {node} is no unit quaternion")
        size = max(len(part) for part in parts.values())
        local = np.zeros((size, 4, 4))
        scale = np.asarray(entry.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64).reshape(3)
        local[:, :3, :3] = matrices(turns / length) * scale
        local[:, :3, 3] = parts["translation"]
        local[:, 3, 3] = 1.0
        return local

    def _sampled(self, number: int, path: str) -> Floats:
        """A sampler's values at the clip's frames."""
        sampler = self.animation["samplers"][number]
        keys = self._array(sampler["input"], "SCALAR")[:, 0]
        values = self._array(sampler["output"], "VEC4" if path == "rotation" else "VEC3")
        mode = sampler.get("interpolation", "LINEAR")
        if mode not in ("LINEAR", "STEP") or len(values) != len(keys):
            raise BadClip(f"keys of {mode} interpolation, or not one value a key")
        # Single precision moves keys by up to a part in 10⁷.
        at = np.interp(self.times, keys, np.arange(len(keys)))
        at = np.where(np.abs(at - np.rint(at)) < 1e-3, np.rint(at), at)
        before = np.floor(at).astype(np.intp)
        share = (at - before)[:, None] if mode == "LINEAR" else np.zeros((len(at), 1))
        after = np.minimum(before + 1, len(keys) - 1)
        first, second = values[before], values[after]
        if path == "rotation":  # the short way; blends of near neighbours err little
            second = np.where((first * second).sum(axis=1, keepdims=True) < 0, -second, second)
        return np.asarray(first + share * (second - first))

    def _array(self, number: int, kind: str) -> Floats:
        """An accessor's numbers, (N, width)."""
        accessor = self.document["accessors"][number]
        if accessor["type"] != kind or "sparse" in accessor:
            raise BadClip(f"accessor {number} is no plain {kind}")
        view = self.document["bufferViews"][accessor["bufferView"]]
        code, width = _COMPONENTS[accessor["componentType"]], _WIDTHS[kind]
        count = accessor["count"]
        item = np.dtype(code).itemsize * width
        stride = view.get("byteStride", item)
        start, inside = view.get("byteOffset", 0), accessor.get("byteOffset", 0)
        stop = start + view["byteLength"]
        if view["buffer"] or count < 1 or stride < item or min(start, inside) < 0:
            raise BadClip(f"accessor {number} is outside of the binary chunk")
        start += inside
        if start + (count - 1) * stride + item > min(stop, len(self.binary)):
            raise BadClip(f"accessor {number} is outside of the binary chunk")
        strides = (stride, item // width)
        array: NDArray[Any] = np.ndarray((count, width), code, self.binary, start, strides)
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            raise BadClip(f"accessor {number} has numbers that are not finite")
        return values / _FULL[code] if accessor.get("normalized") else values


def _freed_of_scale(frames: Floats) -> Floats:
    """Frames (..., 4, 4) with unit axes."""
    frames = frames.copy()
    lengths = np.linalg.norm(frames[..., :3, :3], axis=-2, keepdims=True)
    if not (lengths > 1e-9).all() or not (np.abs(frames) < FURTHEST).all():
        raise BadClip("a joint has no size, or is not finite")
    frames[..., :3, :3] /= lengths
    return frames
