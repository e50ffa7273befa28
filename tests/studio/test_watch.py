"""Following jobs: several at once, those that fail, and through a lost connection."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages

pytestmark = pytest.mark.slow


def submit(server: ServerProcess, prompt: str, model: str, **more: object) -> str:
    body = {"prompt": prompt, "model": model, "cache": "no", **more}
    answer = httpx.post(server.url + "/v1/motions", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_several_jobs_are_followed_at_once(pages: Pages, server: ServerProcess) -> None:
    prompts = [f"walks to place {number}" for number in range(6)]
    page = pages()
    expect(page.get_by_role("heading", name="Make")).to_be_visible()
    for prompt in prompts:
        submit(server, prompt, "sim-slow")
    page.get_by_role("link", name="Jobs").click()
    rows = page.get_by_role("listitem")
    first, last = rows.filter(has_text=prompts[0]), rows.filter(has_text=prompts[-1])
    expect(first.get_by_role("progressbar")).to_be_visible()
    expect(last).to_contain_text(re.compile(r"Waiting · \d ahead · about \d+ s left"))
    # A job that nobody waits for any longer, also one whose place others take.
    for prompt in prompts[2:]:
        page.get_by_role("button", name=f"Cancel {prompt}").click()
        expect(rows.filter(has_text=prompt)).to_contain_text("Cancelled")
    # The connection goes while the first runs, and comes back.
    pages.allowed.append("net::ERR_")
    page.context.set_offline(True)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    page.context.set_offline(False)
    expect(first).to_contain_text("Done")
    expect(page.get_by_text("The server does not answer.")).to_have_count(0)
    page.get_by_role("button", name=f"Cancel {prompts[1]}").click()
    page.get_by_role("link", name=f"Play: {prompts[0]}").click()
    expect(page.get_by_role("heading", name=prompts[0], level=1)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()


def test_a_failed_job_says_why_and_what_to_do(pages: Pages, server: ServerProcess) -> None:
    page = pages("/#/watch")
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    page.goto(f"/#/job/{submit(server, 'walks into a wall', 'sim-broken')}")
    main = page.get_by_role("main")
    expect(main).to_contain_text("Failed")
    expect(main).to_contain_text("Simulated: this attempt was to fail.")
    expect(main).to_contain_text("Try again, or with another seed.")
    expect(main).to_contain_text("ENGINE_FAILED")
    before = page.url
    page.get_by_role("button", name=re.compile("Again with another seed")).click()
    page.wait_for_function("before => location.href !== before", arg=before)
    expect(main.get_by_role("heading", name="walks into a wall")).to_be_visible()


def test_a_job_that_is_not_there_is_said_to_be_gone(pages: Pages) -> None:
    pages.allowed.append("status of 404")
    page = pages("/#/job/01KAZ6T3V9S2Q4W8E0R5Y7T1S3")
    expect(page.get_by_role("alert")).to_contain_text("JOB_NOT_FOUND")
