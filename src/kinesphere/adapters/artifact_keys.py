"""What a key of an artifact looks like, whatever store has it."""

import re
from typing import Final

LONGEST_KEY: Final = 240
_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def is_key(text: str) -> bool:
    """Whether `text` is a key.

    Segments of ASCII letters, digits, ".", "_" and "-" with "/" between them, none beginning with
    "." or "-", of at most 240 characters. So a key is a path that leads nowhere else, on a disk and
    in an address alike, and is spelt the same in both.
    """
    return len(text) <= LONGEST_KEY and _KEY.fullmatch(text) is not None


def checked(key: str) -> str:
    """The key itself. Raises ValueError when it is none."""
    if not is_key(key):
        raise ValueError(f"{key!r} is not a key of an artifact")
    return key
