"""Meshes, conversions and judgements: what is sent, what is tried again, what comes back."""

import email
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kinesphere.client import Rejected, UnexpectedAnswer
from kinesphere.client.effects import Upload
from kinesphere.client.wire import mesh_request, upload_seconds
from tests import pictures
from tests.client.conftest import Connect
from tests.client.faults import FaultyServer, Heard, answer, events, problem, silence
from tests.client.test_faults import DATA, FILE, JOB, ended, job

PICTURE = pictures.png(32)
REPORT: dict[str, Any] = {
    "task": "motion",
    "file": "clip.bvh",
    "verdict": "fail",
    "measures": [
        {
            "name": "limit_elbow",
            "value": 35.5,
            "unit": "°",
            "verdict": "fail",
            "warn_at": 10,
            "fail_at": 25,
            "lower_is_worse": False,
            "frames": [4, 5],
            "joints": ["L_Elbow"],
            "source": "a book",
            "invented_since": 1,
        }
    ],
    "left_out": [{"name": "contact", "reason": "no feet"}],
    "seconds": 1.0,
    "frames": 30,
    "vertices": None,
    "faces": None,
}


def form(heard: Heard) -> dict[str, tuple[str | None, bytes]]:
    """File name and bytes of each part of a multipart body."""
    kind = f"Content-Type: {heard.headers['content-type']}\r\n\r\n".encode()
    parts: dict[str, tuple[str | None, bytes]] = {}
    whole = email.message_from_bytes(kind + heard.body)
    for part in whole.walk():
        if not part.is_multipart():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            name = part.get_param("name", header="content-disposition")
            parts[str(name)] = (part.get_filename(), data)
    return parts


