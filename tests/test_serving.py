"""`kinesphere serve` as an operator sees it: starting, draining, stopping, going on."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.servers import ServerProcess
from tests.waiting import wait_until

LONG = {"prompt": "dance", "duration": 30}


def submit(server: ServerProcess, count: int) -> list[str]:
    with httpx.Client(base_url=server.url, timeout=30.0) as http:
        answers = [http.post("/v1/motions", json={**LONG, "seed": n}) for n in range(count)]
        assert {answer.status_code for answer in answers} == {202}
        return [answer.json()["id"] for answer in answers]


def states(server: ServerProcess, jobs: list[str]) -> list[tuple[str, int]]:
    with httpx.Client(base_url=server.url, timeout=30.0) as http:
        found = [http.get(f"/v1/jobs/{job}").json() for job in jobs]
        return [(job["state"], job["attempts"]) for job in found]


def running_children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    return ServerProcess(tmp_path / "data", {"KINESPHERE_DRAIN_SECONDS": "0.3"})


async def test_a_server_that_stops_loses_nothing_and_goes_on_when_it_is_back(
    server: ServerProcess,
) -> None:
    server.start()
    try:
        jobs = submit(server, 40)
        assert server.process is not None
        children = running_children(server.process.pid)
        assert children
        assert server.stop() == 0
        assert not any(Path(f"/proc/{child}").exists() for child in children)
        server.start()
        await wait_until(
            lambda: all(state == "succeeded" for state, _ in states(server, jobs)),
            "every job is done",
            seconds=60.0,
        )
        assert {attempts for _, attempts in states(server, jobs)} == {1}
        assert server.stop() == 0
    finally:
        server.kill()


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", {"KINESPHERE_DRAIN_SECONDS": "600"}).start()
    try:
        submit(server, 60)
        process = server.process
        assert process is not None
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            # Sixteen clips of 30 s are on the device or about to be; it does not leave them.
            process.wait(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0
    finally:
        server.kill()


def test_whoever_waits_is_told_when_the_server_stops(server: ServerProcess) -> None:
    server.start()
    answers: list[httpx.Response] = []
    try:
        submit(server, 60)
        waiting = threading.Thread(
            target=lambda: answers.append(
                httpx.post(server.url + "/generate", json=LONG, timeout=60.0)
            )
        )
        waiting.start()
        time.sleep(0.3)
        assert server.stop() == 0
        waiting.join(10.0)
        assert answers[0].status_code == 503
        assert answers[0].json()["error_code"] == "SHUTTING_DOWN"
        assert answers[0].headers["retry-after"]
    finally:
        server.kill()


def test_one_data_folder_has_one_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start(ready=False)
    try:
        other = serve("--port", "0", "--data", str(tmp_path / "data"))
        assert other.returncode != 0
        assert "in use by another server" in other.stderr
        assert "Traceback" not in other.stderr
    finally:
        assert server.stop() == 0


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = serve("--port", port, "--data", str(tmp_path / "data"))
    assert found.returncode != 0
    assert f"port {port}" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_other_addresses_than_loopback_are_refused(tmp_path: Path, host: str) -> None:
    found = serve("--host", host, "--data", str(tmp_path / "data"))
    assert found.returncode == 2
    assert "loopback" in found.stderr
    assert not (tmp_path / "data").exists()


def test_everything_under_the_data_folder_is_the_owners(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "outer" / "data").start(ready=False)
    try:
        assert (tmp_path / "outer" / "data" / "secret.key").stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to refuse to start."""
    return subprocess.run(
        [sys.executable, "-m", "kinesphere", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "KINESPHERE_LOG_FORMAT": "json"},
    )
