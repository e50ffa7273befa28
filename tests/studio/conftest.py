"""The studio as built, a real server that shows it, and a browser that notices what is wrong.

Playwright's plain interface keeps a loop running in its thread, so that no test in this folder may
be `async`, and what it needs ends with the folder and not with the session.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.servers import ServerProcess

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""Run by root, and with graphics that the CPU computes."""

SIMULATED = """[
    {"name": "sim-slow", "stages": [{"fixed": 4, "per_job": 0, "batch_limit": 1}]},
    {"name": "sim-broken", "stages": [{"fixed": 0.05, "failures": 1}]},
    {"name": "sim-left", "stages": [{"fixed": 4, "per_job": 0, "batch_limit": 1}]},
    {"name": "sim-mesh", "task": "mesh", "stages": [
        {"name": "shape", "fixed": 0.3, "batch_limit": 1},
        {"name": "texture", "fixed": 4, "batch_limit": 1}]}
]"""
"""Motions that take their time, motions that fail, motions that are cancelled and whose speed
nobody asks about, meshes whose texture takes its time."""

PATIENCE = 20_000
"""Milliseconds in which what is expected has to come true, on a machine with much else to do."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="package")
def chromium() -> str:
    """Debian's Chromium, installed where it is missing."""
    with _alone("chromium"):
        if not Path(CHROMIUM).exists():
            if os.geteuid() != 0 or shutil.which("apt-get") is None:
                pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium")
            _run("apt-get", "update", "-qq")
            _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    return CHROMIUM


@pytest.fixture(scope="package")
def built() -> Path:
    """The folder that has the studio, built anew where its source has changed."""
    with _alone("studio"):
        _run("make", "--no-print-directory", "studio")
    return ROOT / "src" / "kinesphere" / "studio"


@pytest.fixture(scope="package")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of the embedded and the simulated models, without authentication."""
    environment = {"KINESPHERE_SIMULATED": SIMULATED, "KINESPHERE_CACHE_SHARE": "user"}
    running = ServerProcess(tmp_path_factory.mktemp("studio"), environment).start()
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium, its graphics computed by the CPU."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@dataclass
class Pages:
    """Opens pages, and keeps what went wrong on any of them.

    `allowed` are pieces of what the console may say of the failures that a test brings about, such
    as "status of 422".
    """

    browser: Browser
    url: str
    wrong: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(self, path: str = "/", url: str | None = None, **options: Any) -> Page:
        """A page of its own browser profile at `path` of the server, or of another at `url`."""
        base = url or self.url
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **options}
        context = self.browser.new_context(base_url=base, **options)
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        home = urlsplit(base).netloc

        def asked(address: str) -> None:
            parts = urlsplit(address)
            if parts.netloc != home and parts.scheme not in ("blob", "data"):
                self.wrong.append(f"asked another host: {address}")

        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.wrong.append(f"{message.text} ({message.location.get('url', '')})")

        context.on("request", lambda request: asked(request.url))
        context.on("console", said)
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        page = context.new_page()
        page.on("websocket", lambda socket: asked(socket.url))
        page.goto(path)
        return page

    def verdict(self) -> list[str]:
        """What went wrong and was not to be expected."""
        return [each for each in self.wrong if not any(part in each for part in self.allowed)]


@pytest.fixture
def pages(browser: Browser, server: ServerProcess) -> Iterator[Pages]:
    """Opens pages; the test fails where any of them met an error or asked another host."""
    opened = Pages(browser, server.url)
    yield opened
    for context in opened.contexts:
        context.close()
    assert not opened.verdict()


@pytest.fixture
def page(pages: Callable[[], Page]) -> Page:
    """The studio's first page."""
    return pages()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold a lock that all processes of this machine's tests respect."""
    path = Path(tempfile.gettempdir()) / f"kinesphere-tests-{name}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    # The make that runs the tests must not tell this one what to do.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    environment = {**inherited, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stdout + done.stderr)[-3000:]
        pytest.fail(f"{' '.join(command)} failed:\n{told}", pytrace=False)
