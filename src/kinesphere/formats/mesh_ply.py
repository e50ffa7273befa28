"""Meshes as binary PLY (Turk, 1994), with the texture's colours at the vertices."""

import io
import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinesphere.formats.mesh import MOST_FACES, BadMesh, Mesh, check

_VERTEX: Final = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
_COLOUR: Final = [("red", "u1"), ("green", "u1"), ("blue", "u1")]
_FACE: Final = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_HEADER: Final = re.compile(
    rb"ply\nformat binary_little_endian 1\.0\n(?:comment [^\n]*\n)*element vertex (\d{1,9})\n"
    rb"property float x\nproperty float y\nproperty float z\n"
    rb"(property uchar red\nproperty uchar green\nproperty uchar blue\n)?"
    rb"element face (\d{1,9})\nproperty list uchar int vertex_indices\nend_header\n"
)


def encode(mesh: Mesh) -> bytes:
    """Write the shape; every vertex has the texture's mean colour at it, if there is one."""
    colours = _colours(mesh)
    rows = np.zeros(len(mesh.vertices), _VERTEX + (_COLOUR if colours is not None else []))
    for axis, name in enumerate("xyz"):
        rows[name] = mesh.vertices[:, axis]
    if colours is not None:
        for channel, (name, _) in enumerate(_COLOUR):
            rows[name] = colours[:, channel]
    faces = np.zeros(len(mesh.faces), _FACE)
    faces["count"] = 3
    faces["corners"] = mesh.faces
    header = [
        "ply", "format binary_little_endian 1.0", "comment Kinesphere, metres, Y up",
        f"element vertex {len(rows)}", *(f"property float {name}" for name, _ in _VERTEX),
        *(f"property uchar {name}" for name, _ in (_COLOUR if colours is not None else [])),
        f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", "",
    ]  # fmt: skip
    return "\n".join(header).encode() + rows.tobytes() + faces.tobytes()


def decode(data: bytes) -> Mesh:
    """Read the shape of a PLY file as `encode` writes it; colours are passed over.

    Raises:
        BadMesh: Other bytes.
    """
    header = _HEADER.match(data)
    if header is None:
        raise BadMesh("no PLY file of this kind")
    count, faces = int(header[1]), int(header[3])
    layout = np.dtype(_VERTEX + (_COLOUR if header[2] else []))
    middle = header.end() + count * layout.itemsize
    if not 0 < faces <= MOST_FACES or len(data) != middle + faces * _FACE.itemsize:
        raise BadMesh(f"no PLY file of {count} vertices and {faces} faces")
    rows = np.frombuffer(data, layout, count, header.end())
    corners = np.frombuffer(data, _FACE, faces, middle)
    if (corners["count"] != 3).any():
        raise BadMesh("a face is no triangle")
    vertices = np.stack([rows[name] for name in "xyz"], axis=1)
    mesh = Mesh(vertices.astype(np.float32), corners["corners"].astype(np.int32))
    check(mesh)
    return mesh


def _colours(mesh: Mesh) -> NDArray[np.uint8] | None:
    """(V, 3) sRGB of each vertex."""
    if mesh.texture is None:
        return None
    with Image.open(io.BytesIO(mesh.texture.jpeg), formats=["JPEG"]) as picture:
        pixels: NDArray[Any] = np.asarray(picture.convert("RGB"))
    height, width = pixels.shape[:2]
    at = mesh.texture.points[mesh.texture.corners.ravel()] * [width, height]
    columns, rows = (np.clip(at[:, k].astype(int), 0, (width, height)[k] - 1) for k in (0, 1))
    seen = pixels[rows, columns].astype(float)
    owners = mesh.faces.ravel()
    times = np.maximum(1, np.bincount(owners, minlength=len(mesh.vertices)))
    sums = [np.bincount(owners, seen[:, k], len(mesh.vertices)) for k in range(3)]
    return np.round(np.stack(sums, axis=1) / times[:, None]).astype(np.uint8)
