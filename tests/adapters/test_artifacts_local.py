import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.ports import StorageFailed
from tests.clock import VirtualClock

SECRET = b"k" * 32

# Puts without end, each file one byte value throughout; says so before the first.
WRITER = """
import asyncio, sys
from pathlib import Path
from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock

async def puts(store, lane):
    number = 0
    while True:
        await store.put(f"{lane}/{number}/x", bytes([number % 251]) * 400_000)
        print("put", flush=True)
        number += 1

async def main():
    store = LocalArtifacts(Path(sys.argv[1]), b"k" * 32, SystemClock())
    await asyncio.gather(*(puts(store, lane) for lane in range(6)))

asyncio.run(main())
"""

# Files may not grow beyond 64 KiB, so that a write fails halfway, as on a full disk.
FULL = """
import asyncio, resource, sys
from pathlib import Path
from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.ports import StorageFailed

resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
store = LocalArtifacts(Path(sys.argv[1]), b"k" * 32, SystemClock())
asyncio.run(store.put("small/1/x", b"x" * 1000))
try:
    asyncio.run(store.put("large/1/x", b"x" * 1_000_000))
except StorageFailed as error:
    print(error)
"""


async def keys(store: LocalArtifacts) -> list[str]:
    listing = store.keys()
    return [key async for key, _ in listing]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("puts_before", [1, 7, 30])
def test_killed_while_writing_only_whole_files_have_keys(tmp_path: Path, puts_before: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    try:
        for _ in range(puts_before):
            assert writer.stdout.readline() == "put\n"
    finally:
        writer.send_signal(signal.SIGKILL)
        told = puts_before + len(writer.stdout.readlines())
        writer.wait()
        writer.stdout.close()
    store = LocalArtifacts(tmp_path, SECRET, SystemClock())
    found = asyncio.run(keys(store))
    assert len(found) >= told
    for key in found:
        number = int(key.split("/")[1])
        assert asyncio.run(store.read(key)) == bytes([number % 251]) * 400_000
    assert list((tmp_path / "partial").iterdir()) == []


def test_a_write_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "large@1@x could not be stored: [Errno 27] File too large" in done.stdout
    assert [path.name for path in files(tmp_path)] == ["small@1@x"]


async def test_a_folder_that_is_gone_is_a_storage_failure(tmp_path: Path) -> None:
    store = LocalArtifacts(tmp_path / "store", SECRET, VirtualClock())
    (tmp_path / "store" / "partial").rmdir()
    with pytest.raises(StorageFailed):
        await store.put("a/1/x", b"x")


async def test_a_file_being_written_survives_the_start_of_another_server(tmp_path: Path) -> None:
    store = LocalArtifacts(tmp_path, SECRET, VirtualClock())

    async def restarts() -> None:
        for _ in range(50):
            await asyncio.to_thread(LocalArtifacts, tmp_path, SECRET, VirtualClock())

    async def puts(lane: int) -> None:
        for number in range(20):
            await store.put(f"{lane}/{number}/x", b"x" * 10_000)

    await asyncio.gather(restarts(), puts(0), puts(1), puts(2))
    assert len(await keys(store)) == 60


async def test_folders_stay_small(tmp_path: Path) -> None:
    store = LocalArtifacts(tmp_path, SECRET, VirtualClock())
    shards = {store._path(f"01J8ZQ4Y8N{n:016d}/1/motion.bvh").parent for n in range(4_000)}
    assert len(shards) == 256


async def test_an_emptied_folder_is_removed(tmp_path: Path) -> None:
    store = LocalArtifacts(tmp_path, SECRET, VirtualClock())
    await store.put("a/1/x", b"x")
    await store.delete("a/1/x")
    assert list((tmp_path / "files").iterdir()) == []


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="guessed"):
        LocalArtifacts(tmp_path, b"", VirtualClock())


async def test_the_event_loop_never_waits_for_the_disk(tmp_path: Path) -> None:
    """Opening a pipe without a reader blocks; the loop must go on meanwhile."""
    store = LocalArtifacts(tmp_path, SECRET, VirtualClock())
    pipe = store._path("slow/1/x")
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    reading = asyncio.create_task(store.read("slow/1/x"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not reading.done()
    await asyncio.to_thread(pipe.write_bytes, b"late")
    assert await reading == b"late"
