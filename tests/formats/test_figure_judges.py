"""Readers of other projects see our GLB and FBX figures move as we do."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
import ufbx
from deploy.onebox.debian import install

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.formats import bvh, fbx, glb
from kinesphere.formats.clip import STANDARD, Clip, Skeleton, forward
from kinesphere.formats.euler import zxy_degrees
from kinesphere.formats.skin import rest_positions, skin_of
from tests.formats.motions import by_name, standing, tumbling, turned
from tests.judges.blender import Blender, blender
from tests.judges.node import Judge, node_judge

__all__ = ["blender", "node_judge"]
MILLIMETRE = 1e-3
WRITERS = {".bvh": bvh.encode, ".fbx": fbx.encode, ".glb": glb.encode}
METRES = {".fbx": 0.01, ".glb": 1.0}


def lizard() -> Clip:
    """A figure of no known names, one of them Chinese, that wags its tail."""
    names = ("body", "neck head", "L.leg", "R.leg", "尾")
    offsets = np.array([[0, 0.2, 0], [0, 0, 0.3], [0.1, -0.1, 0], [-0.1, -0.1, 0], [0, 0, -0.3]])
    skeleton = Skeleton(names, (-1, 0, 0, 0, 0), offsets, {1: (0, 0, 0.1), 4: (0, 0, -0.4)})
    clip = standing(31, 24.0, skeleton)
    return turned(clip, "尾", "y", np.linspace(-200.0, 200.0, 31))


CLIPS: dict[str, Callable[[], Clip]] = {
    "walk": lambda: play(read("walk then wave"), 3.0, 7),
    "kneel": lambda: play(read("kneel down"), 2.0, 7),
    "tumbling": lambda: tumbling(51),
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request: pytest.FixtureRequest) -> Clip:
    return CLIPS[request.param]()


def tenths(clip: Clip) -> list[int]:
    return sorted({*range(0, clip.frames, 10), clip.frames - 1})


def assert_agrees(clip: Clip, positions: list[dict[str, Any]], scale: float = 1.0) -> None:
    frames = tenths(clip)
    assert len(positions) == len(frames)
    for name, ours in by_name(clip).items():
        theirs = np.array([at[name] for at in positions]) * scale
        np.testing.assert_allclose(theirs, ours[frames], atol=MILLIMETRE)


def assert_wears_its_skin(clip: Clip, boxes: list[Any], scale: float = 1.0) -> None:
    """The skin goes where the joints go: around all of them, and not far beyond."""
    positions, _ = forward(clip)
    for frame, box in zip(tenths(clip), boxes, strict=True):
        low, high = np.array(box) * scale
        joints = positions[frame]
        assert (low < joints.min(axis=0) + 0.02).all()
        assert (high > joints.max(axis=0) - 0.02).all()
        assert (low > joints.min(axis=0) - 0.25).all()
        assert (high < joints.max(axis=0) + 0.25).all()


@pytest.mark.parametrize("made", [*CLIPS.values(), lambda: standing(1), lizard])
def test_khronos_validator_has_nothing_to_say(
    made: Callable[[], Clip], tmp_path: Path, node_judge: Judge
) -> None:
    path = tmp_path / "motion.glb"
    path.write_bytes(glb.encode(made()))
    issues = node_judge("gltf_report.mjs", path)["issues"]
    assert issues["messages"] == []
    assert [issues[f"num{kind}"] for kind in ("Errors", "Warnings", "Infos", "Hints")] == [0] * 4


@pytest.mark.parametrize("extension", METRES)
def test_three_agrees(extension: str, clip: Clip, tmp_path: Path, node_judge: Judge) -> None:
    path = tmp_path / f"motion{extension}"
    path.write_bytes(WRITERS[extension](clip))
    seen = node_judge("three_figure.mjs", path, clip.fps, *tenths(clip))
    assert seen["duration"] == pytest.approx((clip.frames - 1) / clip.fps)
    assert seen["skins"] >= 1
    assert_agrees(clip, seen["positions"], METRES[extension])
    assert_wears_its_skin(clip, seen["boxes"], METRES[extension])


def test_trimesh_loads_the_glb(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "motion.glb"
    path.write_bytes(glb.encode(clip))
    scene = trimesh.load_scene(path)
    skin = skin_of(clip.skeleton)
    assert len(scene.geometry) == len(skin.parts)
    np.testing.assert_allclose(scene.bounds[0], skin.points.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(scene.bounds[1], skin.points.max(axis=0), atol=1e-6)


@pytest.mark.parametrize("fps", [30.0, 24.0, 33.0])
def test_ufbx_sees_skin_skeleton_and_curves(fps: float, tmp_path: Path) -> None:
    made = CLIPS["walk"]()
    clip = Clip(made.translation, made.rotation, fps)
    path = tmp_path / "motion.fbx"
    path.write_bytes(fbx.encode(clip))
    with ufbx.load_file(str(path)) as scene:
        assert scene.settings.frames_per_second == pytest.approx(fps)
        assert scene.settings.unit_meters == pytest.approx(0.01)
        (stack,) = scene.anim_stacks
        assert stack.time_begin == 0.0
        assert stack.time_end == pytest.approx((clip.frames - 1) / fps)
        (mesh,) = scene.meshes
        assert mesh.num_vertices == len(skin_of(STANDARD).points)
        (skin,) = scene.skin_deformers
        assert {cluster.name for cluster in skin.clusters} == set(STANDARD.names)
        assert all(cluster.num_weights > 0 for cluster in skin.clusters)
        for name, rest in zip(STANDARD.names, rest_positions(STANDARD), strict=True):
            matrix = scene.find_node(name).node_to_world
            np.testing.assert_allclose(matrix[3, :3] / 100.0, rest, atol=MILLIMETRE)
        curves = [(c.num_keyframes, c.min_value, c.max_value) for c in scene.anim_curves]
    angles = zxy_degrees(clip.rotation)[..., [1, 2, 0]].reshape(clip.frames, -1)
    ours = np.column_stack((100.0 * clip.translation, angles))
    assert {keys for keys, _, _ in curves} == {clip.frames}
    np.testing.assert_allclose([low for _, low, _ in curves], ours.min(axis=0), atol=1e-3)
    np.testing.assert_allclose([high for _, _, high in curves], ours.max(axis=0), atol=1e-3)


@pytest.fixture(scope="session")
def assimp() -> str:
    """Debian's assimp."""
    return install("assimp-utils", "assimp")


