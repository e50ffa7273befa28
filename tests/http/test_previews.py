"""Previews: what would happen, told while one types, and nothing done."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import pictures
from tests.client.faults import FaultyServer
from tests.http.test_refusals import BODIES, MOTION_ONLY

REFUSED = {"prompt a number", "no prompt", "duration a text", "seed 1.5", "unknown field",
           "naive deadline", "lone surrogate"}  # fmt: skip
"""Bodies that are wrong in their form; a page does not send them."""

RIGHT_IN_FORM = [row for row in [*BODIES, *MOTION_ONLY] if row[0] not in REFUSED]


def preview(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/motions/preview", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_will_be_done_is_told_where_it_is_written(http: httpx.Client) -> None:
    before = http.get("/v1/jobs", params={"limit": 1}).json()["items"]
    prompt = "ｓａｄ man walks, waves twice with the left hand for 3 seconds, defenestrates"
    found = preview(http, prompt=prompt, duration=6)
    assert found["problems"] == []
    assert (found["model"]["name"], found["routed"]) == ("choreo", "default")
    assert found["words"] == {"count": 13, "limit": 30, "unit": "words"}
    walk, wave = found["understood"]
    assert (walk["text"], walk["action"], walk["manner"]) == ("walks", "walk", ["sad"])
    assert prompt[wave["start"] : wave["end"]] == wave["text"] == "waves"
    assert wave["manner"] == ["sad", "left"]
    assert (wave["count"], wave["seconds"]) == (2, 3)
    assert found["unknown"] == ["defenestrates"]
    said = {prompt[each["start"] : each["end"]]: each["understood"] for each in found["spans"]}
    assert (said["ｓａｄ"], said["twice"], said["defenestrates"]) == (True, True, False)
    assert found["eta"]["seconds"] > 0.0
    assert (found["cost"], found["cached"], found["duration"]) == (None, False, 6)
    assert http.get("/v1/jobs", params={"limit": 1}).json()["items"] == before


def test_chinese_is_counted_and_read_by_characters(http: httpx.Client) -> None:
    found = preview(http, prompt="一个舞者旋转，然后wave")
    assert found["words"]["unit"] == "characters"
    assert [each["text"] for each in found["understood"]] == ["旋转", "wave"]
    assert [(each["start"], each["end"]) for each in found["understood"]] == [(4, 6), (9, 13)]


@pytest.mark.parametrize(
    ("body", "code", "field"), [(row[1], *row[3:]) for row in RIGHT_IN_FORM],
    ids=[row[0] for row in RIGHT_IN_FORM],
)  # fmt: skip
def test_what_would_be_refused_is_a_problem_and_no_error(
    http: httpx.Client, body: dict[str, Any], code: str, field: str
) -> None:
    found = preview(http, **body)
    assert [(each["error_code"], each["field"]) for each in found["problems"]] == [(code, field)]
    if field == "prompt" and code != "MODEL_UNKNOWN":
        # Its size is known, so a page can tell when it would be done.
        assert found["eta"] is not None


def test_a_wrong_prompt_does_not_hide_what_else_is_wrong(http: httpx.Client) -> None:
    found = preview(http, prompt="", duration=99, webhook="http://127.0.0.1/")
    assert {(each["field"], each["error_code"]) for each in found["problems"]} == {
        ("webhook", "WEBHOOK_FORBIDDEN"),
        ("prompt", "INVALID_REQUEST"),
        ("duration", "INVALID_REQUEST"),
    }
    assert (found["understood"], found["unknown"]) == ([], [])


@pytest.mark.parametrize(
    "row", [row for row in BODIES if row[0] in REFUSED - {"lone surrogate"}], ids=lambda r: r[0]
)
def test_a_malformed_body_is_refused(http: httpx.Client, row: Any) -> None:
    answer = http.post("/v1/motions/preview", json=row[1])
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_REQUEST")


def mesh(http: httpx.Client, picture: bytes, **further: bytes) -> dict[str, Any]:
    files = {name: (name, data) for name, data in {"image": picture, **further}.items()}
    answer = http.post("/v1/meshes/preview", files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.slow
def test_the_object_is_shown_as_it_would_be_cut_out(
    http: httpx.Client, gallery: FaultyServer
) -> None:
    found = mesh(http, pictures.png())
    assert found["problems"] == []
    assert found["model"]["name"] == "relief"
    mask = found["mask"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask["png"]))))
    assert shown.shape == (mask["height"], mask["width"])
    assert 0.02 < (shown > 0).mean() < 0.98
    assert 0.5 < mask["confidence"] <= 1.0
    assert found["picture"]["media_type"] == "image/png"
    assert found["eta"]["seconds"] > 0.0
    own = mesh(http, pictures.png(), mask=base64.b64decode(mask["png"]))["mask"]
    assert (own["method"], own["confidence"]) == ("mask", 1.0)
    by_address = http.post(
        "/v1/meshes/preview", json={"image_url": f"{gallery.url}/mug.png"}
    ).json()
    assert by_address["mask"] == mask
    refused = http.post("/v1/meshes/preview", json={"image_url": f"{gallery.url}/page.html"}).json()
    assert [(p["field"], p["error_code"]) for p in refused["problems"]] == [
        ("image_url", "IMAGE_REJECTED")
    ]


@pytest.mark.slow
def test_a_picture_without_an_object_is_a_problem(http: httpx.Client) -> None:
    found = mesh(http, pictures.blank())
    assert [(p["field"], p["error_code"]) for p in found["problems"]] == [
        ("image", "IMAGE_REJECTED")
    ]
    assert found["mask"] is None
    assert found["picture"] is not None
    none = mesh(http, b"no picture")
    assert none["problems"][0]["error_code"] == "IMAGE_REJECTED"
    assert none["picture"] is None
