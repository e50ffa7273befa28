"""The key that signs download links, made once and kept in the data folder."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

FILE: Final = "secret.key"
LENGTH: Final = 32


class SecretDamaged(Exception):
    """The file is there but holds no key. Signing with what it holds would let links be forged."""


def signing_secret(folder: Path) -> bytes:
    """The key in `folder`, of 32 random bytes; made on the first call, readable by its owner only.

    Any number of processes may start at once: all get the same key. Raises SecretDamaged, and
    OSError when the folder cannot be written.
    """
    path = folder / FILE
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(secrets.token_bytes(LENGTH))
            f.flush()
            os.fsync(f.fileno())
        # A link, not a rename: of several first starts one wins, and the others read its key.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return _read(path)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) < LENGTH:
        raise SecretDamaged(
            f"{path} holds {len(key)} bytes instead of {LENGTH}; delete it to have a new key made "
            "(links given out before stop working)"
        )
    return key
