"""Meshes of pictures, other formats and measures, as a person asks for them."""

import json
from pathlib import Path

import numpy as np
import pytest

from kinesphere.formats import bvh, glb
from kinesphere.formats.mesh import MESH_FORMATS
from tests import pictures
from tests.cli.conftest import Run
from tests.formats.motions import turned, waving
from tests.servers import ServerProcess

PNG = b"\x89PNG"


def told(printed: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in printed.splitlines())


def test_a_mesh_without_a_server(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "My Cup.jpg").write_bytes(pictures.jpeg())
    (tmp_path / "mask").write_bytes(pictures.encoded(pictures.mask()))
    done = kinesphere(
        "generate", "My Cup.jpg", "--seed", "3", "--faces", "2000", "--mask", "mask",
        "-o", "made/cup.glb", "--preview", "made/cup.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mesh = MESH_FORMATS["glb"].decode((tmp_path / "made/cup.glb").read_bytes())
    assert mesh.texture is not None
    assert len(mesh.faces) == pytest.approx(2000, rel=0.05)
    assert (tmp_path / "made/cup.png").read_bytes().startswith(PNG)
    facts = told(done.stdout)
    assert facts["seed"] == "3"
    assert facts["file"].startswith("made/cup.glb")


def test_the_same_mesh_by_a_server(kinesphere: Run, tmp_path: Path, server: ServerProcess) -> None:
    (tmp_path / "My Cup.png").write_bytes(pictures.png())
    for place in ((), ("--url", server.url)):
        done = kinesphere("generate", "My Cup.png", "--no-texture", "--seed", "5", *place)
        assert done.returncode == 0, done.stderr
        (tmp_path / "my-cup.glb").rename(tmp_path / f"{len(place)}.glb")
    data = (tmp_path / "0.glb").read_bytes()
    assert data == (tmp_path / "2.glb").read_bytes()
    assert MESH_FORMATS["glb"].decode(data).texture is None
    listed = kinesphere("jobs", "--limit", "1", "--url", server.url)
    assert "256 x 256 image/png" in listed.stdout


def test_a_picture_is_told_by_what_it_holds(
    kinesphere: Run, tmp_path: Path, server: ServerProcess
) -> None:
    (tmp_path / "wave").write_bytes(pictures.png())
    (tmp_path / "bow").write_text("not a picture")
    (tmp_path / "jump").mkdir()
    for what, made in (("wave", "wave.obj.zip"), ("bow", "bow.bvh"), ("jump", "jump.bvh")):
        form = ("-f", "obj") if what == "wave" else ("-d", "1")
        done = kinesphere("generate", what, *form, "--url", server.url)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / made).stat().st_size > 1000


@pytest.mark.parametrize("where", ["here", "server"])
@pytest.mark.parametrize(
    ("picture", "arguments", "message"),
    [
        (pictures.png()[:3000], (), "IMAGE_REJECTED"),
        (pictures.animated_gif(), (), "a PNG, JPEG or WebP picture"),
        (pictures.huge(), (), "IMAGE_TOO_LARGE"),
        (pictures.png(), ("--faces", "1"), "faces is 1"),
        (pictures.png(), ("-f", "bvh"), "glb, obj, ply, stl"),
        (pictures.png(), ("-o", "cup.doc", "--preview", "x.png"), "--preview cannot draw doc"),
        (pictures.png(), ("-o", "cup.obj"), "name it cup.obj.zip"),
        (pictures.png(), ("-d", "3"), "--duration is for motions"),
        (pictures.png(), ("--model", "choreo"), "MODEL_UNKNOWN"),
        (pictures.png(), ("--mask", "broken"), "IMAGE_REJECTED"),
        (pictures.png(), ("--back", "cup"), "back is not taken"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_a_refused_picture_exits_2(
    kinesphere: Run,
    server: ServerProcess,
    tmp_path: Path,
    where: str,
    picture: bytes,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "cup").write_bytes(picture)
    (tmp_path / "broken").write_bytes(b"no mask")
    place = ("--url", server.url) if where == "server" else ()
    done = kinesphere("generate", "cup", *arguments, *place)
    assert done.returncode == 2
    assert message in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "cup"]


# --------------------------------------------------------------------------- other formats


def test_what_a_job_has_made_in_another_format(
    kinesphere: Run, tmp_path: Path, server: ServerProcess
) -> None:
    place = ("--url", server.url)
    assert kinesphere("generate", "bow", "-d", "1", *place).returncode == 0
    listed = json.loads(kinesphere("jobs", "--json", "--limit", "1", *place).stdout)
    number = listed[0]["id"]
    done = kinesphere("convert", number, "GLB", *place)
    assert done.returncode == 0, done.stderr
    assert told(done.stdout)["file"].startswith("motion.glb")
    assert glb.decode((tmp_path / "motion.glb").read_bytes()).frames == 30
    assert kinesphere("convert", number, "npz", "-o", "a/b.npz", *place).returncode == 0
    assert (tmp_path / "a/b.npz").read_bytes().startswith(b"PK")
    for arguments, message in (((number, "stl"), "bvh, fbx"), (("X" * 26, "glb"), "NOT_FOUND")):
        done = kinesphere("convert", *arguments, *place)
        assert done.returncode == 2
        assert message in done.stderr


# -------------------------------------------------------------------------------- measures


def test_a_right_motion_passes(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "wave.glb").write_bytes(glb.encode(waving()))
    done = kinesphere("validate", "wave.glb")
    assert done.returncode == 0, done.stderr
    header, *rows, last = done.stdout.splitlines()
    assert header.split()[:3] == ["measure", "verdict", "value"]
    assert any(row.split()[:2] == ["limit_elbow", "pass"] for row in rows)
    assert last == "wave.glb: pass"


def test_a_bent_elbow_exits_1_and_is_told_with_frame_and_joint(
    kinesphere: Run, tmp_path: Path
) -> None:
    degrees = np.zeros(60)
    degrees[20:28] = -190.0
    (tmp_path / "bent.bvh").write_bytes(bvh.encode(turned(waving(), "L_Elbow", "y", degrees)))
    done = kinesphere("validate", "bent.bvh")
    assert done.returncode == 1
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("limit_elbow")]
    assert row.split()[1] == "fail"
    assert row.rstrip().endswith("20 21 22 23 24 …  L_Elbow")
    assert done.stdout.endswith("bent.bvh: fail\n")
    found = kinesphere("validate", "bent.bvh", "--json")
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert (report["verdict"], report["frames"]) == ("fail", 60)


def test_a_mesh_is_measured(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "cup.png").write_bytes(pictures.png())
    for name in ("cup.glb", "cup.obj.zip"):
        assert kinesphere("generate", "cup.png", "-o", name, "--no-texture").returncode == 0
        done = kinesphere("validate", name)
        assert done.returncode == 0, done.stdout
        assert not done.stdout.endswith("fail\n")


@pytest.mark.parametrize("name", ["empty.bvh", "garbage.glb", "notes.txt", "motion.fbx"])
def test_what_cannot_be_measured_exits_2(kinesphere: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if "empty" in name else bytes(range(256)))
    done = kinesphere("validate", name)
    assert done.returncode == 2
    assert "FILE_REJECTED" in done.stderr
    assert "Traceback" not in done.stderr
