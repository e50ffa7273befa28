"""The player: motions and meshes drawn, scrubbed, judged, compared, and let go of."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from tests.servers import ServerProcess
from tests.studio.conftest import Pages

pytestmark = pytest.mark.slow

SMALL = {"width": 720, "height": 600}
"""What the processor draws in little time."""
PLAIN = {"prompt": "a person walks forward, then jumps", "duration": 4, "seed": 3}
SKATING = {"prompt": "a dancer spins fast three times", "duration": 4, "seed": 1, "format": "glb"}

STILL = """() => {
  const canvas = document.querySelector('.play-stage canvas');
  return canvas.width === canvas.clientWidth;
}"""

COUNTED = """
const contexts = new Set();
const buffers = new Set();
const GL = WebGL2RenderingContext.prototype;
const { createBuffer, deleteBuffer } = GL;
GL.createBuffer = function () {
  const made = createBuffer.call(this);
  contexts.add(this);
  buffers.add(made);
  return made;
};
GL.deleteBuffer = function (gone) {
  buffers.delete(gone);
  return deleteBuffer.call(this, gone);
};
window.drawing = () => ({
  contexts: [...contexts].filter((one) => !one.isContextLost()).length,
  buffers: buffers.size,
});
"""
"""Counts what graphics memory holds, as the browser is asked for it."""


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    headers = {"Prefer": "wait=60"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=70) as asking:
        yield asking


@pytest.fixture(scope="module")
def motions(client: httpx.Client) -> tuple[str, str]:
    """A motion as BVH, and one that skates as GLB."""
    plain, skating = (client.post("/v1/motions", json=body).json() for body in (PLAIN, SKATING))
    return plain["id"], skating["id"]


@pytest.fixture(scope="module")
def mesh(client: httpx.Client) -> str:
    picture = np.full((256, 256, 3), 245, np.uint8)
    cv2.ellipse(picture, (128, 145), (60, 75), 0, 0, 360, (40, 90, 200), -1)
    cv2.circle(picture, (128, 65), 35, (60, 160, 230), -1)
    image = cv2.imencode(".png", picture)[1].tobytes()
    fields = {"faces": "2000", "seed": "1"}
    answer = client.post("/v1/meshes", files={"image": ("toy.png", image)}, data=fields)
    return str(answer.json()["id"])


def seen(
    page: Page, box: tuple[float, float, float, float] = (0, 0, 1, 0.85), *, still: bool = True
) -> NDArray[np.int16]:
    """Pixels of a part of the 3D view: left, top, right, bottom as shares, the buttons left out."""
    # Drawn with fewer pixels while things move, and then with all of them.
    if still:
        page.wait_for_function(STILL)
    png = page.locator(".play-stage canvas").screenshot()
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    part = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return part.astype(np.int16)


def changed(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Share of pixels that differ plainly."""
    return float((np.abs(one - other).max(axis=2) > 12).mean())


def at(slider: Locator, frame: int) -> None:
    expect(slider).to_have_attribute("aria-valuenow", str(frame))


def test_a_motion_plays_and_each_frame_is_found_again(
    pages: Pages, motions: tuple[str, str]
) -> None:
    pages.allowed.append("status of 403")
    page = pages(viewport=SMALL)
    # The first link has expired: the job is asked for another.
    page.route("**/v1/artifacts/**", lambda route: route.fulfill(status=403), times=1)
    page.goto(f"/#/job/{motions[1]}")
    slider = page.get_by_role("slider", name="Time line")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(slider).not_to_have_attribute("aria-valuenow", "1")
    page.get_by_role("button", name="Pause").click()
    slider.press("Home")
    at(slider, 1)
    first = seen(page)
    assert first.std() > 5
    for key, frame in (
        ("Shift+ArrowRight", 11),
        ("ArrowRight", 12),
        ("End", 120),
        ("ArrowLeft", 119),
    ):
        slider.press(key)
        at(slider, frame)
    later = seen(page)
    assert changed(first, later) > 0.003
    slider.press("Home")
    at(slider, 1)
    assert changed(first, seen(page)) == 0
    # What the quality checks found leads to its frame, from the list and from the line.
    expect(page.locator('.play-mark[data-weight="warn"]').first).to_be_visible()
    page.get_by_role("button", name="Foot skating: go to frame 14").last.click()
    at(slider, 14)
    page.locator('.play-mark[data-weight="warn"]').nth(1).click()
    at(slider, 23)
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    at(slider, 61)
    # The graphics card goes and comes back.
    before = seen(page)
    page.evaluate(
        "window.lose = document.querySelector('.play-stage canvas').getContext('webgl2')"
        ".getExtension('WEBGL_lose_context'); lose.loseContext()"
    )
    told = page.get_by_text("The graphics card was taken away")
    expect(told).to_be_visible()
    page.evaluate("lose.restoreContext()")
    expect(told).to_have_count(0)
    assert changed(before, seen(page)) < 0.001
    slider.press("1")
    assert changed(before, seen(page)) > 0.003


