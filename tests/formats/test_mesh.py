"""Every mesh format, read by ourselves and by trimesh."""

import io
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image

from kinesphere.formats.mesh import MESH_FORMATS, BadMesh, Mesh, Texture, check
from kinesphere.formats.turntable import VIEW, turntable


def tetrahedron() -> Mesh:
    """A textured tetrahedron with a seam around each face; 1 m high."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((64, 32)).save(file, "JPEG")
    points = np.random.default_rng(1).random((12, 2)).astype(np.float32)
    corners = np.arange(12, dtype=np.int32).reshape(4, 3)
    return Mesh(vertices, faces, Texture(file.getvalue(), (64, 32), points, corners))


@pytest.mark.parametrize("name", MESH_FORMATS)
def test_every_format_keeps_the_shape_exactly(name: str) -> None:
    mesh, form = tetrahedron(), MESH_FORMATS[name]
    data = form.encode(mesh)
    assert form.encode(mesh) == data
    back = form.decode(data)
    ours, theirs = mesh.vertices[mesh.faces], back.vertices[back.faces]
    np.testing.assert_array_equal(ours, theirs)
    assert len(back.vertices) == 4
    assert (back.texture is not None) == form.textured
    if back.texture is not None and mesh.texture is not None:
        np.testing.assert_allclose(
            back.texture.points[back.texture.corners],
            mesh.texture.points[mesh.texture.corners],
            atol=1e-6,
        )
        assert (back.texture.jpeg, back.texture.size) == (mesh.texture.jpeg, (64, 32))


@pytest.mark.parametrize("name", MESH_FORMATS)
def test_trimesh_reads_it(name: str) -> None:
    mesh = tetrahedron()
    data = MESH_FORMATS[name].encode(mesh)
    if name == "obj":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("mesh.obj")
    found = trimesh.load_mesh(io.BytesIO(data), file_type=name)
    found.merge_vertices(merge_tex=True, merge_norm=True)
    assert found.is_watertight
    assert found.volume == pytest.approx(1.0 / 6.0)


@pytest.mark.parametrize("name", MESH_FORMATS)
@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_damaged_files_are_refused(name: str, damage: str) -> None:
    form = MESH_FORMATS[name]
    data = form.encode(tetrahedron())
    wrong = {"cut": data[: len(data) // 2], "empty": b"", "other": b"\x00" * 300}[damage]
    with pytest.raises(BadMesh):
        form.decode(wrong)


def test_indices_out_of_range_are_refused() -> None:
    mesh = tetrahedron()
    with pytest.raises(BadMesh, match="not there"):
        check(Mesh(mesh.vertices, mesh.faces + 1))


def test_a_turntable_leaves_out_faces_of_no_area() -> None:
    whole = tetrahedron()
    flat = np.array([[0, 0, 1], [0, 1, 1]], np.int32)
    with_flat = Mesh(whole.vertices, np.concatenate([whole.faces, flat]))
    assert turntable(with_flat) == turntable(Mesh(whole.vertices, whole.faces))


def test_a_turntable_shows_every_side() -> None:
    with Image.open(io.BytesIO(turntable(tetrahedron(), views=3))) as picture:
        assert picture.size == (3 * VIEW, VIEW)
        for left in range(0, 3 * VIEW, VIEW):
            side = np.asarray(picture.crop((left, 0, left + VIEW, VIEW)))
            assert (side < 200).any(axis=2).mean() > 0.05
