"""Draws the pictures of the studio in docs/images/studio: `python -m tests.studio.pictures`."""

import io
import tempfile
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.pictures import png
from tests.servers import ServerProcess
from tests.studio.conftest import CHROMIUM, FLAGS, PATIENCE, ROOT, SIMULATED

FOLDER = ROOT / "docs" / "images" / "studio"
PROMPTS = (
    "a tired man walks in a circle, then waves twice",
    "一个舞者旋转跳跃后单膝跪地",
    "someone jumps with joy and spins",
    "a knight bows, then kicks to the left",
    "a child sits down and claps",
)


def keep(page: Page, name: str) -> None:
    """Keep what is shown, in few colours: it is for a page that is read over slow lines."""
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = taken.resize((960, 600), Image.Resampling.LANCZOS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    small.quantize(256, Image.Quantize.FASTOCTREE).save(FOLDER / f"{name}.png", optimize=True)


def drawn(page: Page, selector: str) -> None:
    """Wait until everything there has been drawn."""
    expect(page.locator(selector).first).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_text("Loading…")).to_have_count(0, timeout=3 * PATIENCE)
    page.wait_for_load_state("networkidle")


def filled(server: ServerProcess) -> None:
    """Give the library something to show."""
    for prompt in PROMPTS:
        body = {"prompt": prompt, "duration": 3, "seed": 4}
        httpx.post(f"{server.url}/v1/motions", json=body, headers={"Prefer": "wait=30"}, timeout=60)
    mug = {"image": ("mug.png", png(512), "image/png")}
    wait = {"Prefer": "wait=60"}
    httpx.post(f"{server.url}/v1/meshes", files=mug, headers=wait, timeout=90)


def busy(server: ServerProcess) -> None:
    """Give it something to do."""
    body = {"prompt": "a guard marches up and down", "model": "sim-broken"}
    httpx.post(f"{server.url}/v1/motions", json=body, headers={"Prefer": "wait=20"}, timeout=60)
    for prompt in PROMPTS[:4]:
        body = {"prompt": prompt, "model": "sim-slow", "cache": "no"}
        httpx.post(f"{server.url}/v1/motions", json=body)


def pictures(page: Page, server: ServerProcess) -> None:
    """All of them, light and dark."""
    for theme in ("light", "dark"):
        page.goto("/")
        page.get_by_label("Colours").select_option(theme)
        page.get_by_label("What should the figure do?").fill(PROMPTS[0])
        page.get_by_label("Seed", exact=True).fill("4")
        page.get_by_role("button", name="Make the motion").click()
        drawn(page, "canvas")
        keep(page, f"make-{theme}")
        busy(server)
        page.get_by_role("link", name="Jobs").click()
        expect(page.get_by_role("progressbar").first).to_be_visible()
        expect(page.get_by_text("ahead").first).to_be_visible()
        keep(page, f"watch-{theme}")
        page.get_by_role("link", name="Library", exact=True).click()
        page.get_by_label("State").select_option("succeeded")
        drawn(page, ".library-card img")
        expect(page.locator(".library-card img").nth(6)).to_be_visible(timeout=3 * PATIENCE)
        keep(page, f"library-{theme}")


def main() -> None:
    """Draw them."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environment = {"KINESPHERE_SIMULATED": SIMULATED, "KINESPHERE_CACHE_SHARE": "user"}
        server = ServerProcess(Path(folder), environment).start()
        try:
            filled(server)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            size = ViewportSize(width=1280, height=800)
            context = browser.new_context(base_url=server.url, viewport=size, locale="en-US")
            context.set_default_timeout(PATIENCE)
            pictures(context.new_page(), server)
            browser.close()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
