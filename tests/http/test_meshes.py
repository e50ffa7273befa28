"""Asking for meshes, by upload and by address: what is made, and what is refused and why."""

import json
import time
from typing import Any

import httpx
import pytest

from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from tests import pictures
from tests.client.faults import FaultyServer, answer, problem
from tests.http.test_jobs import finished, follow
from tests.http.test_refusals import assert_problem

Sent = dict[str, Any]


def submit(
    http: httpx.Client, picture: bytes | None = None, key: str | None = None, **fields: Any
) -> Sent:
    files = {"image": ("mug.png", pictures.png() if picture is None else picture)}
    files |= {"mask": ("mask.png", fields.pop("mask"))} if "mask" in fields else {}
    headers = {"idempotency-key": key} if key else {}
    answer = http.post("/v1/meshes", files=files, data=fields, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    job: Sent = answer.json()
    return job


def made(http: httpx.Client, picture: bytes | None = None, **fields: Any) -> Sent:
    job = finished(http, submit(http, picture, **fields))
    assert job["state"] == "succeeded", job["error"]
    return job


def mesh_of(http: httpx.Client, job: Sent) -> Mesh:
    """The mesh in the job's last file."""
    file = job["artifacts"][-1]
    data = http.get(file["url"]).content
    assert len(data) == file["size"]
    kind = next(k for k in MESH_FORMATS.values() if file["name"].endswith(k.extension))
    return kind.decode(data)


# ------------------------------------------------------------------------------ what is made


def test_a_picture_becomes_a_textured_mesh_and_its_shape_is_there_before(
    http: httpx.Client,
) -> None:
    answer = http.post("/v1/meshes", files={"image": ("mug.png", pictures.png())})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["task"], job["stage"]["count"], job["stage"]["index"]) == ("mesh", 2, 0)
    assert job["request"]["picture"]["media_type"] == "image/png"
    assert job["request"]["picture"]["width"] == pictures.SIDE

    names = []
    untextured: Sent = {}
    for event in follow(http, job["id"]):
        if event.event == "progress":
            continue
        names.append(event.event)
        if event.event == "stage_finished":
            untextured = json.loads(event.data)
    assert names == ["submitted", "claimed", "stage_finished", "claimed", "succeeded"]
    assert untextured["job_id"] == job["id"]

    done = http.get(f"/v1/jobs/{job['id']}").json()
    assert (done["state"], done["progress"]) == ("succeeded", 1.0)
    assert {a["stage"] for a in done["artifacts"]} == {0, 1}
    shape = next(a for a in done["artifacts"] if a["stage"] == 0 and a["name"].endswith(".glb"))
    bare = MESH_FORMATS["glb"].decode(http.get(shape["url"]).content)
    textured = mesh_of(http, done)
    assert bare.texture is None
    assert textured.texture is not None
    assert len(bare.faces) == len(textured.faces) > 100


def test_without_texture_there_is_one_stage(http: httpx.Client) -> None:
    job = made(http, texture="false")
    assert job["stage"]["count"] == 1
    assert job["request"]["texture"] is False
    assert {a["stage"] for a in job["artifacts"]} == {0}
    assert mesh_of(http, job).texture is None


@pytest.mark.parametrize("faces", [2_000, 10_000])
def test_faces_are_met_within_five_in_a_hundred(http: httpx.Client, faces: int) -> None:
    job = made(http, texture="false", faces=str(faces))
    assert len(mesh_of(http, job).faces) == pytest.approx(faces, rel=0.05)


@pytest.mark.parametrize("form", MESH_FORMATS)
def test_every_format_can_be_asked_for_and_converted_to_every_other(
    http: httpx.Client, form: str
) -> None:
    job = made(http, format=form, faces="2000")
    kind = MESH_FORMATS[form]
    assert job["artifacts"][-1]["name"].endswith(kind.extension)
    assert job["artifacts"][-1]["media_type"] == kind.media_type
    faces = len(mesh_of(http, job).faces)
    for wanted, other in MESH_FORMATS.items():
        answer = http.get(f"/v1/jobs/{job['id']}/artifacts/{wanted}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == other.media_type
        assert answer.headers["content-disposition"].endswith(f'{other.extension}"')
        assert len(other.decode(answer.content).faces) == faces
    assert_problem(
        http.get(f"/v1/jobs/{job['id']}/artifacts/bvh"), 422, "INVALID_REQUEST", "format"
    )


def test_a_mesh_job_is_judged(http: httpx.Client) -> None:
    job = made(http)
    answer = http.post("/validate", json={"job_id": job["id"]})
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["task"], report["verdict"]) == ("mesh", "pass")
    assert report["faces"] == len(mesh_of(http, job).faces)


