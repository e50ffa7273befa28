"""Programs that only Debian's packages carry: installed where they are missing and we may."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def install(package: str, program: Path | str) -> str:
    """The path of a program of a Debian package. Raises AssertionError where it cannot be had."""
    found = shutil.which(program)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # Two at once would find dpkg's own lock taken, and fail.
        with (Path(tempfile.gettempdir()) / "kinesphere-apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if shutil.which(program) is None:
                _install(package)
        found = shutil.which(program)
    assert found, f"{program} is missing: install Debian's package {package}"
    return found


def _install(package: str) -> None:
    # RUNLEVEL keeps a package from starting a service of the system's.
    environ = {**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", package]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    if done.returncode != 0:
        # The lists may be of yesterday, or not there at all.
        subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=environ)
        subprocess.run(command, check=True, capture_output=True, env=environ)
