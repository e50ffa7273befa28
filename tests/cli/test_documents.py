"""The pages on the client and on the command line say what is so: their examples are run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere import Client, client
from kinesphere.formats import bvh
from tests import pictures
from tests.cli.conftest import plain_environment
from tests.cli.test_usage import COMMANDS
from tests.formats.motions import waving
from tests.servers import ServerProcess

DOCS = Path(__file__).parents[2] / "docs"
CLIENT, CLI = ((DOCS / name).read_text("utf-8") for name in ("client.md", "cli.md"))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the examples name."""
    (tmp_path / "cup.jpg").write_bytes(pictures.jpeg())
    (tmp_path / "wave.bvh").write_bytes(bvh.encode(waving()))
    return tmp_path


@pytest.fixture(scope="session")
def job_id(server: ServerProcess) -> str:
    """A motion that the server has made."""
    with Client(server.url) as asking:
        return asking.submit("wave", duration=1, wait=60).id


@pytest.mark.parametrize("number", range(len(blocks(CLIENT, "python"))))
def test_examples_of_the_client_run(number: int, server: ServerProcess, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks(CLIENT, "python")[number]],
        cwd=folder,
        env=plain_environment(KINESPHERE_URL=server.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


LINES = [line for block in blocks(CLI, "sh") for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if " serve" not in line])
def test_examples_of_the_command_line_run(
    line: str, server: ServerProcess, folder: Path, job_id: str
) -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=plain_environment(KINESPHERE_URL=server.url, PATH=path, ID=job_id),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described(command: str) -> None:
    assert f"`kinesphere {command}" in CLI
    assert command in " ".join(re.findall(r"^## (.*)", CLI, re.MULTILINE))


def test_every_method_and_exception_of_the_client_is_described() -> None:
    methods = [name for name in vars(Client) if not name.startswith("_") and name != "close"]
    for method in methods:
        assert f"`{method}(" in CLIENT, method
    for name in client.__all__:
        if isinstance(getattr(client, name), type) and issubclass(getattr(client, name), Exception):
            assert f"{name}`" in CLIENT, name
