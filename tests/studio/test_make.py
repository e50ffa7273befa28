"""Asking for motions and meshes, as a person does."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.pictures import encoded, mug
from tests.servers import ServerProcess
from tests.studio.conftest import Pages

pytestmark = pytest.mark.slow

PROMPT = "What should the figure do?"
SEND = "Make the motion"


def made(server: ServerProcess, prompt: str) -> list[dict[str, Any]]:
    jobs = httpx.get(server.url + "/v1/jobs", params={"limit": 200}).json()["items"]
    return [job for job in jobs if job["request"].get("prompt") == prompt]


def test_a_prompt_becomes_a_motion_that_plays(page: Page, server: ServerProcess) -> None:
    prompt = "a tired man walks in a circle, then waves xyzzy"
    page.get_by_label(PROMPT).fill(prompt)
    expect(page.get_by_text("10 of 30 words")).to_be_visible()
    # What it will be is told before it is sent.
    reading = page.locator("#make-reading")
    expect(reading).to_contain_text("walk")
    expect(reading).to_contain_text("wave")
    expect(reading.locator(".make-unknown")).to_have_text(["xyzzy"])
    expect(page.get_by_text(re.compile(r"Done in about .* s\."))).to_be_visible()
    page.get_by_role("button", name="Draw a seed").click()
    seed = page.get_by_label("Seed", exact=True).input_value()
    page.get_by_role("button", name=SEND).click()
    region = page.get_by_role("region", name="Result")
    expect(region.get_by_role("heading", name=prompt)).to_be_visible()
    expect(region.get_by_text("Done", exact=False).first).to_be_visible()
    expect(region.locator("canvas").first).to_be_visible()
    expect(region).to_contain_text(f"seed {int(seed)}")
    (job,) = made(server, prompt)
    assert job["request"]["seed"] == int(seed)


def test_markup_in_a_prompt_stays_text(page: Page) -> None:
    prompt = "<img src=x onerror=alert(1)> walks <b>on</b>"
    page.get_by_label(PROMPT).fill(prompt)
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_role("heading", name=prompt)).to_be_visible()
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", name=prompt)).to_be_visible()
    assert page.locator("main img[src=x], main h2 b").count() == 0


def test_a_prompt_that_will_not_do_is_refused_where_it_is_written(pages: Pages) -> None:
    page = pages()
    field = page.get_by_label(PROMPT)
    field.fill("walk " * 31)
    expect(page.get_by_text("31 of 30 words")).to_contain_text("too long")
    expect(page.get_by_role("button", name=SEND)).to_be_disabled()
    field.fill("旋转" * 31)
    expect(page.get_by_text("62 of 60 characters")).to_be_visible()
    field.fill("xyzzy")
    expect(page.locator("#make-reading")).to_contain_text("recognised no action")
    # The server has the last word, and its refusal says what to do.
    pages.allowed.append("status of 422")
    page.get_by_role("button", name=SEND).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("PROMPT_NOT_UNDERSTOOD")
    expect(alert).to_contain_text("Name an action")


def test_a_lost_connection_loses_nothing_and_makes_nothing_twice(
    pages: Pages, server: ServerProcess
) -> None:
    page = pages()
    pages.allowed.append("net::ERR_")
    prompt = "someone jumps in the dark"
    page.get_by_label(PROMPT).fill(prompt)
    expect(page.locator("#make-reading")).to_contain_text("jump")
    answers = 0

    def lose(route: Route) -> None:
        # The server has accepted it; that it did so is lost on the way.
        nonlocal answers
        answers += 1
        assert route.fetch().status == 202
        route.abort("connectionreset")

    page.route("**/v1/motions", lose, times=1)
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_role("heading", name=prompt)).to_be_visible()
    expect(page.get_by_role("region", name="Result").get_by_text("Done").first).to_be_visible()
    assert answers == 1
    assert len(made(server, prompt)) == 1
    # And one that does not even leave is sent when it can be.
    prompt = "someone kicks in the dark"
    page.get_by_label(PROMPT).fill(prompt)
    page.context.set_offline(True)
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("The server does not answer.").first).to_be_visible()
    expect(page.get_by_label(PROMPT)).to_have_value(prompt)
    assert not made(server, prompt)
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name=prompt)).to_be_visible()
    expect(page.get_by_text("The server does not answer.")).to_have_count(0)
    assert len(made(server, prompt)) == 1


def test_a_picture_of_five_megabytes_becomes_a_mesh_seen_before_it_is_painted(page: Page) -> None:
    page.get_by_label("Mesh from a picture").check()
    # Not packed at all.
    picture = encoded(mug(1300), compress_level=0)
    assert len(picture) > 5_000_000
    page.get_by_label("Picture of one object").set_input_files(
        {"name": "mug.png", "mimeType": "image/png", "buffer": picture}
    )
    expect(page.get_by_alt_text("The picture you gave")).to_be_visible()
    expect(page.get_by_alt_text("The object that was found in it")).to_be_visible()
    page.get_by_label("Model").select_option("sim-mesh")
    page.get_by_role("button", name="Make the mesh").click()
    region = page.get_by_role("region", name="Result")
    expect(region.get_by_text("Texture, stage 2 of 2")).to_be_visible()
    expect(region.locator("canvas").first).to_be_visible()
    region.get_by_role("button", name=re.compile("^Cancel")).click()
    expect(region.get_by_text("Cancelled", exact=True)).to_be_visible()


def test_what_is_no_picture_is_said_to_be_none(page: Page) -> None:
    page.get_by_label("Mesh from a picture").check()
    page.get_by_label("Picture of one object").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"a mug"}
    )
    expect(page.get_by_text("notes.txt is no PNG, JPEG or WebP picture.")).to_be_visible()
    expect(page.get_by_role("button", name="Make the mesh")).to_be_disabled()
