"""Meshes as binary STL (3D Systems, 1989): triangles alone, no texture."""

import struct
from typing import Final

import numpy as np

from kinesphere.formats.mesh import MOST_FACES, BadMesh, Mesh, check

_HEADER: Final = b"Kinesphere, metres, Y up".ljust(80)
_FACE: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def encode(mesh: Mesh) -> bytes:
    """Write the triangles. STL itself says neither unit nor axis; they stay as they are."""
    corners = mesh.vertices[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(across, axis=1, keepdims=True)
    rows = np.zeros(len(corners), _FACE)
    rows["normal"] = across / np.where(lengths > 0.0, lengths, 1.0)
    rows["corners"] = corners
    return _HEADER + struct.pack("<I", len(rows)) + rows.tobytes()


def decode(data: bytes) -> Mesh:
    """Read a binary STL; corners at one place become one vertex.

    Raises:
        BadMesh: Other bytes, or a number of faces that does not match their length.
    """
    if len(data) < 84:
        raise BadMesh("no binary STL")
    (count,) = struct.unpack_from("<I", data, 80)
    if not 0 < count <= MOST_FACES or len(data) != 84 + count * _FACE.itemsize:
        raise BadMesh(f"no binary STL of {count} faces")
    corners = np.frombuffer(data, _FACE, count, 84)["corners"]
    vertices, faces = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    mesh = Mesh(vertices, faces.reshape(-1, 3).astype(np.int32))
    check(mesh)
    return mesh