def test_the_same_seed_gives_the_same_bytes(http: httpx.Client) -> None:
    digests = {made(http, seed="7", faces="2000")["artifacts"][-1]["sha256"] for _ in range(2)}
    assert len(digests) == 1


def test_the_caller_s_mask_is_used(http: httpx.Client) -> None:
    mask = pictures.encoded(pictures.mask(0.5))
    whole, masked = made(http, texture="false"), made(http, texture="false", mask=mask)
    assert masked["request"]["mask"]["media_type"] == "image/png"
    wide, narrow = (mesh_of(http, job).vertices for job in (whole, masked))
    ratio = [float(v[:, 0].max() - v[:, 0].min()) / float(v[:, 1].max()) for v in (wide, narrow)]
    assert ratio[1] < ratio[0]


def test_a_request_may_wait_for_its_mesh(http: httpx.Client) -> None:
    files = {"image": ("mug.png", pictures.png())}
    answer = http.post("/v1/meshes", files=files, headers={"prefer": "wait=60"})
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")


# ------------------------------------------------------------------------------- idempotency


def test_the_same_key_and_picture_give_the_same_job(http: httpx.Client) -> None:
    key = f"key-{time.monotonic_ns()}"
    first = submit(http, key=key, texture="false")
    assert submit(http, key=key, texture="false")["id"] == first["id"]
    files = {"image": ("mug.png", pictures.jpeg())}
    other = http.post(
        "/v1/meshes", files=files, data={"texture": "false"}, headers={"idempotency-key": key}
    )
    assert_problem(other, 422, "IDEMPOTENCY_CONFLICT", "Idempotency-Key")
    assert finished(http, first)["state"] == "succeeded"


# ---------------------------------------------------------------------------------- pictures

GOOD = {
    "jpeg": pictures.jpeg(),
    "cut out": pictures.cut_out(),
    "webp": pictures.encoded(pictures.mug(), "WEBP", quality=95),
    "cmyk": pictures.encoded(pictures.mug().convert("CMYK"), "JPEG", quality=95),
    "16-bit": pictures.sixteen_bit(),
    "grey": pictures.encoded(pictures.mug().convert("L")),
    "palette": pictures.encoded(pictures.mug().quantize(16)),
    "animated webp": pictures.animated(),
    "polyglot": pictures.png() + b"PK\x05\x06" + bytes(18) + b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", GOOD)
def test_pictures_of_every_kind_are_taken(http: httpx.Client, name: str) -> None:
    job = made(http, GOOD[name], texture="false", faces="2000")
    assert len(mesh_of(http, job).faces) == pytest.approx(2000, rel=0.05)


def test_a_picture_is_taken_upright_as_its_camera_says(http: httpx.Client) -> None:
    straight, turned = (
        mesh_of(http, made(http, data, texture="false", faces="2000", seed="1")).vertices
        for data in (pictures.jpeg(), pictures.turned())
    )
    # The band and the handle make the mug unlike itself in every other position.
    for axis in (0, 1):
        spans = [float(v[:, axis].max() - v[:, axis].min()) for v in (straight, turned)]
        assert spans[0] == pytest.approx(spans[1], rel=0.05)


BAD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 422, "IMAGE_REJECTED"),
    "text": (b"not a picture", 422, "IMAGE_REJECTED"),
    "svg": (pictures.SVG, 422, "IMAGE_REJECTED"),
    "gif": (pictures.animated_gif(), 422, "IMAGE_REJECTED"),
    "archive": (b"PK\x03\x04" + bytes(100) + pictures.png(), 422, "IMAGE_REJECTED"),
    "truncated png": (pictures.png()[:3000], 422, "IMAGE_REJECTED"),
    "truncated jpeg": (pictures.jpeg()[:3000], 422, "IMAGE_REJECTED"),
    "head only": (pictures.png()[:24], 422, "IMAGE_REJECTED"),
    "huge": (pictures.huge(), 413, "IMAGE_TOO_LARGE"),
    "zip bomb": (pictures.huge(8_000, 8_000), 413, "IMAGE_TOO_LARGE"),
    "text bomb": (pictures.text_bomb(), 422, "IMAGE_REJECTED"),
    "tiny": (pictures.png(4), 422, "IMAGE_REJECTED"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_cannot_be_read_is_refused_at_once(http: httpx.Client, name: str) -> None:
    data, status, code = BAD[name]
    answer = http.post("/v1/meshes", files={"image": ("a.png", data)})
    assert_problem(answer, status, code, "image")
    assert answer.json()["errors"][0]["allowed"]
    answer = http.post(
        "/v1/meshes", files={"image": ("a.png", pictures.png()), "mask": ("m.png", data)}
    )
    assert_problem(answer, status, code, "mask")


OBJECTLESS = {
    "blank": pictures.blank(),
    "black": pictures.blank("black"),
    "transparent": pictures.transparent(),
}


@pytest.mark.parametrize("name", OBJECTLESS)
def test_a_picture_without_an_object_fails_with_the_caller_s_code(
    http: httpx.Client, name: str
) -> None:
    files = {"image": ("a.png", OBJECTLESS[name])}
    answer = http.post("/v1/meshes", files=files)
    if answer.status_code == 422:
        assert_problem(answer, 422, "IMAGE_REJECTED", "image")
        return
    job = finished(http, answer.json())
    assert (job["state"], job["error"]["error_code"]) == ("failed", "IMAGE_REJECTED")
    assert (job["error"]["fault"], job["attempts"]) == ("caller", 1)


def test_noise_gives_a_closed_mesh_or_is_refused(http: httpx.Client) -> None:
    job = finished(http, submit(http, pictures.noise(), texture="false"))
    if job["state"] == "failed":
        assert job["error"]["error_code"] == "IMAGE_REJECTED"
        return
    report = http.post("/validate", json={"job_id": job["id"]}).json()
    assert report["verdict"] != "fail"


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"faces": "0"}, "faces"),
        ({"faces": "-5"}, "faces"),
        ({"faces": "many"}, "faces"),
        ({"faces": "1000000000"}, "faces"),
        ({"texture": "perhaps"}, "texture"),
        ({"seed": "-1"}, "seed"),
        ({"format": "doc"}, "format"),
        ({"format": "bvh"}, "format"),
        ({"priority": "10"}, "priority"),
        ({"deadline": "2001-01-01T00:00:00Z"}, "deadline"),
        ({"deadline": "2031-01-01T00:00:00"}, "deadline"),
        ({"colour": "red"}, "colour"),
        ({"image_url": "https://example.com/a.png"}, "image_url"),
    ],
)
def test_a_wrong_field_is_named(http: httpx.Client, fields: dict[str, str], field: str) -> None:
    answer = http.post("/v1/meshes", files={"image": ("a.png", pictures.png())}, data=fields)
    assert_problem(answer, 422, "INVALID_REQUEST", field)


