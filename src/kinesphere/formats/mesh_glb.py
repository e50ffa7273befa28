"""Meshes as binary glTF 2.0 (Khronos, ISO/IEC 12113:2022): one primitive, at most one texture."""

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.mesh import MOST_FACES, BadMesh, Indices, Mesh, Texture, check, split

MAGIC: Final = b"glTF"
_JSON: Final = 0x4E4F534A
_BIN: Final = 0x004E4942
_FLOAT, _UINT = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
_TYPES: Final[dict[int, str]] = {5121: "<u1", 5123: "<u2", _UINT: "<u4", _FLOAT: "<f4"}
ROUGHNESS: Final = 0.85
BARE: Final = (0.72, 0.72, 0.74, 1.0)
"""Linear colour of a shape that has no texture yet."""


class _Buffer:
    """The binary chunk as it grows, with its views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to four; the index of their view."""
        self.data += b"\0" * (-len(self.data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.data += data
        self.views.append(view)
        return len(self.views) - 1

    def floats(self, values: NDArray[np.float32], *, bounds: bool = False) -> int:
        """The index of an accessor of (N, 2) or (N, 3) vectors."""
        accessor: dict[str, Any] = {
            "bufferView": self.view(values.astype("<f4").tobytes(), _ARRAY_BUFFER),
            "componentType": _FLOAT,
            "count": len(values),
            "type": f"VEC{values.shape[1]}",
        }
        if bounds:
            accessor["min"] = values.min(axis=0).tolist()
            accessor["max"] = values.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def indices(self, faces: Indices) -> int:
        """The index of an accessor of a list of triangles."""
        view = self.view(faces.astype("<u4").tobytes(), _ELEMENT_BUFFER)
        self.accessors.append(
            {"bufferView": view, "componentType": _UINT, "count": faces.size, "type": "SCALAR"}
        )
        return len(self.accessors) - 1


def encode(mesh: Mesh, extras: dict[str, Any] | None = None) -> bytes:
    """Write a mesh with its normals, and its texture where it has one.

    Args:
        mesh: Right by `mesh.check`.
        extras: JSON facts kept with the mesh, for `extras`.
    """
    buffer = _Buffer()
    places, points, faces = split(mesh)
    attributes = {
        "POSITION": buffer.floats(mesh.vertices[places], bounds=True),
        "NORMAL": buffer.floats(mesh.normals[places]),
    }
    look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Kinesphere"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "mesh"}],
    }
    if mesh.texture is None:
        look["baseColorFactor"] = list(BARE)
    else:
        attributes["TEXCOORD_0"] = buffer.floats(mesh.texture.points[points])
        look["baseColorTexture"] = {"index": 0}
        picture = buffer.view(mesh.texture.jpeg)
        document["images"] = [{"bufferView": picture, "mimeType": "image/jpeg"}]
        # 33071: a seam at the picture's edge must not take colour from the other edge.
        sampler = {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}
        document["samplers"] = [sampler]
        document["textures"] = [{"sampler": 0, "source": 0}]
    primitive = {"attributes": attributes, "indices": buffer.indices(faces), "material": 0}
    document["meshes"] = [{"primitives": [primitive]}]
    if extras:
        document["meshes"][0]["extras"] = extras
    document["materials"] = [{"pbrMetallicRoughness": look}]
    document["accessors"] = buffer.accessors
    document["bufferViews"] = buffer.views
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    return _container(document, bytes(buffer.data))


def decode(data: bytes) -> Mesh:
    """Read a static mesh of one triangle primitive with an embedded JPEG, such as `encode` writes.

    Vertices that were split for a seam and lie at one place are one again.

    Raises:
        BadMesh: Other bytes, or glTF with more in it than that.
    """
    document, chunk = _opened(data)
    try:
        (primitive,) = document["meshes"][0]["primitives"]
        if len(document["meshes"]) != 1 or primitive.get("mode", 4) != 4:
            raise BadMesh("more than one mesh, or one that is not of triangles")
        attributes = primitive["attributes"]
        vertices = _accessor(document, chunk, attributes["POSITION"], "VEC3").astype(np.float32)
        if "indices" in primitive:
            order = _accessor(document, chunk, primitive["indices"], "SCALAR")
        else:
            order = np.arange(len(vertices))
        faces = order.reshape(-1, 3).astype(np.int64)
        points = None
        if "TEXCOORD_0" in attributes and document.get("images"):
            points = _accessor(document, chunk, attributes["TEXCOORD_0"], "VEC2")
            jpeg = _view(document, chunk, document["images"][0]["bufferView"])
    except BadMesh:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadMesh(f"not a mesh of one primitive: {error!r}") from error
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise BadMesh("an index names a vertex that is not there")
    texture = None
    if points is not None:
        if len(points) != len(vertices):
            raise BadMesh("the texture does not fit the vertices")
        corners = faces.astype(np.int32)
        texture = Texture(jpeg, jpeg_size(jpeg), points.astype(np.float32), corners)
        vertices, joined = np.unique(vertices, axis=0, return_inverse=True)
        faces = joined.reshape(-1)[faces]
    mesh = Mesh(vertices, faces.astype(np.int32), texture)
    check(mesh)
    return mesh


def extras(data: bytes) -> dict[str, Any]:
    """The facts kept with the mesh by `encode`; empty where there are none. Raises BadMesh."""
    document, _ = _opened(data)
    try:
        kept = document["meshes"][0].get("extras", {})
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise BadMesh(f"no mesh in it: {error!r}") from error
    return kept if isinstance(kept, dict) else {}


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height that a JPEG file's frame header tells. Raises BadMesh."""
    at = 2
    while jpeg[:2] == b"\xff\xd8" and at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        # Start of frame: C0 to CF, but C4, C8 and CC, which are tables (ISO/IEC 10918-1, B.1).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return int(width), int(height)
        at += 2 + int(struct.unpack_from(">H", jpeg, at + 2)[0])
    raise BadMesh("the texture is no JPEG picture")


def _container(document: dict[str, Any], chunk: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    chunk += b"\0" * (-len(chunk) % 4)
    total = 12 + 8 + len(text) + 8 + len(chunk)
    return b"".join(
        (
            struct.pack("<4sII", MAGIC, 2, total),
            struct.pack("<II", len(text), _JSON),
            text,
            struct.pack("<II", len(chunk), _BIN),
            chunk,
        )
    )


def _opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk."""
    try:
        magic, version, total = struct.unpack_from("<4sII", data)
        if magic != MAGIC or version != 2 or total != len(data):
            raise BadMesh("no binary glTF 2.0, or cut")
        size, kind = struct.unpack_from("<II", data, 12)
        if kind != _JSON:
            raise BadMesh("its first chunk is not JSON")
        document = json.loads(data[20 : 20 + size])
        rest = 20 + size
        length, kind = struct.unpack_from("<II", data, rest)
        if kind != _BIN or rest + 8 + length > len(data):
            raise BadMesh("its second chunk is not binary, or cut")
    except (struct.error, ValueError, RecursionError) as error:
        raise (
            error if isinstance(error, BadMesh) else BadMesh(f"no binary glTF: {error}")
        ) from error
    if not isinstance(document, dict):
        raise BadMesh("its JSON is no object")
    return document, data[rest + 8 : rest + 8 + length]


def _view(document: dict[str, Any], chunk: bytes, index: int) -> bytes:
    view = document["bufferViews"][index]
    start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
    if start < 0 or length < 0 or start + length > len(chunk):
        raise BadMesh("a view reaches beyond the buffer")
    return chunk[start : start + length]


def _accessor(document: dict[str, Any], chunk: bytes, index: int, kind: str) -> NDArray[Any]:
    accessor = document["accessors"][index]
    if accessor["type"] != kind or "sparse" in accessor:
        raise BadMesh(f"an accessor is not of plain {kind}")
    view = document["bufferViews"][accessor["bufferView"]]
    dtype = np.dtype(_TYPES[accessor["componentType"]])
    width = _WIDTHS[kind]
    count = int(accessor["count"])
    if view.get("byteStride", width * dtype.itemsize) != width * dtype.itemsize:
        raise BadMesh("interleaved vertices")
    if not 0 < count <= 3 * MOST_FACES:
        raise BadMesh(f"an accessor of {count} elements")
    values = np.frombuffer(
        _view(document, chunk, accessor["bufferView"]),
        dtype,
        count * width,
        int(accessor.get("byteOffset", 0)),
    )
    return values if kind == "SCALAR" else values.reshape(count, width)
