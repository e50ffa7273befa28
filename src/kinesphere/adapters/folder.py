"""The data folder of an embedded server: one owner at a time, and where it listens."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = "lock"
LEDGER: Final = "ledger.db"
ADDRESS: Final = "server.json"


class FolderBusy(Exception):
    """Another server owns the data folder."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own `folder`, made when missing and readable by its owner only, until the end.

    The lock is the kernel's: it ends with the process, however that dies. So whoever holds it
    knows that every claim in the ledger was made by a process that is no more.

    Raises FolderBusy, naming the process that owns it, and OSError when it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise FolderBusy(f"{folder} is in use by another server (process {owner})") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            (folder / ADDRESS).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def tell_address(folder: Path, url: str) -> None:
    """Write where the server listens, for whoever has only the folder."""
    path = folder / ADDRESS
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    partial.rename(path)
