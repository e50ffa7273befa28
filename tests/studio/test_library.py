"""Finding what was made, taking it along, making it once more."""

import json
import re

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hundred(server: ServerProcess) -> str:
    """The prompt of a motion among a hundred jobs that came to nothing."""
    with httpx.Client(base_url=server.url) as client:
        for number in range(100):
            body = {"prompt": f"waves to number {number}", "model": "sim-left"}
            job = client.post("/v1/motions", json=body).json()
            client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
        made(server, prompt="a dancer kneels before the queen", seed=7)
    return "a dancer kneels before the queen"


def made(server: ServerProcess, **body: object) -> str:
    """The id of a motion of one second."""
    headers = {"Prefer": "wait=30"}
    body = {"duration": 1, **body}
    answer = httpx.post(server.url + "/v1/motions", json=body, headers=headers, timeout=60)
    assert answer.json()["state"] == "succeeded", answer.text
    return str(answer.json()["id"])


def test_a_hundred_jobs_are_paged_searched_and_filtered(
    pages: Pages, hundred: str, server: ServerProcess
) -> None:
    page = pages("/#/library")
    cards = page.locator(".library-card")
    expect(cards).to_have_count(24)
    page.get_by_role("button", name="Show more").click()
    expect(cards).to_have_count(48)
    page.get_by_label("Search in prompts").fill("QUEEN dancer")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text(hundred)
    # A small picture of it is drawn when it comes into sight.
    expect(cards.locator("img")).to_have_count(1)
    page.get_by_label("Kind").select_option("mesh")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    # The filter is in the address, which may be kept.
    assert "search=QUEEN+dancer" in page.url and "task=mesh" in page.url
    page.get_by_label("Kind").select_option("")
    expect(cards).to_have_count(1)
    page.get_by_role("button", name=re.compile("Again with another seed")).click()
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("Done")
    again = httpx.get(server.url + "/v1/jobs", params={"limit": 1}).json()["items"][0]
    assert again["request"]["seed"] != 7 and again["request"]["duration"] == 1
    # It is deleted once that was confirmed, and then it is gone for everybody.
    cards.first.get_by_role("button", name=re.compile("Delete")).click()
    page.keyboard.press("Escape")
    expect(cards).to_have_count(2)
    cards.first.get_by_role("button", name=re.compile("Delete")).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(cards).to_have_count(1)
    assert httpx.get(f"{server.url}/v1/jobs/{again['id']}").status_code == 404


def test_a_work_is_taken_along_in_other_formats(pages: Pages, hundred: str) -> None:
    page = pages("/#/library?search=queen")
    card = page.locator(".library-card").last
    card.get_by_text("Download and copy").click()
    for form in ("BVH", "FBX", "NPZ"):
        with page.expect_download() as download:
            card.get_by_role("button", name=f"Download as {form}").click()
        path = download.value.path()
        assert path.stat().st_size > 1_000
        assert download.value.suggested_filename.endswith("." + form.lower())


def test_an_expired_link_is_renewed(pages: Pages, server: ServerProcess) -> None:
    pages.allowed.append("status of 403")
    page = pages()
    refused: list[str] = []

    def age(route: Route) -> None:
        """The first answer has links of yesterday, as a page has that was left open."""
        answer = route.fetch()
        job = answer.json()
        for artifact in job["artifacts"]:
            artifact["url"] = re.sub(r"Expires=\d+", "Expires=1", artifact["url"])
        route.fulfill(response=answer, body=json.dumps(job))

    page.on("response", lambda r: refused.append(r.url) if r.status == 403 else None)
    page.route(re.compile(r"/v1/jobs/\w{26}$"), age, times=1)
    # One that was asked for as GLB is drawn from its own link.
    page.goto(f"/#/job/{made(server, prompt='someone bows', format='glb')}")
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("LINK_")
    expect(page.get_by_text("Loading…")).to_have_count(0)
    assert any("/v1/artifacts/" in url for url in refused)
