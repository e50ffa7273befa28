"""`kinesphere demo`: a real server, a real request, a picture of what came of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kinesphere.cli import console
from kinesphere.cli.asks import sheet
from kinesphere.cli.exits import Exit, answering, leave
from kinesphere.client import Client, Job

PROMPT: Final = "一个舞者旋转跳跃后单膝跪地"
SECONDS: Final = 5.0
SEED: Final = 1
_START: Final = 60.0
_DRAIN: Final = 20.0


@dataclass(frozen=True, slots=True)
class _Running:
    url: str
    seconds: float


def run(out: Path) -> None:
    """Run the demonstration in `out`, as often as wanted."""
    out = out.expanduser().absolute()
    out.mkdir(parents=True, exist_ok=True)
    motion, picture = out / "motion.bvh", out / "motion.png"
    with answering(), _server(out) as server:
        print(f"a server is ready on {server.url} after {server.seconds:.2f} s")
        print(f"asking for {SECONDS:g} s of: {PROMPT}")
        began = time.monotonic()
        with Client(server.url) as client:
            job = client.submit(PROMPT, duration=SECONDS, seed=SEED, format="bvh")
            with console.watching("waiting") as watch:
                job = client.wait(job, 120.0, lambda p: watch(p.state, p.fraction, p.phase))
            client.download(job, motion)
        took = time.monotonic() - began
        console.store(picture, sheet(motion.read_bytes(), motion.suffix, PROMPT))
    _tell(job, motion, picture, took)


def _tell(job: Job, motion: Path, picture: Path, took: float) -> None:
    console.facts(
        [
            ("motion", str(motion)),
            ("picture", str(picture)),
            ("understood", console.told(job.notes, "understood")),
            ("ignored", console.told(job.notes, "ignored") or "nothing"),
            ("model", f"{job.model.name} {job.model.version}, seed {job.request.get('seed')}"),
            ("took", f"{took:.2f} s from the request to the file"),
        ]
    )
    command = _command()
    body = '{"prompt": "a man walks, then waves", "duration": 4}'
    print(
        f"""
The server was stopped. Next:
  {command} generate "a man walks in a circle, then waves" -o wave.bvh --preview wave.png
  {command} serve
  curl -s http://127.0.0.1:8000/generate -H 'Content-Type: application/json' -d '{body}'"""
    )


def _command() -> str:
    """How this program was called, so that the lines can be typed as they are."""
    called = Path(sys.argv[0])
    if called.name != "kinesphere":
        return "python -m kinesphere"
    folder = str(called.parent.absolute())
    if folder in os.environ.get("PATH", "").split(os.pathsep):
        return "kinesphere"
    return min(str(called.absolute()), os.path.relpath(called), key=len)


@contextmanager
def _server(out: Path) -> Iterator[_Running]:
    """A server of our own on a free port, with its data under `out`, drained at the end."""
    data, log = out / "data", out / "server.log"
    # The demonstration shows the same to everybody, whatever is set for other servers.
    environ = {n: v for n, v in os.environ.items() if not n.upper().startswith("KINESPHERE_")}
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
        with Client(url) as client:
            readiness = client.warm_up(_START)
        if not readiness.ready:
            raise leave(Exit.FAILED, f"the server is not ready: {readiness.pools}; see {log}")
        yield _Running(url, time.monotonic() - began)
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
