"""A server of a command's own: started on a free port, ready, and drained at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kinesphere.cli.exits import Exit, leave
from kinesphere.client import Client

_START: Final = 120.0
_DRAIN: Final = 40.0


@dataclass(frozen=True, slots=True)
class Running:
    """Where it answers, and after how many seconds it was ready."""

    url: str
    seconds: float


@contextmanager
def own_server(out: Path, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A server with its data under `out`, and with these KINESPHERE_* variables and no others.

    Raises typer.Exit when it does not start.
    """
    data, log = out / "data", out / "server.log"
    # It behaves the same for everybody, whatever is set for other servers.
    environ = {n: v for n, v in os.environ.items() if not n.upper().startswith("KINESPHERE_")}
    environ |= settings or {}
    command = [sys.executable, "-m", "kinesphere", "serve", "--port", "0", "--data", str(data)]
    began = time.monotonic()
    with log.open("wb") as lines:
        # In a session of its own, so that Ctrl-C reaches us alone, and we stop it in order.
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=out, env=environ, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines,
            start_new_session=True,
        )  # fmt: skip
    try:
        url = _address(process, data / "server.json", log)
        with Client(url, api_key="") as client:
            readiness = client.warm_up(_START)
        if not readiness.ready:
            raise leave(Exit.FAILED, f"the server is not ready: {readiness.pools}; see {log}")
        yield Running(url, time.monotonic() - began)
    finally:
        _stop(process)


def _address(process: subprocess.Popen[bytes], told: Path, log: Path) -> str:
    """Where the server listens, as it writes once it does."""
    until = time.monotonic() + _START
    while time.monotonic() < until:
        if process.poll() is not None:
            last = "\n".join(log.read_text("utf-8", "replace").splitlines()[-5:])
            raise leave(Exit.FAILED, f"the server ended with {process.returncode}:\n{last}")
        try:
            address = json.loads(told.read_text("utf-8"))
        except (OSError, ValueError):
            address = {}
        # A server that was killed before may have left its own.
        if address.get("pid") == process.pid:
            return str(address["url"])
        time.sleep(0.02)
    raise leave(Exit.FAILED, f"the server did not start within {_START:g} s; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_DRAIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
