"""Judging files and jobs over HTTP, and giving what jobs have made in other formats."""

import io
from typing import Any

import httpx
import numpy as np
import pytest

from kinesphere.formats import bvh, glb, npz
from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from tests.formats.motions import standing, turned, waving
from tests.http.test_jobs import finished, submit
from tests.http.test_refusals import assert_problem

FRAMES = slice(20, 23)


def bent() -> bytes:
    """A right motion but for one elbow, which bends to 190 degrees in three frames."""
    degrees = np.zeros(60)
    degrees[FRAMES] = -190.0
    return bvh.encode(turned(waving(), "L_Elbow", "y", degrees))


def cube(holes: int = 0) -> Mesh:
    """A closed cube of 12 faces, less `holes` of them."""
    corners = np.array(
        [[x, y, z] for x in (-0.5, 0.5) for y in (0, 1) for z in (-0.5, 0.5)], np.float32
    )
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces[holes:], np.int32))


def judged(http: httpx.Client, name: str, data: bytes) -> dict[str, Any]:
    answer = http.post("/validate", files={"file": (name, data)})
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    assert report["file"] == name
    return report


def measure(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in report["measures"] if each["name"] == name]
    assert isinstance(found, dict)
    return found


def test_an_elbow_bent_past_180_degrees_is_found_on_its_frame(http: httpx.Client) -> None:
    report = judged(http, "bent.bvh", bent())
    assert (report["task"], report["verdict"], report["frames"]) == ("motion", "fail", 60)
    assert report["seconds"] == pytest.approx(2.0, abs=1 / 30)
    elbow = measure(report, "limit_elbow")
    assert elbow["verdict"] == "fail"
    assert elbow["joints"] == ["L_Elbow"]
    assert elbow["frames"] == [20, 21, 22]
    assert elbow["value"] > elbow["fail_at"] > elbow["warn_at"]
    assert elbow["source"]


@pytest.mark.parametrize("name", ["clip.bvh", "clip.glb", "clip.npz", "CLIP.BVH", "a/b\\动作.bvh"])
def test_a_right_motion_passes_in_every_format(http: httpx.Client, name: str) -> None:
    codec = {"bvh": bvh, "glb": glb, "npz": npz}[name[-3:].lower()]
    told = name.replace("\\", "/").rpartition("/")[2]
    answer = http.post("/validate", files={"file": (name, codec.encode(waving()))})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["file"], answer.json()["verdict"]) == (told, "pass")


def test_checks_that_could_not_be_made_are_told(http: httpx.Client) -> None:
    report = judged(http, "still.bvh", bvh.encode(standing()))
    assert measure(report, "static")["verdict"] == "fail"
    for out in report["left_out"]:
        assert out["name"] and out["reason"]


@pytest.mark.parametrize("form", MESH_FORMATS)
def test_a_mesh_is_judged_in_every_format(http: httpx.Client, form: str) -> None:
    kind = MESH_FORMATS[form]
    report = judged(http, f"cube{kind.extension}", kind.encode(cube()))
    assert (report["task"], report["faces"]) == ("mesh", 12)
    assert report["frames"] is None
    holed = judged(http, f"cube{kind.extension}", kind.encode(cube(holes=1)))
    assert holed["verdict"] in ("warn", "fail")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.bvh", b""),
        ("empty.glb", b""),
        ("empty.npz", b""),
        ("garbage.bvh", bytes(range(256)) * 20),
        ("garbage.glb", b"glTF" + bytes(range(256))),
        ("garbage.npz", b"PK\x03\x04" + bytes(range(256))),
        ("garbage.stl", bytes(range(256))),
        ("garbage.ply", b"ply\nformat ascii 1.0\n"),
        ("garbage.obj.zip", b"PK\x05\x06" + bytes(18)),
        ("cut.bvh", bvh.encode(waving())[:5000]),
        ("cut.glb", glb.encode(waving())[:5000]),
        ("wrong.npz", bvh.encode(waving())),
        ("wrong.bvh", npz.encode(waving())),
        ("motion.fbx", b"Kaydara FBX Binary  \x00"),
        ("motion.txt", bvh.encode(waving())),
        ("no-ending", bvh.encode(waving())),
        ("bvh", bvh.encode(waving())),
    ],
)
def test_what_cannot_be_judged_is_refused(http: httpx.Client, name: str, data: bytes) -> None:
    answer = http.post("/validate", files={"file": (name, data)})
    assert_problem(answer, 422, "FILE_REJECTED", "file")
    assert len(answer.json()["detail"]) < 1000


