"""The mannequin: closed, of human size, bound by whole weights, the same every time."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from kinesphere.formats.clip import JOINT_NAMES, STANDARD, Clip, Floats, Skeleton, forward
from kinesphere.formats.flesh import FULL
from kinesphere.formats.skin import Skin, rest_positions, skin_of
from tests.formats.motions import standing, turned

CHAIN = Skeleton(
    tuple(f"bone {j}" for j in range(600)),
    tuple(range(-1, 599)),
    np.tile([0.0, 0.01, 0.0], (600, 1)),
    {},
)
POINT = Skeleton(("alone",), (-1,), np.array([[0.0, 1.0, 0.0]]), {})
GIANT = replace(STANDARD, offsets=1.4 * STANDARD.offsets)
BROAD = replace(STANDARD, offsets=STANDARD.offsets * [1.15, 1.0, 1.0])
HEADLONG = replace(STANDARD, offsets=-STANDARD.offsets)
LONG_ARMED = replace(STANDARD, offsets=STANDARD.offsets * [1000.0, 1.0, 1.0])
FIGURES = {
    "standard": STANDARD,
    "giant": GIANT,
    "broad": BROAD,
    "chain": CHAIN,
    "point": POINT,
    "headlong": HEADLONG,
    "long-armed": LONG_ARMED,
}


def triangles(skin: Skin) -> trimesh.Trimesh:
    faces = np.concatenate([faces for _, faces in skin.parts])
    return trimesh.Trimesh(skin.points, faces, process=False)


def posed(clip: Clip) -> Floats:
    """The skin's points (V, 3) m in a clip's last frame."""
    skin = skin_of(clip.skeleton)
    positions, rotations = forward(clip)
    away = skin.points[:, None] - rest_positions(clip.skeleton)[skin.joints]
    moved = np.einsum("vkij,vkj->vki", rotations[-1, skin.joints], away)
    moved += positions[-1, skin.joints]
    return np.asarray(np.einsum("vk,vki->vi", skin.weights / FULL, moved))


@pytest.mark.parametrize("skeleton", FIGURES.values(), ids=FIGURES)
def test_it_is_closed_and_faces_outwards(skeleton: Skeleton) -> None:
    skin = skin_of(skeleton)
    mesh = triangles(skin)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0.0
    np.testing.assert_allclose(np.linalg.norm(skin.normals, axis=1), 1.0, atol=1e-6)
    assert (np.einsum("vi,vi->v", mesh.vertex_normals, skin.normals) > 0.2).all()


@pytest.mark.parametrize("skeleton", FIGURES.values(), ids=FIGURES)
def test_weights_are_whole_and_name_no_joint_twice(skeleton: Skeleton) -> None:
    skin = skin_of(skeleton)
    assert (skin.weights.astype(int).sum(axis=1) == FULL).all()
    assert (skin.joints[skin.weights == 0] == 0).all()
    for joints, weights in zip(skin.joints, skin.weights, strict=True):
        used = joints[weights > 0]
        assert len(set(used)) == len(used)


def test_it_has_the_measures_of_a_person() -> None:
    skin = skin_of(STANDARD)
    low, high = skin.points.min(axis=0), skin.points.max(axis=0)
    assert low[1] == pytest.approx(0.0, abs=0.002)
    assert high[1] == pytest.approx(1.70, abs=0.02)
    assert high[0] - low[0] == pytest.approx(1.74, abs=0.06)
    # A man or woman of 1.70 m weighs 55 to 75 kg, at about the density of water.
    assert 0.050 < triangles(skin).volume < 0.075
    np.testing.assert_allclose(low[0], -high[0], atol=1e-3)


def test_it_grows_with_its_skeleton() -> None:
    assert skin_of(GIANT).points[:, 1].max() == pytest.approx(1.4 * 1.70, abs=0.03)


@pytest.mark.parametrize(
    ("joint", "axis", "degrees"),
    [
        ("L_Knee", "x", 130.0),
        ("R_Elbow", "y", 130.0),
        ("L_Hip", "x", -100.0),
        ("Spine2", "y", 40.0),
    ],
)
def test_bends_keep_their_flesh(joint: str, axis: str, degrees: float) -> None:
    faces = np.concatenate([faces for _, faces in skin_of(STANDARD).parts])
    rest = trimesh.Trimesh(posed(standing(2)), faces, process=False)
    bent = trimesh.Trimesh(posed(turned(standing(2), joint, axis, degrees)), faces, process=False)
    assert bent.volume == pytest.approx(rest.volume, rel=0.04)


def test_each_side_has_its_colour_and_the_face_its_visor() -> None:
    skin = skin_of(STANDARD)
    centres = {part.name: skin.points[faces].mean(axis=1) for part, faces in skin.parts}
    assert (centres["Left"][:, 0] > 0.0).all()
    assert (centres["Right"][:, 0] < 0.0).all()
    assert (centres["Visor"][:, 2] > 0.0).all()
    head = rest_positions(STANDARD)[JOINT_NAMES.index("Head")]
    face = skin.points[(skin.points[:, 1] > head[1] - 0.04)]
    assert centres["Visor"][:, 2].max() > np.percentile(face[:, 2], 80)


def test_a_skeleton_seen_before_is_not_built_again() -> None:
    again = replace(STANDARD, offsets=STANDARD.offsets.copy())
    assert skin_of(again) is skin_of(STANDARD)
    assert skin_of(GIANT) is not skin_of(STANDARD)