def test_an_unknown_model_is_named(http: httpx.Client) -> None:
    files = {"image": ("a.png", pictures.png())}
    answer = http.post("/v1/meshes", files=files, data={"model": "choreo"})
    assert_problem(answer, 422, "MODEL_UNKNOWN", "model")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"files": {"mask": ("a.png", b"x")}}, "image"),
        ({"files": {"photo": ("a.png", b"x")}}, "photo"),
        ({"files": {"image": ("a.png", b"x"), "left": ("b.png", b"x")}}, "left"),
        ({"files": [("image", ("a.png", b"x")), ("image", ("b.png", b"y"))]}, "image"),
        ({"files": {"image": ("a.png", b"x")}, "data": {"mask": "x"}}, "mask"),
        ({"files": {"image": ("a.png", b"x")}, "data": {"seed": ["1", "2"]}}, "seed"),
        ({"json": {}}, "image_url"),
        ({"json": {"image_url": 5}}, "image_url"),
        ({"json": {"image_url": "http://example.com/" + "a" * 2_000}}, "image_url"),
        ({"json": {"image_url": "http://example.com/", "mask": "x"}}, "mask"),
    ],
)
def test_a_request_that_is_none(http: httpx.Client, sent: Sent, field: str) -> None:
    assert_problem(http.post("/v1/meshes", **sent), 422, "INVALID_REQUEST", field)


