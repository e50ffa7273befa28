"""Every check passes a right mesh and finds a planted fault."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kinesphere.formats.mesh import PLAIN, Mesh
from kinesphere.quality.mesh import judge_mesh
from tests.formats.test_mesh import tetrahedron


def joined(*meshes: Mesh) -> Mesh:
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, counts, strict=False)]
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


def bare(shift: float = 0.0, scale: float = 1.0) -> Mesh:
    mesh = tetrahedron()
    return Mesh((mesh.vertices * scale + shift).astype(np.float32), mesh.faces)


def turned_inside_out() -> Mesh:
    return replace(bare(), faces=np.ascontiguousarray(bare().faces[:, ::-1]))


def flattened() -> Mesh:
    vertices = bare().vertices.copy()
    vertices[:, 1:] = 0.0
    return replace(bare(), vertices=vertices)


def pinched() -> Mesh:
    mesh = joined(bare(), bare())
    flipped = mesh.vertices.copy()
    flipped[4:] *= -1.0
    faces = mesh.faces.copy()
    faces[4:] = faces[4:, ::-1]
    faces[faces == 4] = 0
    return Mesh(flipped, faces)


def out_of_range() -> Mesh:
    mesh = tetrahedron()
    assert mesh.texture is not None
    return replace(mesh, texture=replace(mesh.texture, points=mesh.texture.points + 1.0))


@pytest.mark.parametrize("mesh", [tetrahedron(), bare()])
def test_a_right_mesh_passes(mesh: Mesh) -> None:
    report = judge_mesh(mesh)
    assert report.verdict == "pass", report.as_dict()


@pytest.mark.parametrize(
    ("mesh", "name", "verdict"),
    [
        (Mesh(bare().vertices * np.float32(np.nan), bare().faces), "integrity", "fail"),
        (Mesh(bare().vertices, bare().faces[:3]), "open_edges", "warn"),
        (Mesh(bare().vertices, bare().faces[[0, 1, 2, 3, 3]]), "nonmanifold_edges", "warn"),
        (pinched(), "pinched_vertices", "warn"),
        (flattened(), "degenerate_faces", "fail"),
        (joined(bare(), bare(shift=3.0, scale=0.5)), "floaters", "fail"),
        (joined(bare(), bare(shift=0.1)), "self_intersection", "fail"),
        (turned_inside_out(), "normals_inward", "fail"),
        (out_of_range(), "uv_out_of_range", "fail"),
    ],
)
def test_a_planted_fault_is_found(mesh: Mesh, name: str, verdict: str) -> None:
    assert judge_mesh(mesh)[name].verdict == verdict


@pytest.mark.parametrize(
    ("colour", "comment", "verdict"),
    [((200, 30, 30), b"", "fail"), ((200, 30, 30), PLAIN, None), (None, PLAIN, "pass")],
)
def test_one_colour_is_a_fault_unless_it_is_what_is_shown(
    colour: tuple[int, int, int] | None, comment: bytes, verdict: str | None
) -> None:
    mesh = tetrahedron()
    assert mesh.texture is not None
    shown = Image.linear_gradient("L").convert("RGB")
    if colour is not None:
        shown.paste(colour, (0, 0, *shown.size))
    file = io.BytesIO()
    shown.save(file, "JPEG", comment=comment)
    report = judge_mesh(replace(mesh, texture=replace(mesh.texture, jpeg=file.getvalue())))

    found = {measure.name: measure.verdict for measure in report.measures}
    assert found.get("texture_spread") == verdict
    assert ("texture_spread" in {out.name for out in report.left_out}) == (verdict is None)