def test_assimp_agrees(clip: Clip, tmp_path: Path, assimp: str, node_judge: Judge) -> None:
    path, rewritten = tmp_path / "motion.fbx", tmp_path / "rewritten.glb"
    path.write_bytes(fbx.encode(clip))
    command = [assimp, "export", str(path), str(rewritten)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    seen = node_judge("three_figure.mjs", rewritten, clip.fps, *tenths(clip))
    assert seen["duration"] == pytest.approx((clip.frames - 1) / clip.fps, abs=1e-3)
    assert_agrees(clip, seen["positions"], 0.01)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_blender_agrees(clip: Clip, tmp_path: Path, blender: Blender) -> None:
    paths = {extension: tmp_path / f"motion{extension}" for extension in WRITERS}
    for extension, path in paths.items():
        path.write_bytes(WRITERS[extension](clip))
    frames = ",".join(map(str, tenths(clip)))
    report = blender("blender_figure.py", frames, *paths.values())
    assert report["blender"].startswith("5.0.1")
    assert set(report["files"]) == set(WRITERS)
    for extension, seen in report["files"].items():
        assert_agrees(clip, seen["positions"])
        assert seen["last"] == pytest.approx(clip.frames - 1, abs=1e-3)
        if extension in METRES:
            assert seen["skins"] == 1
            assert_wears_its_skin(clip, seen["boxes"])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_blender_exports_is_read(clip: Clip, tmp_path: Path, blender: Blender) -> None:
    ours, theirs = tmp_path / "ours.glb", tmp_path / "theirs.glb"
    ours.write_bytes(glb.encode(clip))
    blender("blender_rewrite.py", ours, theirs)
    back = glb.decode(theirs.read_bytes())
    assert back.skeleton.names == clip.skeleton.names
    assert back.frames == clip.frames
    assert back.fps == pytest.approx(clip.fps, rel=1e-5)
    np.testing.assert_allclose(forward(back)[0], forward(clip)[0], atol=MILLIMETRE)


def test_the_validator_is_awake(tmp_path: Path, node_judge: Judge) -> None:
    data = glb.encode(standing(2))
    broken = data.replace(b'"componentType":5126', b'"componentType":5125', 1)
    path = tmp_path / "broken.glb"
    path.write_bytes(broken)
    report = node_judge("gltf_report.mjs", path)
    assert report["issues"]["numErrors"] > 0, json.dumps(report)
