"""The page of operators: what they see, what they do, and that they are asked before."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages
from tests.studio.test_frame import axe, violations

__all__ = ["axe"]

POLICY = """
policy = "static"
minimum = 1
maximum = 1
currency = "USD"
tiers = [{ name = "l4", price = 0.8 }]
"""


@pytest.fixture(scope="module")
def operated(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with keys, prices, a model that works and one that fails; `key` may operate."""
    assert built.is_dir()
    folder = tmp_path_factory.mktemp("operated")
    command = ("keys", "create", "--user", "olga", "--scope", "operate", "--data", str(folder))
    made = subprocess.run(
        [sys.executable, "-m", "kinesphere", *command], capture_output=True, text=True, check=True
    )
    (folder / "policy.toml").write_text(POLICY)
    environment = {
        "KINESPHERE_AUTHENTICATION": "keys",
        "KINESPHERE_MODELS": '["sim-good", "sim-broken", "sim-next"]',
        "KINESPHERE_SIMULATED": '[{"name": "sim-good", "stages": [{"fixed": 0.2}]},'
        ' {"name": "sim-broken", "stages": [{"fixed": 0.02, "failures": 1}]},'
        ' {"name": "sim-next", "stages": [{"fixed": 0.1}]}]',
        "KINESPHERE_SCALING_POLICY": str(folder / "policy.toml"),
        "KINESPHERE_TIER": "l4",
    }
    running = ServerProcess(folder, environment, key=made.stdout.strip()).start()
    headers = {"X-API-Key": running.key, "Prefer": "wait=60"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=70.0) as http:
        for model in ("sim-good", "sim-good", "sim-broken"):
            http.post("/v1/motions", json={"prompt": f"walk like {model}", "model": model})
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def page(pages: Pages, operated: ServerProcess) -> Page:
    """The page, signed in: it is refused before that, and where a policy cannot be."""
    pages.allowed += ["status of 401", "status of 422"]
    opened = pages("/", url=operated.url, reduced_motion="reduce")
    dialog = opened.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("API key").fill(operated.key)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    return opened


@pytest.mark.slow
def test_operators_see_and_steer(page: Page, axe: str) -> None:
    page.goto("/#/operate")
    card = page.get_by_role("region", name="sim-good", exact=True)
    expect(card).to_contain_text("1 ready")
    expect(card).to_contain_text("$0.80")
    expect(card).to_contain_text("Plan: 1 × l4 (static)")
    expect(card.get_by_role("img", name="Latency")).to_be_visible()
    card.get_by_text("As a table").first.click()
    expect(card.get_by_role("table").first).to_contain_text("Waiting")
    looked(page, "pools", axe)

    page.goto("/#/operate/releases")
    page.get_by_role("button", name="Start a release").click()
    dialog = page.get_by_role("dialog", name="Start a release")
    expect(dialog).to_contain_text("10 % of the callers of Motions will be answered by sim-broken")
    dialog.get_by_role("button", name="Start a release").click()
    release = page.get_by_role("region", name="sim-broken in place of sim-good")
    expect(release).to_contain_text("running")
    release.get_by_role("button", name="Pause").click()
    confirmed(page, "Pause the release")
    expect(release).to_contain_text("paused")
    looked(page, "releases", axe)
    release.get_by_role("button", name="Abort").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(release).to_contain_text("paused")
    release.get_by_role("button", name="Abort").click()
    expect(page.get_by_role("dialog")).to_contain_text("All traffic goes back to sim-good now.")
    confirmed(page, "Abort the release")
    expect(release).to_contain_text("aborted")

    page.goto("/#/operate/dead")
    dead = page.get_by_role("row").filter(has_text="walk like sim-broken")
    expect(dead).to_contain_text("ENGINE_FAILED")
    looked(page, "dead", axe)
    dead.get_by_role("checkbox").check()
    page.get_by_role("button", name="Revive 1 chosen").click()
    confirmed(page, "Revive one job")
    expect(page.get_by_role("status").filter(has_text="No job has failed")).to_be_visible()


