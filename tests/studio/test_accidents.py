"""A server that dies under the page, and one that is updated under it."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages

pytestmark = pytest.mark.slow

SLOW = '[{"name": "sim", "stages": [{"fixed": 3, "per_job": 0, "batch_limit": 1}]}]'
GONE = "The server does not answer."


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own, to be killed; with one model, which takes three seconds a job."""
    environment = {"KINESPHERE_SIMULATED": SLOW, "KINESPHERE_MODELS": ""}
    running = ServerProcess(tmp_path / "data", environment).start()
    running.port = urlsplit(running.url).port or 0
    try:
        yield running
    finally:
        running.kill()


def test_a_killed_server_comes_back_and_finishes(browser: Browser, own: ServerProcess) -> None:
    pages = Pages(browser, own.url, allowed=["net::ERR_"])
    page = pages("/#/watch")
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    for prompt in ("the first", "the second"):
        body = {"prompt": prompt, "model": "sim"}
        httpx.post(own.url + "/v1/motions", json=body).raise_for_status()
    page.reload()
    rows = page.get_by_role("listitem")
    first, second = rows.filter(has_text="the first"), rows.filter(has_text="the second")
    expect(first).to_contain_text("Running")
    expect(second).to_contain_text("Waiting")
    own.kill()
    expect(page.get_by_text(GONE)).to_be_visible()
    # What was seen stays to be seen.
    expect(second).to_contain_text("Waiting")
    own.start(ready=False)
    expect(page.get_by_text(GONE)).to_have_count(0)
    expect(first).to_contain_text("Done")
    expect(second).to_contain_text("Done")
    found = httpx.get(own.url + "/v1/jobs").json()["items"]
    assert [(job["state"], job["request"]["prompt"]) for job in found] == [
        ("succeeded", "the second"),
        ("succeeded", "the first"),
    ]
    for context in pages.contexts:
        context.close()
    assert not pages.verdict()


def test_another_build_is_fetched_once(pages: Pages) -> None:
    pages.allowed += ["status of 404", "Failed to fetch dynamically imported module"]
    page = pages("/#/make")
    expect(page.get_by_role("heading", name="Make")).to_be_visible()
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    # The library's part is gone, and the server's page is no longer the one that names it.
    part = re.compile(r"/assets/library-.*\.js$")
    parts: list[str] = []

    def missing(route: Route) -> None:
        parts.append(route.request.url)
        route.fulfill(status=404, body="")

    def other(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace("/assets/index-", "/assets/another-")
        route.fulfill(response=answer, body=body)

    page.route(part, missing)
    page.route(re.compile(r"/$"), other, times=1)
    page.get_by_role("link", name="Library", exact=True).click()
    # It is loaded anew; that this build lacks it too is told, not tried for ever.
    expect(page.get_by_role("alert")).to_be_visible()
    assert len(loads) == 1 and len(parts) >= 2
    page.unroute(part)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