def test_two_motions_run_in_step(pages: Pages, motions: tuple[str, str]) -> None:
    left, right = motions
    page = pages(f"/#/compare/{left}/{right}", reduced_motion="reduce", viewport=SMALL)
    slider = page.get_by_role("slider")
    expect(page.locator(".play-mark").first).to_be_visible()
    # Whoever wants less motion is not played at.
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    at(slider, 1)
    halves = ((0.0, 0.1, 0.5, 0.85), (0.5, 0.1, 1.0, 0.85))
    start = [seen(page, half) for half in halves]
    slider.press("Shift+ArrowRight")
    slider.press("Shift+ArrowRight")
    at(slider, 21)
    moved = [seen(page, half) for half in halves]
    for before, after in zip(start, moved, strict=True):
        assert changed(before, after) > 0.002
    width = min(half.shape[1] for half in moved)
    assert changed(moved[0][:, :width], moved[1][:, :width]) > 0.01
    legends = page.locator(".play-legend")
    assert legends.filter(has_text="Knee").count() == 2


def test_a_mesh_is_seen_in_every_way(pages: Pages, mesh: str, client: httpx.Client) -> None:
    page = pages(f"/#/job/{mesh}", color_scheme="dark", viewport=SMALL)
    report = client.post("/validate", json={"job_id": mesh}).json()
    for name in ("vertices", "faces"):
        told = page.locator(f".play-facts dt:text-is('{name.title()}') + dd")
        expect(told).to_have_text(f"{report[name]:,}")
    views = []
    for name in ("Textured", "Untextured", "Albedo", "Normals", "Wireframe"):
        page.get_by_role("button", name=name, exact=True).click()
        views.append(seen(page))
    for index, one in enumerate(views):
        for other in views[:index]:
            assert changed(one, other) > 0.01
    page.locator(".play-stage").press("3")
    assert changed(views[-1], seen(page)) > 0.01
    turntable = page.get_by_role("button", name="Turntable")
    page.get_by_role("button", name="Textured", exact=True).click()
    turntable.click()
    expect(turntable).to_have_attribute("aria-pressed", "true")
    one = seen(page, still=False)
    assert any(changed(one, seen(page, still=False)) > 0 for _ in range(20))


def test_ten_players_leave_nothing_behind(
    pages: Pages, motions: tuple[str, str], mesh: str
) -> None:
    page = pages(viewport=SMALL)
    page.add_init_script(COUNTED)
    page.goto("/#/compare")
    page.reload()
    session = page.context.new_cdp_session(page)
    heap: list[float] = []
    for turn in range(10):
        page.goto(f"/#/job/{mesh if turn % 2 else motions[1]}")
        expect(page.get_by_text("Quality").first).to_be_visible()
        page.wait_for_function("() => drawing().buffers > 3")
        page.goto("/#/compare")
        expect(page.locator(".play-stage")).to_have_count(0)
        page.wait_for_function("() => drawing().contexts === 0 && drawing().buffers === 0")
        session.send("HeapProfiler.collectGarbage")
        heap.append(session.send("Runtime.getHeapUsage")["usedSize"] / 2**20)
    # A motion's numbers alone would be three megabytes by then.
    assert max(heap[-2:]) - heap[3] < 1.5


def test_without_webgl_it_says_so_and_still_gives_files(
    pages: Pages, motions: tuple[str, str], tmp_path: Path
) -> None:
    page = pages()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"/#/job/{motions[0]}")
    page.reload()
    expect(page.get_by_text("WebGL 2 is missing")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as BVH").click()
    assert download.value.suggested_filename == "a-person-walks-forward-then-jumps.bvh"
    download.value.save_as(tmp_path / "motion.bvh")
    assert (tmp_path / "motion.bvh").read_bytes().startswith(b"HIERARCHY")
