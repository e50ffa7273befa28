"""What is wrong before anything is done: messages and exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere import __version__
from tests.cli.conftest import Run
from tests.servers import ServerProcess

COMMANDS = (
    "serve", "generate", "validate", "jobs", "show", "cancel", "revive", "live", "convert",
    "models", "pools", "keys", "simulate", "doctor", "demo",
)  # fmt: skip
NOBODY = "http://127.0.0.1:1"


def test_the_version(kinesphere: Run) -> None:
    done = kinesphere("--version")
    assert (done.returncode, done.stdout) == (0, f"kinesphere {__version__}\n")


def test_help_names_every_command(kinesphere: Run) -> None:
    done = kinesphere("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(kinesphere: Run, command: str) -> None:
    done = kinesphere(command, "--help")
    assert done.returncode == 0
    assert command in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("generate",),
        ("generate", "wave", "--duration", "long"),
        ("jobs", "--limit", "0"),
        ("models", "--url", "ftp://x"),
        ("generate", "wave", "--url", "nowhere"),
        ("generate", "wave", "--faces", "5000"),
        ("generate", "wave", "--no-texture"),
        ("generate", "wave", "--mask", "none.png"),
        ("validate", "none.bvh"),
        ("validate", "."),
        ("convert", "01KAZ6T3V9S2Q4W8E0R5Y7T1J3"),
    ],
)
def test_wrong_arguments_exit_2(kinesphere: Run, arguments: tuple[str, ...]) -> None:
    done = kinesphere(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs",),
        ("show", "X"),
        ("cancel", "X"),
        ("convert", "X", "glb"),
        ("models",),
        ("pools",),
        ("generate", "wave"),
    ],
)
def test_nobody_there_exits_3(kinesphere: Run, arguments: tuple[str, ...]) -> None:
    done = kinesphere(*arguments, "--url", NOBODY)
    assert done.returncode == 3
    assert "nothing answers at http://127.0.0.1:1" in done.stderr
    assert "`kinesphere serve`" in done.stderr
    assert kinesphere(*arguments, KINESPHERE_URL=NOBODY).returncode == 3


def test_wrong_settings_are_all_told(kinesphere: Run) -> None:
    done = kinesphere("serve", "--port", "99999", "--log-level", "loud", KINESPHERE_DATTA="x")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "error: the settings are not right:"
    for part in ("port ", "log_level ", "did you mean KINESPHERE_DATA?"):
        assert any(part in line for line in lines[1:]), part


def test_a_server_binds_loopback_only(kinesphere: Run) -> None:
    done = kinesphere("serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "would let others in" in done.stderr


@pytest.mark.parametrize("module", ["numpy", "httpx", "fastapi", "sqlalchemy", "pydantic"])
def test_help_starts_light(module: str) -> None:
    code = (
        "import sys\nfrom kinesphere.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit({module!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


def test_serving_needs_no_tables() -> None:
    code = "import sys, kinesphere.cli.serve; sys.exit(bool({'rich', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_taken_port_and_a_taken_folder(
    kinesphere: Run, tmp_path: Path, server: ServerProcess
) -> None:
    port = server.url.rpartition(":")[2]
    done = kinesphere("serve", "--port", port, "--data", tmp_path / "other")
    assert done.returncode == 1
    assert "choose another with --port" in done.stderr
    done = kinesphere("serve", "--port", "0", "--data", server.data)
    assert done.returncode == 1
    assert "is in use by another server" in done.stderr
