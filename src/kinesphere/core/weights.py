"""Which files a model's weights consist of, and where they may come from. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_@+ ()\[\]=,-][A-Za-z0-9._@+ ()\[\]=,-]*")
LONGEST_PATH: Final = 512
MOST_FILES: Final = 100_000
_SCHEMES: Final = frozenset({"https", "s3", "file"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

PICKLED: Final = frozenset({".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"})
"""Endings of files that Python's unpickler reads, which can run any code that they hold."""


class ManifestInvalid(Exception):
    """A manifest is not one, and why."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file: its path below the model's folder, its bytes, and their SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model's weights.

    Attributes:
        name: What they are called here.
        files: Each once.
        sources: Where they are, the best first: each a folder that has all files by their paths, as
            an https:// or s3:// address, or a file:// address or a path on this machine.
        pickles: Whether files that can run code when they are read are wanted all the same.
        note: For people: what it is, and under which licence it was downloaded.
    """

    name: str
    files: tuple[WeightFile, ...]
    sources: tuple[str, ...] = ()
    pickles: bool = False
    note: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def check(self) -> None:
        """Raise ManifestInvalid unless the manifest is safe to act by."""
        if not NAME.fullmatch(self.name):
            raise ManifestInvalid(f"{self.name!r} is no name: lower-case letters, digits, . _ -")
        if not 0 < len(self.files) <= MOST_FILES:
            raise ManifestInvalid(f"{len(self.files)} files; 1 to {MOST_FILES:,} can be")
        paths = [file.path.casefold() for file in self.files]
        if len(set(paths)) < len(paths):
            # Letters' case does not tell files apart everywhere.
            raise ManifestInvalid("the same path stands there twice")
        for file in self.files:
            self._check(file)
        folders = {"/".join(p.split("/")[:n]) for p in paths for n in range(1, p.count("/") + 1)}
        if folders & set(paths):
            raise ManifestInvalid("a path is both a file and a folder")
        for source in self.sources:
            check_source(source)

    def _check(self, file: WeightFile) -> None:
        if not is_path(file.path):
            raise ManifestInvalid(f"{file.path!r} is not a plain path below the model's folder")
        if file.size < 0:
            raise ManifestInvalid(f"{file.path} has {file.size} bytes")
        if not DIGEST.fullmatch(file.sha256):
            raise ManifestInvalid(f"{file.path} has no SHA-256 of 64 hexadecimal digits")
        if not self.pickles and suffix(file.path) in PICKLED:
            raise ManifestInvalid(
                f"{file.path} can run code when it is read, and the manifest does not allow "
                "pickles; prefer safetensors, or set pickles to true where you trust its maker"
            )


def is_path(path: str) -> bool:
    """Whether a path stays below its folder, on every system."""
    return len(path) <= LONGEST_PATH and all(
        _SEGMENT.fullmatch(segment) and not segment.endswith((" ", "."))
        for segment in path.split("/")
    )


def suffix(path: str) -> str:
    """The ending of a path, in lower case, such as ".safetensors"; "" for none."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def pickled(head: bytes) -> bool:
    """Whether a file that begins so is a pickle, or a zip archive such as torch saves them in."""
    if head.startswith(b"PK\x03\x04"):
        return True
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5


def check_source(source: str) -> None:
    """Raise ManifestInvalid unless weights may come from there.

    Digests guard the bytes, not the prompt or address of who asks, so plain http is for loopback.
    """
    parts = urlsplit(source)
    if not parts.scheme or source.startswith("/"):
        return
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    if parts.scheme not in _SCHEMES:
        raise ManifestInvalid(f"{parts.scheme}:// is no source; https://, s3:// or a folder is")
    if parts.username or parts.password:
        raise ManifestInvalid("a source has a password in its address")
    if parts.scheme == "https" and not parts.hostname:
        raise ManifestInvalid("a source has no host")