def test_a_picture_is_sent_as_a_form(
    connect: Connect, faulty: FaultyServer, tmp_path: Path
) -> None:
    faulty.on("POST /v1/meshes", answer(job(task="mesh"), 202))
    (tmp_path / "cup.png").write_bytes(PICTURE)
    made = connect(faulty.url).submit_mesh(
        tmp_path / "cup.png", mask=b"white", sides={"back": tmp_path / "cup.png"}, texture=False,
        faces=5000, seed=7, format="obj", model="relief", priority=8,
        deadline=datetime(2031, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    assert (made.id, made.task) == (JOB, "mesh")
    (heard,) = faulty.heard
    assert form(heard) == {
        "image": ("cup.png", PICTURE),
        "mask": ("mask", b"white"),
        "back": ("cup.png", PICTURE),
        "texture": (None, b"false"),
        "faces": (None, b"5000"),
        "seed": (None, b"7"),
        "format": (None, b"obj"),
        "model": (None, b"relief"),
        "priority": (None, b"8"),
        "deadline": (None, b"2031-03-01T00:00:00+00:00"),
    }


def test_an_address_is_sent_as_json(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("POST /v1/meshes", answer(job(task="mesh"), 202))
    connect(faulty.url).submit_mesh(image_url="https://example.com/cup.jpg", seed=1, wait=2)
    (heard,) = faulty.heard
    assert json.loads(heard.body) == {
        "image_url": "https://example.com/cup.jpg", "texture": True, "seed": 1, "priority": 5,
    }  # fmt: skip
    assert heard.headers["prefer"] == "wait=2"


def test_an_upload_that_was_cut_is_sent_again_under_its_key(
    connect: Connect, faulty: FaultyServer
) -> None:
    steps = (silence, problem(503, "QUEUE_FULL", retry=True), answer(job(task="mesh"), 202))
    faulty.on("POST /v1/meshes", *steps)
    client = connect(faulty.url)
    client.submit_mesh(PICTURE)
    client.submit_mesh(PICTURE, idempotency_key="mine")
    keys = [heard.headers["idempotency-key"] for heard in faulty.heard]
    assert len(set(keys[:3])) == 1
    assert keys[3:] == ["mine"]
    assert all(form(heard)["image"] == ("image", PICTURE) for heard in faulty.heard)


def test_a_refused_picture_is_not_sent_again(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("POST /v1/meshes", problem(422, "IMAGE_REJECTED"))
    with pytest.raises(Rejected, match="IMAGE_REJECTED"):
        connect(faulty.url).submit_mesh(b"no picture")
    assert len(faulty.heard) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give one of them"),
        ({"picture": PICTURE, "image_url": "https://example.com/"}, "give one of them"),
        ({"image_url": "https://example.com/", "mask": b"white"}, "go with a picture that is sent"),
        ({"picture": PICTURE, "sides": {"top": PICTURE}}, "no side is named 'top'"),
        ({"picture": PICTURE, "deadline": datetime(2031, 3, 1)}, "time zone"),
    ],
)
def test_a_request_that_makes_no_sense_is_not_sent(
    connect: Connect, faulty: FaultyServer, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        connect(faulty.url).submit_mesh(**given)
    assert faulty.heard == []


def test_a_picture_that_is_not_there(
    connect: Connect, faulty: FaultyServer, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        connect(faulty.url).submit_mesh(tmp_path / "none.png")
    assert faulty.heard == []


def test_the_time_for_an_answer_grows_with_what_may_still_be_on_its_way() -> None:
    def patience(size: int, **options: Any) -> float | None:
        files = (Upload("image", "a.png", bytes(size)),) if size else ()
        options_: Any = options
        request = mesh_request(None, files, options_, key="k", now=0.0, timeout=30.0)
        return request.read_timeout

    assert patience(0) is None
    assert patience(0, wait=5) == 35.0
    assert patience(1_000_000) == 50.0
    assert patience(1_000_000, wait=5) == 55.0
    assert patience(100_000_000) == patience(10_000_000) == 30.0 + 4_194_304 / 50_000
    assert upload_seconds(()) == 0.0


def test_one_call_makes_a_mesh(connect: Connect, faulty: FaultyServer, tmp_path: Path) -> None:
    faulty.on("POST /v1/meshes", answer(job(task="mesh"), 202))
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(("succeeded", 2, {})))
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", answer(DATA))
    client = connect(faulty.url)
    for name, wanted in (("a/cup.GLB", b"glb"), ("cup.obj.zip", b"obj"), ("cup.stl", b"stl")):
        assert client.generate_mesh(PICTURE, to=tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_bytes() == DATA
        assert form(faulty.requests("POST /v1/meshes")[-1])["format"] == (None, wanted)
    assert client.generate_mesh(PICTURE, to=tmp_path) == tmp_path / "motion.bvh"
    assert "format" not in form(faulty.requests("POST /v1/meshes")[-1])
    with pytest.raises(ValueError, match=r"name it cup\.obj\.zip"):
        client.generate_mesh(PICTURE, to=tmp_path / "cup.obj")


# --------------------------------------------------------------------------- other formats

CONVERTED = f"GET /v1/jobs/{JOB}/artifacts/glb"


def test_a_file_in_another_format(connect: Connect, faulty: FaultyServer, tmp_path: Path) -> None:
    named = {"Content-Disposition": 'attachment; filename="motion.glb"'}
    faulty.on(CONVERTED, problem(503, "SHUTTING_DOWN", retry=True), answer(DATA, headers=named))
    client = connect(faulty.url)
    assert client.convert(JOB, "GLB") == DATA
    assert client.convert(JOB, "glb", tmp_path) == tmp_path / "motion.glb"
    assert client.convert(JOB, "glb", tmp_path / "new" / "m.glb").read_bytes() == DATA
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.glb"]


@pytest.mark.parametrize(
    "told", ["", 'attachment; filename="../../evil"', 'attachment; filename=".."', "inline"]
)
def test_a_name_that_is_none_is_not_used(
    connect: Connect, faulty: FaultyServer, tmp_path: Path, told: str
) -> None:
    faulty.on(CONVERTED, answer(DATA, headers={"Content-Disposition": told}))
    assert connect(faulty.url).convert(JOB, "glb", tmp_path) == tmp_path / f"{JOB}.glb"


def test_half_a_file_is_not_kept(connect: Connect, faulty: FaultyServer, tmp_path: Path) -> None:
    faulty.on(CONVERTED, answer(DATA, only=1000), answer(DATA))
    to = connect(faulty.url).convert(JOB, "glb", tmp_path / "m.glb")
    assert to.read_bytes() == DATA
    faulty.on(CONVERTED, problem(409, "FORMAT_UNAVAILABLE"))
    with pytest.raises(Rejected, match="FORMAT_UNAVAILABLE"):
        connect(faulty.url).convert(JOB, "glb", tmp_path / "other.glb")
    assert [path.name for path in tmp_path.iterdir()] == ["m.glb"]


# ------------------------------------------------------------------------------ judgements


def test_a_file_is_judged(connect: Connect, faulty: FaultyServer, tmp_path: Path) -> None:
    faulty.on("POST /validate", silence, answer(REPORT))
    (tmp_path / "clip.bvh").write_bytes(DATA)
    report = connect(faulty.url).validate(tmp_path / "clip.bvh")
    assert [form(heard) for heard in faulty.heard] == [{"file": ("clip.bvh", DATA)}] * 2
    assert (report.task, report.verdict, report.frames) == ("motion", "fail", 30)
    measure = report["limit_elbow"]
    assert (measure.value, measure.frames, measure.joints) == (35.5, (4, 5), ("L_Elbow",))
    assert [out.name for out in report.left_out] == ["contact"]
    with pytest.raises(KeyError):
        report["limit_tail"]


def test_a_job_is_judged(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("POST /validate", answer(REPORT))
    client = connect(faulty.url)
    assert client.validate(JOB).verdict == "fail"
    assert json.loads(faulty.heard[0].body) == {"job_id": JOB}
    faulty.on("POST /validate", answer({"verdict": "pass"}))
    with pytest.raises(UnexpectedAnswer, match="not a Report"):
        client.validate(JOB)