@pytest.mark.parametrize(
    ("sent", "status", "code", "field"),
    [
        ({"files": {"other": ("a.bvh", b"x")}}, 422, "INVALID_REQUEST", "file"),
        ({"files": {"file": ("", b"x")}}, 422, "INVALID_REQUEST", "file"),
        ({"data": {"file": "x"}, "files": {"a": ("b", b"")}}, 422, "INVALID_REQUEST", "file"),
        ({"json": {}}, 422, "INVALID_REQUEST", "job_id"),
        ({"json": {"job_id": "nobody"}}, 404, "JOB_NOT_FOUND", None),
        ({"json": {"job_id": 5}}, 422, "INVALID_REQUEST", "job_id"),
        ({"json": {"job_id": "a" * 65}}, 422, "INVALID_REQUEST", "job_id"),
        ({"json": {"job_id": "a", "more": 1}}, 422, "INVALID_REQUEST", "more"),
        ({"content": b"x"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type"),
        (
            {"content": b"x", "headers": {"content-type": "text/plain"}},
            415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type",
        ),
        (
            {"content": b"{", "headers": {"content-type": "application/json"}},
            400, "MALFORMED_JSON", None,
        ),
    ],
)  # fmt: skip
def test_a_request_that_is_none(
    http: httpx.Client, sent: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    assert_problem(http.post("/validate", **sent), status, code, field)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/validate", "/v1/meshes"])
def test_a_form_that_cannot_be_read_is_refused(http: httpx.Client, kind: str, path: str) -> None:
    for content in (b"nonsense", b"--x\r\nbad\r\n\r\n"):
        answer = http.post(path, content=content, headers={"content-type": kind})
        assert_problem(answer, 422, "INVALID_REQUEST", "")


@pytest.mark.parametrize("path", ["/validate", "/v1/meshes"])
def test_a_form_with_too_many_files_is_refused(http: httpx.Client, path: str) -> None:
    files = [(f"file{number}", ("a.bvh", b"x")) for number in range(6)]
    assert_problem(http.post(path, files=files), 422, "INVALID_REQUEST", "")


def test_a_job_is_judged(http: httpx.Client) -> None:
    job = finished(http, submit(http, "a man walks, then waves", duration=3, seed=1))
    answer = http.post("/validate", json={"job_id": job["id"].lower()})
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["task"], report["file"], report["frames"]) == ("motion", "motion.bvh", 90)
    assert report["verdict"] == job["notes"]["quality"]["verdict"]


# --------------------------------------------------------------------------- other formats


def converted(http: httpx.Client, job_id: str, form: str) -> httpx.Response:
    return http.get(f"/v1/jobs/{job_id}/artifacts/{form}")


@pytest.mark.parametrize("made", ["bvh", "fbx"])
def test_a_motion_is_given_in_every_format(http: httpx.Client, made: str) -> None:
    job = finished(http, submit(http, "wave", duration=1, seed=1, format=made))
    kinds = {
        "bvh": (b"HIERARCHY", "application/x-bvh"),
        "glb": (b"glTF", "model/gltf-binary"),
        "fbx": (b"Kaydara FBX Binary", "application/octet-stream"),
        "npz": (b"PK", "application/x-npz"),
    }
    for form, (start, kind) in kinds.items():
        answer = converted(http, job["id"], form)
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(start)
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f'attachment; filename="motion.{form}"'
    own = next(a for a in job["artifacts"] if a["name"].endswith(f".{made}"))
    assert converted(http, job["id"], made).content == http.get(own["url"]).content
    clip = npz.decode(converted(http, job["id"], "npz").content)
    assert clip.frames == bvh.decode(converted(http, job["id"], "bvh").content).frames
    with np.load(io.BytesIO(converted(http, job["id"], "npz").content)) as arrays:
        assert arrays.files


@pytest.mark.parametrize("form", ["stl", "obj", "doc", "BVH", "bvh.exe", "..%2fsecret"])
def test_a_format_that_motions_do_not_have(http: httpx.Client, form: str) -> None:
    job = finished(http, submit(http, "wave", duration=1, seed=1))
    answer = converted(http, job["id"], form)
    if "%" in form:
        assert answer.status_code in (404, 422)
        return
    assert_problem(answer, 422, "INVALID_REQUEST", "format")
    assert answer.json()["errors"][0]["allowed"] == "bvh, fbx, glb, npz"


def test_a_job_that_has_no_file_yet_or_never_will(http: httpx.Client) -> None:
    jobs = [submit(http, "dance", duration=30) for _ in range(30)]
    last = jobs[-1]["id"]
    assert_problem(converted(http, last, "glb"), 409, "FORMAT_UNAVAILABLE", None)
    answer = http.post("/validate", json={"job_id": last})
    assert_problem(answer, 409, "FORMAT_UNAVAILABLE", None)
    for job in jobs:
        http.delete(f"/v1/jobs/{job['id']}")
    answer = converted(http, last, "glb")
    assert_problem(answer, 409, "FORMAT_UNAVAILABLE", None)
    assert "cancelled" in answer.json()["detail"]


def test_a_job_that_is_not_there(http: httpx.Client) -> None:
    unknown = "01KAZ6T3V9S2Q4W8E0R5Y7T1S3"
    assert_problem(converted(http, unknown, "glb"), 404, "JOB_NOT_FOUND", None)
    assert_problem(converted(http, "not-an-id", "glb"), 422, "INVALID_REQUEST", None)
