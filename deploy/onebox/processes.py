"""Processes of Kinesphere: started, paused, killed, stopped, started again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx


class Process:
    """One `kinesphere` command that runs until it is told to stop."""

    def __init__(
        self, name: str, words: list[str], folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.name = name
        self.folder = folder
        self._words = words
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it printed, over all its lives."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Its process id. Raises AssertionError when it was never started."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, in a process group of its own; see `said` for when it is there."""
        environ = {n: v for n, v in os.environ.items() if not n.startswith("KINESPHERE_")}
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kinesphere", *self._words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ | {"KINESPHERE_LOG_FORMAT": "json"} | self._settings,
                start_new_session=True,
            )

    def logged(self) -> list[dict[str, Any]]:
        """The lines of its present life."""
        with self.log.open("rb") as log:
            log.seek(self._from)
            lines = log.read().split(b"\n")
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def said(self, action: str, seconds: float = 90.0) -> dict[str, Any]:
        """The first line of its present life with this action, once it is there."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found = next((line for line in self.logged() if line.get("action") == action), None)
            if found is not None:
                return found
            if not self.running:
                break
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not say {action}:\n{self.log.read_text()[-3000:]}")

    def kill(self, *, children: bool = True) -> None:
        """End it without a word; without `children`, its own children must notice by themselves."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if children:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        self._process.wait(20)

    def pause(self) -> None:
        """Stop it and its children in their tracks."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.killpg(self.pid, signal.SIGCONT)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit status, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self, seconds: float = 60.0) -> int:
        """Ask it to end, and tell its exit status."""
        assert self._process is not None
        if self.running:
            self.tell(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            last = self.log.read_text()[-3000:]
            raise AssertionError(f"{self.name} did not stop:\n{last}") from None

    def children(self) -> list[int]:
        """Process ids of its children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(word) for word in path.read_text().split()]


class Api(Process):
    """One `kinesphere api`; `url` is known once it was started."""

    url: str = ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        self.url = str(self.said("server.listening")["url"])
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(self.url + "/health", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} does not answer:\n{self.log.read_text()[-3000:]}")
