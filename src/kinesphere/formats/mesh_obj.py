"""Meshes as Wavefront OBJ: an archive of `mesh.obj`, `mesh.mtl` and `texture.jpg`."""

import io
import zipfile
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.mesh import MOST_FACES, BadMesh, Mesh, Texture, check
from kinesphere.formats.mesh_glb import jpeg_size

MOST_BYTES: Final = 512 * 2**20
"""Of a member that is read."""
_MTL: Final = "newmtl surface\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd texture.jpg\n"
# Archives have no time before 1980; a fixed one keeps the bytes the same.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def encode(mesh: Mesh) -> bytes:
    """Write the archive; a shape without texture has the OBJ alone.

    Nine significant digits hold every float32 exactly.
    """
    lines = ["# Kinesphere, metres, Y up\n"]
    texture = mesh.texture
    if texture is None:
        lines.append(_rows("v %.9g %.9g %.9g\n", mesh.vertices))
        lines.append(_rows("f %d %d %d\n", mesh.faces + 1))
    else:
        lines.append("mtllib mesh.mtl\nusemtl surface\n")
        lines.append(_rows("v %.9g %.9g %.9g\n", mesh.vertices))
        # OBJ counts v from the bottom of the picture.
        upward = np.stack([texture.points[:, 0], 1.0 - texture.points[:, 1].astype(float)], axis=1)
        lines.append(_rows("vt %.9g %.9g\n", upward))
        pairs = np.stack([mesh.faces, texture.corners], axis=2).reshape(-1, 6) + 1
        lines.append(_rows("f %d/%d %d/%d %d/%d\n", pairs))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        _add(members, "mesh.obj", "".join(lines).encode(), zipfile.ZIP_DEFLATED)
        if texture is not None:
            _add(members, "mesh.mtl", _MTL.encode(), zipfile.ZIP_STORED)
            _add(members, "texture.jpg", texture.jpeg, zipfile.ZIP_STORED)
    return archive.getvalue()


def decode(data: bytes) -> Mesh:
    """Read an archive as `encode` writes it: triangles, with or without texture points.

    Raises:
        BadMesh: Other bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            text = _member(members, "mesh.obj").decode("ascii")
            jpeg = _member(members, "texture.jpg") if "texture.jpg" in members.namelist() else None
        rows: dict[str, list[str]] = {"v": [], "vt": [], "f": []}
        for line in text.splitlines():
            key, _, rest = line.partition(" ")
            if key in rows:
                rows[key].append(rest)
        vertices = _numbers(rows["v"], 3)
        if jpeg is None:
            faces = _numbers(rows["f"], 3).astype(np.int64) - 1
            texture = None
        else:
            pairs = _numbers([row.replace("/", " ") for row in rows["f"]], 6).astype(np.int64) - 1
            faces = pairs[:, ::2]
            points = _numbers(rows["vt"], 2) * [1.0, -1.0] + [0.0, 1.0]
            corners = pairs[:, 1::2].astype(np.int32)
            texture = Texture(jpeg, jpeg_size(jpeg), points.astype(np.float32), corners)
    except BadMesh:
        raise
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError,
        ValueError,
    ) as error:  # fmt: skip
        raise BadMesh(f"no archive of an OBJ file: {error}") from error
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32), texture)
    check(mesh)
    return mesh


def _rows(form: str, values: NDArray[np.generic]) -> str:
    return (form * len(values)) % tuple(values.ravel().tolist())


def _add(members: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = method
    members.writestr(entry, data, compresslevel=1)


def _member(members: zipfile.ZipFile, name: str) -> bytes:
    with members.open(name) as member:
        data = member.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadMesh(f"{name} is larger than {MOST_BYTES} bytes")
    return data


def _numbers(rows: list[str], width: int) -> NDArray[np.float64]:
    if not 0 < len(rows) <= 3 * MOST_FACES:
        raise BadMesh(f"{len(rows)} rows")
    values = np.array(" ".join(rows).split(), dtype=np.float64)
    if values.size != width * len(rows):
        raise BadMesh(f"rows that do not have {width} numbers")
    return values.reshape(-1, width)
