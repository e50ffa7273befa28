"""Running the real command."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.servers import ServerProcess
from tests.waiting import wait_until

Finished = subprocess.CompletedProcess[str]


class Run(Protocol):
    """Runs `kinesphere` with these arguments in the test's folder."""

    def __call__(self, *arguments: str | Path, **environment: str) -> Finished: ...


def plain_environment(**more: str) -> dict[str, str]:
    """The environment without what was set for other servers."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("KINESPHERE_")}
    return {**kept, **more}


def until(predicate: Callable[[], bool], description: str) -> None:
    """Wait until `predicate` is true."""
    asyncio.run(wait_until(predicate, description))


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches what is started here, though a shell may have started us to ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def kinesphere(tmp_path: Path) -> Run:
    """The command as a process."""

    def run(*arguments: str | Path, **environment: str) -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "kinesphere", *arguments],
            cwd=tmp_path,
            env=plain_environment(**environment),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server with warm models."""
    running = ServerProcess(tmp_path_factory.mktemp("cli") / "data").start()
    yield running
    assert running.stop() == 0
