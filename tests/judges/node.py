"""Judges that run under node, installed from this folder's lock file when they are missing."""

import fcntl
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
Judge = Callable[..., Any]


def _install() -> None:
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".installed"
    # Test processes that run side by side must not install into each other.
    with (HERE / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=HERE, check=True, capture_output=True, timeout=100)
            stamp.write_text(wanted)


@pytest.fixture(scope="session")
def node_judge() -> Judge:
    """Runs a script of this folder, `judge("name.mjs", *arguments)`, and returns its JSON."""
    _install()

    def judge(script: str, *arguments: str | Path) -> Any:
        command = ["node", str(HERE / script), *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return judge
