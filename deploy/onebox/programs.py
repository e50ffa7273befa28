"""Where programs are: beside this Python, or anywhere on the path."""

import shutil
import sys
from pathlib import Path


def program(name: str) -> str:
    """The path of a program."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) or shutil.which(name)
    assert found is not None, f"{name} is not installed: make test installs it"
    return found
