from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tests.worker.bench import Bench, children, open_files


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench that must leave neither a process nor an open file."""
    bench = Bench.build(tmp_path)
    files, processes = len(open_files()), set(children())
    try:
        yield bench
    finally:
        await bench.close()
    assert set(children()) <= processes
    await wait_until(lambda: len(open_files()) <= files, f"all files closed: {open_files()}", 5.0)
