import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tests.worker.bench import Bench, children, open_files


def opened() -> int:
    """How many files are open, but for sockets while a network of another test carries traffic."""
    names = open_files()
    if any(thread.name == "network" for thread in threading.enumerate()):
        names = [name for name in names if not name.startswith("socket:")]
    return len(names)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench that must leave neither a process nor an open file."""
    bench = Bench.build(tmp_path)
    files, processes = opened(), set(children())
    try:
        yield bench
    finally:
        await bench.close()
    assert set(children()) <= processes
    await wait_until(lambda: opened() <= files, f"all files closed: {open_files()}", 5.0)
