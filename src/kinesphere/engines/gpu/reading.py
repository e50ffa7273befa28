"""Large files of weights, announced to the system before the vendor's code reads them.

The system reads them into its page cache by itself, while packages of many seconds are imported.
Threads that read ahead as well make a local disk slower (docs/gpu.md), so there are none.
"""

import os
from collections.abc import Iterable
from pathlib import Path


def announce(paths: Iterable[Path]) -> None:
    """Have the system begin to read these files. What cannot be announced is left to its reader."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in paths:
        try:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            continue