@pytest.mark.parametrize("kind", ["text/plain", "image/png", ""])
def test_other_media_types_are_refused(http: httpx.Client, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = http.post("/v1/meshes", content=pictures.png(), headers=headers)
    assert_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")


def test_an_upload_over_the_limit_is_refused(http: httpx.Client) -> None:
    files = {"image": ("a.png", bytes(45_000_000))}
    assert_problem(http.post("/v1/meshes", files=files), 413, "BODY_TOO_LARGE", None)


# ------------------------------------------------------------------------------ by address


@pytest.mark.parametrize("path", ["/mug.png", "/mug"])
def test_a_picture_is_fetched(http: httpx.Client, gallery: FaultyServer, path: str) -> None:
    body = {"image_url": gallery.url + path, "texture": False, "faces": 2000}
    answer = http.post("/v1/meshes", json=body)
    assert answer.status_code == 202, answer.text
    job = finished(http, answer.json())
    assert job["state"] == "succeeded", job["error"]
    assert len(mesh_of(http, job).faces) == pytest.approx(2000, rel=0.05)


def test_a_request_is_repeated_though_its_picture_is_gone(
    http: httpx.Client, gallery: FaultyServer
) -> None:
    gallery.on("GET /once.png", answer(pictures.png()))
    body = {"image_url": gallery.url + "/once.png", "texture": False, "faces": 2000}
    headers = {"idempotency-key": "a-picture-that-goes"}
    first = http.post("/v1/meshes", json=body, headers=headers)
    assert first.status_code == 202, first.text
    gallery.on("GET /once.png", problem(404, "ROUTE_NOT_FOUND"))
    again = http.post("/v1/meshes", json=body, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    other = http.post("/v1/meshes", json=body | {"faces": 3000}, headers=headers)
    assert_problem(other, 422, "IDEMPOTENCY_CONFLICT", "Idempotency-Key")


@pytest.mark.parametrize("route", ["/v1/meshes", "/generate/3d"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/missing.png", "IMAGE_URL_FAILED"),
        ("/cut.png", "IMAGE_URL_FAILED"),
        ("/inside", "IMAGE_URL_FORBIDDEN"),
        ("/page.html", "IMAGE_REJECTED"),
    ],
)
def test_an_address_without_a_picture(
    http: httpx.Client, gallery: FaultyServer, route: str, path: str, code: str
) -> None:
    answer = http.post(route, json={"image_url": gallery.url + path})
    assert_problem(answer, 422, code, "image_url")


@pytest.mark.parametrize("route", ["/v1/meshes", "/generate/3d"])
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/a.png", "http://[::1]/",
        "http://2130706433/", "file:///etc/passwd", "mug.png", "http://10.0.0.1/", "",
    ],
)  # fmt: skip
def test_an_address_inside_is_refused(http: httpx.Client, route: str, url: str) -> None:
    answer = http.post(route, json={"image_url": url})
    assert_problem(answer, 422, "IMAGE_URL_FORBIDDEN", "image_url")


def test_the_queued_form_gives_a_task_to_ask_for(http: httpx.Client, gallery: FaultyServer) -> None:
    body = {"image_url": gallery.url + "/mug.png", "user_id": "u-17", "priority": 7}
    answer = http.post("/generate/3d", json=body)
    assert answer.status_code == 202, answer.text
    assert set(answer.json()) == {"task_id", "status"}
    assert answer.json()["status"] == "queued"
    number = answer.json()["task_id"]
    finished(http, {"id": number})
    task = http.get(f"/tasks/{number.lower()}").json()
    assert (task["task_id"], task["status"], task["progress"]) == (number, "completed", 1.0)
    assert task["error"] is None
    glb = MESH_FORMATS["glb"]
    assert glb.decode(http.get(task["result_url"]).content).texture is not None
    assert glb.decode(http.get(task["preview_url"]).content).texture is None
    job = http.get(f"/v1/jobs/{number}").json()
    assert job["priority"] == 7


def test_a_task_that_failed_says_why(http: httpx.Client, gallery: FaultyServer) -> None:
    answer = http.post("/generate/3d", json={"image_url": gallery.url + "/blank.png"})
    if answer.status_code == 422:
        assert_problem(answer, 422, "IMAGE_REJECTED", "image_url")
        return
    number = answer.json()["task_id"]
    finished(http, {"id": number})
    task = http.get(f"/tasks/{number}").json()
    assert (task["status"], task["result_url"]) == ("failed", None)
    assert task["error"]["error_code"] == "IMAGE_REJECTED"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "image_url"),
        ({"image_url": "http://example.com/", "user_id": "no spaces"}, "user_id"),
        ({"image_url": "http://example.com/", "texture": False}, "texture"),
    ],
)
def test_a_task_that_is_none(http: httpx.Client, body: Sent, field: str) -> None:
    assert_problem(http.post("/generate/3d", json=body), 422, "INVALID_REQUEST", field)


def test_a_task_that_is_not_there(http: httpx.Client) -> None:
    answer = http.get("/tasks/01KAZ6T3V9S2Q4W8E0R5Y7T1S3")
    assert_problem(answer, 404, "JOB_NOT_FOUND", None)
