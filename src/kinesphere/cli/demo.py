"""`kinesphere demo`: a real server, a real request, a picture of what came of it."""

import os
import sys
import time
from pathlib import Path
from typing import Final

from kinesphere.cli import console
from kinesphere.cli.asks import sheet
from kinesphere.cli.exits import answering
from kinesphere.cli.own_server import own_server
from kinesphere.client import Client, Job

PROMPT: Final = "一个舞者旋转跳跃后单膝跪地"
SECONDS: Final = 5.0
SEED: Final = 1


def run(out: Path) -> None:
    """Run the demonstration in `out`, as often as wanted."""
    out = out.expanduser().absolute()
    out.mkdir(parents=True, exist_ok=True)
    motion, picture = out / "motion.bvh", out / "motion.png"
    with answering(), own_server(out) as server:
        print(f"a server is ready on {server.url} after {server.seconds:.2f} s")
        print(f"asking for {SECONDS:g} s of: {PROMPT}")
        began = time.monotonic()
        with Client(server.url, api_key="") as client:
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
