"""Starts the real server as a process on a free port, and ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

_DEFAULTS = {
    "KINESPHERE_LOG_FORMAT": "json",
    # Tests ask faster than any user; those of the limits set their own.
    "KINESPHERE_RATE_LIMIT": "0",
    "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
    # They ask for the same again and again, each for a run of its own; those of sharing share.
    "KINESPHERE_CACHE_SHARE": "off",
}


@dataclass
class ServerProcess:
    """One `kinesphere serve`; with authentication, `key` is asked with until it is ready.

    `port` 0 takes any that is free.
    """

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    port: int = 0

    def start(self, ready: bool = True, seconds: float = 60.0) -> "ServerProcess":
        """Start it, and wait until it answers (and until its models are warm)."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "server.json").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "kinesphere",
                    "serve",
                    "--port",
                    str(self.port),
                    "--data",
                    self.data,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **_DEFAULTS, **self.environment},
            )
        limit = time.monotonic() + seconds
        while not (self.data / "server.json").exists():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
        self.url = json.loads((self.data / "server.json").read_text())["url"]
        if ready:
            headers = {"X-API-Key": self.key} if self.key else {}
            answer = httpx.post(
                self.url + "/warmup",
                params={"wait": seconds},
                headers=headers,
                timeout=seconds + 5,
            )
            assert answer.status_code == 200, answer.text
        return self

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.data / "server.log"

    def logged(self) -> list[dict[str, object]]:
        """Its log lines so far."""
        # The last may be half written. Prompts may hold what str.splitlines takes for an end.
        lines = self.log.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(10)

    def stop(self, seconds: float = 40.0) -> int:
        """Drain it, and tell its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not stop:\n{self.log.read_text()[-4000:]}") from None
