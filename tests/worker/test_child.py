"""What an idle child costs."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from kinesphere.core.replicas import ReplicaState
from tests.worker.bench import Bench

HEAVY: Final = {"numpy", "scipy", "sqlalchemy", "fastapi", "pydantic", "starlette", "uvicorn"}
MOST_MEMORY: Final = 20 * 1024 * 1024


def test_a_child_imports_nothing_heavy() -> None:
    code = "import sys, kinesphere.worker.child; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(run.stdout.split())


async def test_an_idle_child_is_small(bench: Bench) -> None:
    replica = bench.start("Simple")
    await bench.state(replica, ReplicaState.READY)
    assert proportional_memory(replica.status.pid) < MOST_MEMORY


def proportional_memory(pid: int | None) -> int:
    """Bytes of a process, what it shares counted in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
