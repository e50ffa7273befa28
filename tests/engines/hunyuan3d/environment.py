"""The vendor's code in an environment of its own: it needs torch, and pins that are not ours.

Some 1.6 GB in `.judges/hunyuan3d`, kept from run to run; `rm -r` it freely. From nothing it takes
about half a minute, from a warm cache of uv a few seconds, and then a look at a stamp.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HOME = ROOT / ".judges" / "hunyuan3d"
PYTHON = HOME / "bin" / "python"
WEIGHTS = HOME / "weights"
VENDOR = "hy3dgen==2.0.2"

_PARTS = ("requirements.txt", "environment.py", "operators.py", "toy.py")


def installed() -> Path:
    """The interpreter of an environment that is there and has toy weights, made where need be."""
    stamp = HOME / ".installed"
    wanted = hashlib.sha256(b"".join((HERE / part).read_bytes() for part in _PARTS)).hexdigest()
    # Test processes that run side by side must not install into each other.
    with (HERE / "requirements.txt").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install()
            stamp.write_text(wanted)
    return PYTHON


def run(*arguments: str | Path, seconds: float) -> str:
    """What a command prints; AssertionError with what it said where it fails."""
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return done.stdout


def _install() -> None:
    uv = (sys.executable, "-m", "uv", "--quiet")
    run(*uv, "venv", "--clear", "--python", "3.11", HOME, seconds=120)
    # A CPU build of torch: from a folder of wheels where pip has one, else from torch's own index.
    wheels = os.environ.get("PIP_FIND_LINKS")
    source = ("--find-links", wheels) if wheels else ("--torch-backend", "cpu")
    into = ("pip", "install", "--python", PYTHON, "--no-deps")
    run(*uv, *into, *source, "-r", HERE / "requirements.txt", seconds=900)
    run(*uv, *into, VENDOR, seconds=120)
    packages = next((HOME / "lib").glob("python3*")) / "site-packages"
    (packages / "kinesphere_operators.py").write_bytes((HERE / "operators.py").read_bytes())
    (packages / "kinesphere.pth").write_text(f"{ROOT / 'src'}\nimport kinesphere_operators\n")
    run(PYTHON, HERE / "toy.py", WEIGHTS, seconds=300)
