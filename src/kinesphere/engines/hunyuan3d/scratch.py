"""A folder of its own for what a batch leaves behind on the disk."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_VARIABLE: Final = "TMPDIR"


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that is every library's temporary folder meanwhile, removed afterwards.

    The vendor's post-processing leaves seven files a mesh in the temporary folder. A process runs
    one batch at a time, so the process-wide names can be set and put back.
    """
    before, kept = os.environ.get(_VARIABLE), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="kinesphere-") as folder:
        os.environ[_VARIABLE], tempfile.tempdir = folder, folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = kept
            if before is None:
                os.environ.pop(_VARIABLE, None)
            else:
                os.environ[_VARIABLE] = before
