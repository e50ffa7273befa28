"""The frame of the studio: how it is served, and what all its pages share."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Response, expect

from tests.servers import ServerProcess
from tests.studio.conftest import ROOT, Pages

pytestmark = pytest.mark.slow

FIRST_LOAD = 400_000
"""Bytes on the wire until the first page can be used."""


def test_it_is_served_strictly_and_packed(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as client:
        page = client.get("/")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-cache"
        assert client.get("/", headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
        head = client.head("/")
        assert head.status_code == 200 and not head.content
        assert head.headers["Content-Length"] == page.headers["Content-Length"]
        script = re.findall(r'src="\./(assets/[^"]+\.js)"', page.text)[0]
        sizes = {}
        for encoding in ("identity", "gzip", "br"):
            with client.stream("GET", script, headers={"Accept-Encoding": encoding}) as part:
                assert "immutable" in part.headers["Cache-Control"]
                assert part.headers.get("Content-Encoding", "identity") == encoding
                sizes[encoding] = len(b"".join(part.iter_raw()))
        assert sizes["br"] < sizes["gzip"] < sizes["identity"]
        assert client.get("/assets/none.js").json()["error_code"] == "ROUTE_NOT_FOUND"
        assert client.post("/").json()["error_code"] == "METHOD_NOT_ALLOWED"
        assert client.get("/icon.svg").headers["Content-Type"].startswith("image/svg+xml")
        for way in ("..%2findex.html", "%2e%2e/index.html", "..%5cindex.html", ".hidden", ""):
            assert client.get("/assets/" + way).status_code == 404, way
        assert "/" not in client.get("/openapi.json").json()["paths"]


def test_the_first_page_is_small(pages: Pages) -> None:
    page = pages("about:blank")
    loaded: list[Response] = []

    def note(response: Response) -> None:
        loaded.append(response)

    page.on("response", note)
    page.goto("/")
    expect(page.get_by_label("What should the figure do?")).to_be_visible()
    page.wait_for_load_state("networkidle")
    got = [each.request.sizes() for each in loaded]
    total = sum(each["responseBodySize"] + each["responseHeadersSize"] for each in got)
    assert 20_000 < total < FIRST_LOAD
    # Nobody who only asks for something needs what draws it.
    assert not any("play" in each.url for each in loaded)


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for key, title in (("l", "Library"), ("j", "Jobs"), ("m", "Make")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("What should the figure do?")).to_be_focused()
    # A question mark that somebody writes is one.
    page.keyboard.type("someone nods, g l ?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_text("Done").first).to_be_visible()


def test_language_and_colours_are_kept(page: Page) -> None:
    page.get_by_label("Language").select_option("zh")
    expect(page.get_by_role("heading", name="创作")).to_be_visible()
    page.get_by_label("外观").select_option("dark")
    page.reload()
    expect(page.get_by_role("heading", name="创作")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_label("外观").select_option("system")
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.fixture(scope="module")
def axe() -> str:
    return (ROOT / "studio" / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.mark.parametrize(("locale", "width"), [("en-US", 1920), ("zh-CN", 360)])
def test_everybody_can_use_it(
    pages: Pages, server: ServerProcess, axe: str, locale: str, width: int
) -> None:
    for body in (
        {"prompt": "someone waves", "duration": 1},
        {"prompt": "someone walks", "model": "sim-broken"},
    ):
        httpx.post(server.url + "/v1/motions", json=body, headers={"Prefer": "wait=20"})
    viewport = {"width": width, "height": 900}
    page = pages("/#/make/mesh", viewport=viewport, locale=locale, reduced_motion="reduce")
    for address in ("/#/make/mesh", "/#/make/motion", "/#/watch", "/#/library"):
        page.goto(address)
        expect(page.locator("main h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            assert violations(page, axe) == [], (address, theme)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (address, wide)


def violations(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(found => found.violations)")
    return [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found]


@pytest.fixture(scope="module")
def guarded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for keys; `key` is a right one."""
    data = tmp_path_factory.mktemp("guarded")
    command = ("keys", "create", "--user", "ada", "--scope", "generate", "--data", str(data))
    made = subprocess.run(
        [sys.executable, "-m", "kinesphere", *command], capture_output=True, text=True, check=True
    )
    environment = {"KINESPHERE_AUTHENTICATION": "keys"}
    running = ServerProcess(data, environment, key=made.stdout.strip()).start(ready=False)
    yield running
    running.kill()


def test_a_server_that_wants_a_key_asks_for_it(pages: Pages, guarded: ServerProcess) -> None:
    pages.allowed.append("status of 401")
    page = pages(url=guarded.url)
    dialog = page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("API key").fill("kin_wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("does not take this key")
    dialog.get_by_label("API key").fill(guarded.key)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    assert guarded.key not in page.url
    assert guarded.key not in page.evaluate("JSON.stringify(localStorage)")
    page.get_by_role("button", name="Sign out").click()
    page.reload()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
