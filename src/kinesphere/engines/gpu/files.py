"""The files of a vendor's model: there, whole, or why not, under a stable code."""

from pathlib import Path
from typing import Final

_POINTER: Final = b"version https://git-lfs"


class NotLoadable(Exception):
    """The model cannot be loaded from these files.

    Attributes:
        code: MODEL_FILES_MISSING or MODEL_FILES_INVALID.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


def missing(detail: str) -> NotLoadable:
    """A file that must be there is not."""
    return NotLoadable("MODEL_FILES_MISSING", detail)


def invalid(detail: str) -> NotLoadable:
    """A file is there, and is not what it should be."""
    return NotLoadable("MODEL_FILES_INVALID", detail)


def check_whole(path: Path) -> None:
    """Raise NotLoadable unless there is a file that is no Git LFS pointer."""
    if not path.is_file():
        raise missing(f"there is no {path}")
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise invalid(f"{path} is a Git LFS pointer; run `git lfs pull` in its checkout")
