"""The one mesh value that every engine makes and every codec reads, and the formats by name.

Conventions: Y up, right-handed, metres, the front faces +Z, the lowest point stands on y = 0.
Faces are counter-clockwise seen from outside. Texture coordinates have corners of their own, as in
OBJ, so that a seam of the texture is none of the surface: (0, 0) is the picture's top left corner,
v goes down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Indices = NDArray[np.int32]

MOST_FACES: Final = 4_000_000
"""Of a mesh that is read."""

PLAIN: Final = b"of one colour"
"""Comment of a texture that is of one colour because what it shows is: every format keeps it."""


class BadMesh(ValueError):
    """A mesh that cannot be written, or bytes that are no mesh that can be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A colour picture laid over a surface.

    Attributes:
        jpeg: A JPEG file; its comment is `PLAIN` where the surface is meant to be of one colour.
        size: Its width and height in pixels.
        points: (U, 2) places in the picture, 0 to 1 from its top left corner.
        corners: (F, 3) rows of `points`, for the corners of each face of the mesh.
    """

    jpeg: bytes
    size: tuple[int, int]
    points: Points
    corners: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A surface of triangles.

    Attributes:
        vertices: (V, 3) m, float32, so that the binary formats hold them exactly.
        faces: (F, 3) rows of `vertices`.
        texture: None for a bare shape.
    """

    vertices: Points
    faces: Indices
    texture: Texture | None = None

    @property
    def normals(self) -> Points:
        """(V, 3) unit normals, the mean of those of the faces around, weighted by area."""
        corners = self.vertices.astype(np.float64)[self.faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        count = len(self.vertices)
        sums = np.stack(
            [
                np.bincount(self.faces.ravel(), np.repeat(across[:, axis], 3), count)
                for axis in range(3)
            ],
            axis=1,
        )
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A vertex of no face, or of folded ones, has no normal; the standards want a unit vector.
        unit = np.where(
            lengths > 0.0, sums / np.where(lengths > 0.0, lengths, 1.0), [0.0, 1.0, 0.0]
        )
        return unit.astype(np.float32)


def split(mesh: Mesh) -> tuple[Indices, Indices, Indices]:
    """The mesh with one vertex for each pair of place and texture point, as GLB wants it.

    Returns:
        (N,) rows of `mesh.vertices`, (N,) rows of its texture's points, and (F, 3) faces over N.
        Without a texture, N is V and the rows of points are all 0.
    """
    texture = mesh.texture
    if texture is None:
        every = np.arange(len(mesh.vertices), dtype=np.int32)
        return every, np.zeros_like(every), mesh.faces
    keys = mesh.faces.astype(np.int64) * len(texture.points) + texture.corners
    pairs, faces = np.unique(keys, return_inverse=True)
    places, points = np.divmod(pairs, len(texture.points))
    return (
        places.astype(np.int32),
        points.astype(np.int32),
        faces.reshape(mesh.faces.shape).astype(np.int32),
    )


def check(mesh: Mesh) -> None:
    """Raise BadMesh unless shapes, types and indices are right and every number is finite."""
    if mesh.vertices.ndim != 2 or mesh.vertices.shape[1:] != (3,):
        raise BadMesh(f"the vertices are {mesh.vertices.shape}, not (V, 3)")
    if mesh.faces.ndim != 2 or mesh.faces.shape[1:] != (3,) or not len(mesh.faces):
        raise BadMesh(f"the faces are {mesh.faces.shape}, not (F, 3)")
    if not np.isfinite(mesh.vertices).all():
        raise BadMesh("a vertex is not finite")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise BadMesh("a face names a vertex that is not there")
    texture = mesh.texture
    if texture is None:
        return
    if texture.corners.shape != mesh.faces.shape or texture.points.shape[1:] != (2,):
        raise BadMesh("the texture does not fit the faces")
    if not np.isfinite(texture.points).all():
        raise BadMesh("a texture point is not finite")
    if texture.corners.min() < 0 or texture.corners.max() >= len(texture.points):
        raise BadMesh("a face names a texture point that is not there")


@dataclass(frozen=True, slots=True)
class MeshFormat:
    """One format; its codec is imported when it is first used.

    Attributes:
        name: As callers choose it, in lower case.
        media_type: For HTTP, of the file as it is written.
        extension: Of files, with the dot; OBJ comes as an archive with its texture.
        codec: Module with `encode` and `decode`.
        textured: Whether it holds a texture; PLY keeps its colours at the vertices only.
    """

    name: str
    media_type: str
    extension: str
    codec: str
    textured: bool

    def encode(self, mesh: Mesh) -> bytes:
        """Write a mesh; the same mesh always gives the same bytes.

        Raises:
            BadMesh: See `check`.
        """
        check(mesh)
        return cast("bytes", import_module(self.codec).encode(mesh))

    @property
    def decode(self) -> Callable[[bytes], Mesh]:
        """Reader of what this package writes; raises `BadMesh` for other bytes."""
        return cast("Callable[[bytes], Mesh]", import_module(self.codec).decode)


MESH_FORMATS: Final[Mapping[str, MeshFormat]] = MappingProxyType(
    {
        each.name: each
        for each in (
            MeshFormat("glb", "model/gltf-binary", ".glb", "kinesphere.formats.mesh_glb", True),
            MeshFormat("obj", "application/zip", ".obj.zip", "kinesphere.formats.mesh_obj", True),
            MeshFormat("ply", "application/x-ply", ".ply", "kinesphere.formats.mesh_ply", False),
            MeshFormat("stl", "model/stl", ".stl", "kinesphere.formats.mesh_stl", False),
        )
    }
)
