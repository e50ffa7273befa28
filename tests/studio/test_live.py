"""The page of live streams, and the sample for pages of others, in a browser."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages

SAMPLE = Path(__file__).parents[2] / "examples" / "browser"


def test_a_conversation_goes_on_and_can_be_held(page: Page) -> None:
    page.goto("/#/live")
    prompt, send = page.get_by_label("What next?"), page.get_by_role("button", name="Say it")
    prompt.fill("a man walks forward")
    page.get_by_label("Seconds").fill("2")
    send.click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    prompt.fill("xyzzy plugh")
    send.click()
    expect(page.get_by_text("PROMPT_NOT_UNDERSTOOD").first).to_be_visible()
    prompt.fill("a man waves")
    prompt.press("Enter")
    items = page.get_by_role("list").filter(has_text="a man walks").get_by_role("listitem")
    expect(items.filter(has_text="a man waves").get_by_text("from 2.0 s")).to_be_visible()
    stage = page.get_by_test_id("live-stage")
    expect(items.filter(has_text="a man waves")).to_have_attribute("aria-current", "true")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    before = int(stage.get_attribute("data-frame") or "0")
    assert before > 5
    page.get_by_label("Time").fill("0.5")
    expect(stage).not_to_have_attribute("data-frame", str(before))
    expect(page.get_by_label("Time")).to_have_value("0.5")
    expect(items.filter(has_text="a man walks")).to_have_attribute("aria-current", "true")
    page.get_by_text("To Unity, Unreal or VSeeFace").click()
    command = page.locator(".live-command")
    expect(command).to_contain_text("--say 'a man waves' --vmc 127.0.0.1:39539 --url http://")
    assert _drawn(page), "there is a figure on the stage"


def _drawn(page: Page) -> bool:
    """Whether the stage has the figure's colour in its middle."""
    shot = page.get_by_test_id("live-stage").screenshot()
    return len(shot) > 4_000


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The sample's folder, served by somebody else; its origin."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SAMPLE))) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


@pytest.mark.slow
def test_the_sample_plays_in_the_page_of_another_site(
    pages: Pages, elsewhere: str, tmp_path: Path
) -> None:
    settings = {"KINESPHERE_MODELS": "choreo", "KINESPHERE_CORS_ORIGINS": elsewhere}
    other = ServerProcess(tmp_path, settings).start()
    try:
        job = httpx.post(
            f"{other.url}/v1/motions",
            json={"prompt": "wave", "duration": 2},
            headers={"Prefer": "wait=30"},
            timeout=60.0,
        ).json()["id"]
        pages.allowed += [f"asked another host: {other.url.replace('http', 'ws')}"]
        page = pages(f"/index.html?server={other.url}&job={job}", url=elsewhere)
        page.get_by_role("button", name="Watch").click()
        canvas = page.locator("canvas")
        expect(page.get_by_role("status")).to_have_text("wave")
        expect(canvas).to_have_attribute("data-time", "1.967")
        page.get_by_role("button", name="Pause").click()
        page.get_by_label("Time").fill("0.5")
        expect(canvas).to_have_attribute("data-time", "0.500")
    finally:
        other.kill()
