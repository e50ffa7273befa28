"""How smoothly the studio's player follows a drag over its time line.

Starts the server and Debian's Chromium with graphics that the CPU computes, which is the worst that
a browser has, plays a motion, stops it, and drags over the time line at a given pace for some
seconds, to and fro. A picture counts when the page has drawn it; it is late by the time since the
pointer was last moved before it. Prints JSON.

    python -m benchmarks.scrubbing [--seconds 6] [--width 1280] [--height 800] [--busy 0]

`--busy` keeps so many processor cores busy with something else.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, ViewportSize, async_playwright, expect
from tests.servers import ServerProcess
from tests.studio.conftest import CHROMIUM, FLAGS

MOTION = {"prompt": "a dancer spins fast three times", "duration": 4, "seed": 1, "format": "glb"}
TICKS = os.sysconf("SC_CLK_TCK")
PACE = 1 / 60
"""Seconds between two moves of the pointer, as of a mouse."""
SWEEPS = 4
"""How often the drag goes from one end of the time line to the other."""

WATCHED = """
window.watched = { draws: [], moves: [], sizes: new Set(), long: [] };
let drew = 0;
const { drawElements } = WebGL2RenderingContext.prototype;
WebGL2RenderingContext.prototype.drawElements = function (...all) {
  const frame = document.timeline.currentTime;
  if (frame !== drew) {
    drew = frame;
    watched.draws.push(performance.now());
    watched.sizes.add(this.canvas.width + 'x' + this.canvas.height);
  }
  return drawElements.apply(this, all);
};
addEventListener('pointermove', (event) => {
  watched.moves.push(performance.now() - event.timeStamp);
}, true);
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) watched.long.push(one.duration);
}).observe({ type: 'longtask' });
"""

FORGET = "watched.draws = []; watched.moves = []; watched.long = []; watched.sizes.clear()"
TOLD = "({...watched, sizes: [...watched.sizes]})"


def cpu() -> float:
    """Seconds of processor time that the browser's processes have taken so far."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"chromium" in (folder / "cmdline").read_bytes().split(b"\0")[0]:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / TICKS


def spin() -> None:
    while True:
        pass


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """So many cores are at work on something else."""
    running = [multiprocessing.Process(target=spin, daemon=True) for _ in range(cores)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.terminate()


async def dragged(page: Page, seconds: float) -> dict[str, Any]:
    """Drag to and fro at the pace of a mouse, never waiting; what the page drew meanwhile."""
    box = await page.get_by_role("slider", name="Time line").bounding_box()
    assert box is not None
    session = await page.context.new_cdp_session(page)
    y = box["y"] + 12
    sent: list[asyncio.Task[Any]] = []

    def mouse(kind: str, share: float) -> None:
        place = {"x": box["x"] + 2 + share * (box["width"] - 4), "y": y}
        pressed = {"button": "left", "buttons": 1, "clickCount": 1}
        message = {"type": kind, **place, **pressed}
        sent.append(asyncio.create_task(session.send("Input.dispatchMouseEvent", message)))

    mouse("mousePressed", 0)
    await sent[0]
    await page.evaluate(FORGET)
    began, used = time.perf_counter(), cpu()
    while (now := time.perf_counter() - began) < seconds:
        mouse("mouseMoved", 1 - abs(now / seconds * 2 * SWEEPS % 2 - 1))
        await asyncio.sleep(max(0.0, PACE * len(sent) - (time.perf_counter() - began)))
    told: dict[str, Any] = await page.evaluate(TOLD)
    used = cpu() - used
    mouse("mouseReleased", 0.5)
    await asyncio.gather(*sent)
    behind = time.perf_counter() - began - seconds
    return {**told, "sent": len(sent) - 2, "behind": behind, "cpu": used}


def figures(told: dict[str, Any], seconds: float) -> dict[str, object]:
    """Pictures a second, and how long the page stood still."""
    draws = told["draws"]
    gaps = [after - before for before, after in itertools.pairwise(draws)]
    return {
        "moves_sent": told["sent"],
        "moves_handled": len(told["moves"]),
        "move_waits_ms_median": round(statistics.median(told["moves"]), 1),
        "move_waits_ms_longest": round(max(told["moves"]), 1),
        "answered_late_s": round(told["behind"], 2),
        "pictures": len(draws),
        "pictures_per_second": round(len(draws) / seconds, 1),
        "gap_ms_median": round(statistics.median(gaps), 1),
        "gap_ms_longest": round(max(gaps), 1),
        "cpu_ms_per_picture": round(1000 * told["cpu"] / len(draws), 1),
        "long_tasks": len(told["long"]),
        "long_task_ms_longest": round(max(told["long"], default=0.0), 1),
        "canvas": told["sizes"],
    }


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """One drag over one motion."""
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder)).start()
        try:
            headers = {"Prefer": "wait=60"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=70) as http:
                made = (await http.post("/v1/motions", json=MOTION)).json()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                size = ViewportSize(width=options.width, height=options.height)
                page = await browser.new_page(
                    viewport=size, locale="en-US", reduced_motion="reduce"
                )
                await page.add_init_script(WATCHED)
                await page.goto(f"{server.url}/#/job/{made['id']}")
                mark = page.locator(".play-mark").first
                await expect(mark).to_be_visible(timeout=60_000)
                await page.wait_for_timeout(2000)
                with busy(options.busy):
                    told = await dragged(page, options.seconds)
                await browser.close()
        finally:
            server.kill()
    return {"busy": options.busy, **figures(told, options.seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--busy", type=int, default=0)
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
