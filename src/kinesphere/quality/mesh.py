"""What any mesh is judged by, as a pure function over it.

| measure | unit | warns beyond | fails beyond | of |
| --- | --- | --- | --- | --- |
| integrity | | | 0 | wrong shapes, indices out of range, numbers not finite |
| open_edges | | 0 | | edges with a face on one side only: not watertight |
| nonmanifold_edges | | 0 | | edges of more than two faces, or of two that disagree |
| pinched_vertices | | 0 | | vertices at which separate fans of faces meet |
| degenerate_faces | | 0.001 | 0.05 | share of faces of no area |
| floaters | | 0.001 | 0.05 | share of the area that is not of the largest part |
| self_intersection | | 0.01 | 0.1 | share of faces that pass through another |
| normals_inward | | 0 | 0.5 | share of the closed parts, by volume, turned inside out |
| uv_out_of_range | | 0 | 0.05 | share of texture points outside the picture |
| texture_spread | | 2 | 0.5 | deviation of the texture's colours, of 255; small is bad |

Shares run from 0 to 1. A texture of one colour is no fault where its file says that what it shows
is of one. An open mesh is still a mesh, so it warns; engines hold their own to more.
"""

import io
from typing import Final

import numpy as np
from PIL import Image, ImageStat

from kinesphere.formats.mesh import PLAIN, BadMesh, Mesh, Texture, check
from kinesphere.quality.crossings import crossing_share
from kinesphere.quality.report import Check, LeftOut, Measure, Report
from kinesphere.quality.topology import (
    Faces,
    cross,
    crowded_edges,
    open_edges,
    parts,
    pinched_vertices,
    volumes,
)

_CLOSED: Final = "definition of a closed two-manifold; slicers and booleans need one"
_SLIVER: Final = "numeric: height under 1e-6 of the longest side is lost in float32"
_PART: Final = "a part under 0.1 % is a speck, one over 5 % is an object of its own"

WHOLE: Final = Check("integrity", "", None, 0.0, "definition of a mesh")
OPEN: Final = Check("open_edges", "", 0.0, None, _CLOSED)
CROWDED: Final = Check("nonmanifold_edges", "", 0.0, None, _CLOSED)
PINCHED: Final = Check("pinched_vertices", "", 0.0, None, _CLOSED)
DEGENERATE: Final = Check("degenerate_faces", "", 0.001, 0.05, _SLIVER)
FLOATERS: Final = Check("floaters", "", 0.001, 0.05, _PART)
CROSSING: Final = Check(
    "self_intersection", "", 0.01, 0.10, "rule of thumb: a fold or two, against a tangle"
)
INWARD: Final = Check(
    "normals_inward", "", 0.0, 0.5, "glTF 2.0, 3.7.2.1: faces are counter-clockwise from outside"
)
UV: Final = Check(
    "uv_out_of_range", "", 0.0, 0.05, "glTF 2.0, 3.8.4.5: beyond 0 to 1 the sampler decides"
)
FLAT: Final = Check(
    "texture_spread", "", 2.0, 0.5, "JPEG of one colour keeps under 0.5", lower_is_worse=True
)

CHECKS: Final = (
    WHOLE, OPEN, CROWDED, PINCHED, INWARD, DEGENERATE, FLOATERS, CROSSING, UV, FLAT,
)  # fmt: skip
"""Every check, in the order of the report."""


def judge_mesh(mesh: Mesh) -> Report:
    """Judge a mesh by every check that it allows.

    Args:
        mesh: Any mesh, also one with wrong shapes or broken numbers.

    Returns:
        A report; the same mesh always gives the same one. Nothing is raised.
    """
    try:
        check(mesh)
    except BadMesh:
        return Report((WHOLE.measure(1.0),), (LeftOut("all other checks", "it is not whole"),))
    faces = mesh.faces.astype(np.int64)
    part = parts(faces, len(mesh.vertices))[faces[:, 0]]
    gaps, crowds = len(open_edges(faces)), len(crowded_edges(faces))
    measures = [WHOLE.measure(0.0), OPEN.measure(float(gaps)), CROWDED.measure(float(crowds))]
    left_out: list[LeftOut] = []
    if gaps or crowds:
        left_out += [
            LeftOut(name, "the surface is not closed") for name in (PINCHED.name, INWARD.name)
        ]
    else:
        measures.append(PINCHED.measure(float(pinched_vertices(faces))))
        measures.append(_inward(mesh, faces, part))
    measures += [*_areas(mesh, faces, part), CROSSING.measure(crossing_share(mesh.vertices, faces))]
    if mesh.texture is None:
        left_out.append(LeftOut("texture", "the mesh has none"))
    else:
        outside = (mesh.texture.points < 0.0) | (mesh.texture.points > 1.0)
        measures.append(UV.measure(float(outside.any(axis=1).mean())))
        plain, spread = _spread(mesh.texture)
        if plain and FLAT.verdict(spread) != "pass":
            left_out.append(LeftOut(FLAT.name, "what it shows is of one colour"))
        else:
            measures.append(FLAT.measure(spread))
    return Report(tuple(measures), tuple(left_out))


def _areas(mesh: Mesh, faces: Faces, part: Faces) -> tuple[Measure, Measure]:
    corners = mesh.vertices.astype(np.float64)[faces]
    sides = corners[:, [1, 2, 0]] - corners
    across = cross(sides[:, 0], sides[:, 1])
    twice = np.sqrt(np.einsum("ij,ij->i", across, across))
    longest = np.einsum("ijk,ijk->ij", sides, sides).max(axis=1)
    degenerate = float((twice <= 1e-6 * longest).mean())
    areas = np.bincount(part, twice)
    total = float(areas.sum())
    away = 1.0 - float(areas.max()) / total if total > 0.0 else 1.0
    return DEGENERATE.measure(degenerate), FLOATERS.measure(max(0.0, round(away, 9)))


def _inward(mesh: Mesh, faces: Faces, part: Faces) -> Measure:
    """Parts of negative volume; a cavity is one too, and small against the part around it."""
    by_part = np.bincount(part, volumes(mesh.vertices, faces))
    total = float(np.abs(by_part).sum())
    inward = float(-by_part[by_part < 0.0].sum())
    return INWARD.measure(inward / total if total > 0.0 else 1.0)


def _spread(texture: Texture) -> tuple[bool, float]:
    """Whether one colour is meant, and the largest standard deviation of a channel.

    Zero, and not meant, for a texture that is no picture.
    """
    try:
        with Image.open(io.BytesIO(texture.jpeg), formats=["JPEG"]) as picture:
            picture.draft("RGB", (256, 256))
            deviations = ImageStat.Stat(picture.convert("RGB")).stddev
            plain = picture.info.get("comment") == PLAIN
    except (OSError, ValueError, Image.DecompressionBombError):
        return False, 0.0
    return plain, max(deviations)
