"""A disk that is full: a clear refusal, nothing half done, and work again once there is room."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.table import Row, tell
from tests.servers import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROOM = 48 * 2**20
PAYLOAD = 8 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of ROOM bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that takes all but so many bytes."""
    filler = folder / "filler"
    left = os.statvfs(folder)
    size = left.f_bavail * left.f_frsize - leave
    filler.write_bytes(bytes(size))
    return filler


@pytest.fixture
def server(small_disk: Path) -> Iterator[ServerProcess]:
    model = {"name": "big", "payload": PAYLOAD, "rank": 50, "stages": [{"fixed": 0.1}]}
    environment = {"KINESPHERE_MODELS": "big", "KINESPHERE_SIMULATED": json.dumps([model])}
    made = ServerProcess(small_disk / "data", environment).start()
    yield made
    made.kill()


def ask(server: ServerProcess, number: int) -> httpx.Response:
    body = {"prompt": "he walks", "duration": 1, "seed": number}
    return httpx.post(f"{server.url}/v1/motions", json=body, timeout=30)


def ended(server: ServerProcess, job_id: str, seconds: float = 60.0) -> str:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        state = str(httpx.get(f"{server.url}/v1/jobs/{job_id}", timeout=30).json()["state"])
        if state not in ("queued", "running"):
            return state
        time.sleep(0.1)
    raise AssertionError(f"{job_id} has not ended after {seconds:g} s")


def test_a_ledger_without_room_accepts_nothing(server: ServerProcess, small_disk: Path) -> None:
    row = Row("disk full under SQLite", strikes=1)
    before = ask(server, 0).json()["id"]
    assert ended(server, before) == "succeeded"
    filler = fill(small_disk, 0)
    refused = 0
    # The write-ahead log is reused, so a few may still fit.
    accepted = [before]
    for number in range(1, 400):
        answer = ask(server, number)
        if answer.status_code == 503:
            assert answer.json()["error_code"] == "LEDGER_UNAVAILABLE"
            assert "retry-after" in answer.headers
            refused += 1
        else:
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["id"])
        if refused == 3:
            break
    assert refused == 3
    filler.unlink()
    began = time.monotonic()
    while (answer := ask(server, 1_000)).status_code == 503:
        time.sleep(0.1)
    row.seconds.append(time.monotonic() - began)
    accepted.append(answer.json()["id"])
    listed = httpx.get(f"{server.url}/v1/jobs?limit=200", timeout=30).json()["items"]
    assert {job["id"] for job in listed} == set(accepted)
    assert all(ended(server, job_id) in ("succeeded", "failed") for job_id in accepted[:3])
    assert row.seconds[0] < 60.0
    row.jobs = len(accepted)
    tell(row)


def test_a_store_without_room_fails_an_attempt_and_not_the_server(
    server: ServerProcess, small_disk: Path
) -> None:
    row = Row("disk full under the artifacts", strikes=1, jobs=2)
    filler = fill(small_disk, PAYLOAD // 2)
    job_id = ask(server, 1).json()["id"]
    events = f"{server.url}/v1/jobs/{job_id}/events"
    with httpx.stream("GET", events, timeout=30) as stream:
        told = next(line for line in stream.iter_lines() if "STORAGE_FAILED" in line)
    assert "requeued" in told or "STORAGE_FAILED" in told
    filler.unlink()
    began = time.monotonic()
    assert ended(server, job_id) == "succeeded"
    row.seconds.append(time.monotonic() - began)
    assert ended(server, ask(server, 2).json()["id"]) == "succeeded"
    files = [path for path in (server.data / "artifacts").rglob("*") if path.is_file()]
    assert sorted(path.stat().st_size for path in files) == [PAYLOAD, PAYLOAD]
    tell(row)