@pytest.mark.slow
def test_a_pair_is_rated_by_who_is_not_told(page: Page, operated: ServerProcess, axe: str) -> None:
    headers = {"X-API-Key": operated.key}
    path = operated.url + "/v1/releases/motion"
    httpx.put(path, headers=headers, json={"canary": "sim-next"}).raise_for_status()
    page.goto("/#/operate/releases")
    release = page.get_by_role("region", name="sim-next in place of sim-good")
    release.get_by_text("Compare by eye").click()
    release.get_by_label("Prompt").fill("walk to the door")
    release.get_by_role("button", name="Make it with both").click()
    captions = release.locator(".play-captions p")
    expect(captions).to_have_text(["Left", "Right"])
    expect(release.get_by_text("Loading…")).to_have_count(0)
    # Nothing that is shown with them tells who made them.
    assert "sim-" not in release.locator(".play").inner_text()
    assert release.get_by_role("button", name="Download as GLB").count() == 0
    looked(page, "pair", axe)
    release.get_by_role("button", name="Left", exact=True).click()
    expect(
        release.get_by_text(re.compile(r"Left was sim-\w+, right was sim-\w+\."))
    ).to_be_visible()
    expect(release).to_contain_text(
        re.compile(r"better [01], sim-next better [01], no difference 0")
    )
    ratings = httpx.get(path, headers=headers).json()["ratings"]
    assert ratings["stable"] + ratings["canary"] == 1
    release.get_by_role("link", name="Compare side by side").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.locator(".play-captions")).to_contain_text("sim-next")
    httpx.post(path + "/abort", headers=headers).raise_for_status()


@pytest.mark.slow
def test_operators_make_keys_and_play_the_past(
    page: Page, operated: ServerProcess, axe: str
) -> None:
    page.goto("/#/operate/keys")
    page.get_by_label("User").fill("studio-b")
    page.get_by_label("Label").fill("build server")
    page.get_by_role("button", name="Create a key").click()
    dialog = page.get_by_role("dialog", name="Key of studio-b")
    key = dialog.get_by_label("Keys").input_value()
    headers = {"X-API-Key": key}
    assert httpx.get(operated.url + "/v1/jobs", headers=headers).status_code == 200
    dialog.get_by_role("button", name="I have kept it").click()
    looked(page, "keys", axe)
    row = page.get_by_role("row").filter(has_text="studio-b")
    row.get_by_role("button", name="Revoke").click()
    confirmed(page, "Revoke the key build server of studio-b")
    expect(row).to_contain_text("revoked")
    assert key not in page.content()

    page.goto("/#/operate/simulator")
    page.get_by_role("combobox", name="Pool").select_option("sim-good")
    page.get_by_role("combobox", name="Policy").select_option("keda-queue")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_text(re.compile(r"\d jobs of sim-good"))).to_be_visible(timeout=40_000)
    expect(page.get_by_role("row", name="Replicas at most")).to_contain_text("1")
    expect(page.get_by_role("img", name="Replicas paid for")).to_be_visible()
    looked(page, "simulator", axe)
    page.get_by_role("combobox", name="Policy").select_option("static")
    page.get_by_role("spinbutton", name="Replicas at most").fill("1")
    page.get_by_role("spinbutton", name="Replicas at least").fill("3")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_role("alert")).to_contain_text("INVALID_REQUEST")


def confirmed(page: Page, act: str) -> None:
    dialog = page.get_by_role("dialog", name=act)
    dialog.get_by_role("button", name=act).click()
    expect(dialog).to_have_count(0)


def looked(page: Page, name: str, axe: str) -> None:
    """Usable by everybody, in both themes, on a telephone too."""
    for width, theme in ((1920, "dark"), (360, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert violations(page, axe) == [], (name, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        if folder := os.environ.get("STUDIO_PICTURES"):
            page.screenshot(path=f"{folder}/operate-{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})
