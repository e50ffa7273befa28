"""Blender as a judge, in an environment of its own: it pins another NumPy than ours."""

import fcntl
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".judges" / "blender"
"""Some 800 MB, kept from run to run; `rm -r` it freely."""
Blender = Callable[..., Any]


def _install() -> Path:
    lock, stamp = HERE / "blender.txt", HOME / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    python = HOME / "bin" / "python"
    # Test processes that run side by side must not install into each other.
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            uv = [sys.executable, "-m", "uv", "--quiet"]
            # Blender's wheels are of one version of Python each, whatever ours is.
            _run([*uv, "venv", "--clear", "--python", "3.11", str(HOME)], 300)
            _run([*uv, "pip", "sync", "--python", str(python), str(lock)], 900)
            stamp.write_text(wanted)
    return python


def _run(command: list[str], seconds: float) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    return done.stdout


@pytest.fixture(scope="session")
def blender() -> Blender:
    """Runs a script of this folder in Blender and returns the JSON of its last line."""
    python = _install()

    def judge(script: str, *arguments: str | Path) -> Any:
        output = _run([str(python), str(HERE / script), *map(str, arguments)], 120)
        return json.loads(output.splitlines()[-1])

    return judge
