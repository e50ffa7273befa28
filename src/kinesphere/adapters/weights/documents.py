"""Manifests as JSON, and manifests of folders."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from kinesphere.core.weights import (
    PICKLED,
    Manifest,
    ManifestInvalid,
    WeightFile,
    pickled,
    suffix,
)

READ: Final = 8 * 2**20
HASHERS: Final = 4
"""Files hashed at once: one core each, and more would wait for the disk."""


def parse(data: bytes) -> Manifest:
    """The manifest in a JSON document, checked. Raises ManifestInvalid."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestInvalid(str(error)) from error
    manifest.check()
    return manifest


def write(manifest: Manifest) -> bytes:
    """The manifest as JSON for people to read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def digest_of(manifest: Manifest) -> str:
    """16 hexadecimal digits that change with any of the files; where they are from is left out."""
    lines = (f"{f.sha256} {f.size} {f.path}\n" for f in sorted(manifest.files, key=_path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def manifest_of(
    folder: Path, name: str, sources: Sequence[str], *, pickles: bool, note: str = ""
) -> Manifest:
    """The manifest of what is in a folder, hidden files left out.

    Raises ManifestInvalid when it may not be one, as for a link that leads out of the folder, a Git
    LFS pointer in the place of its file, or a pickle without `pickles`.
    """
    root = folder.resolve()
    paths = sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p, root))
    for path in paths:
        _look(path, root, pickles=pickles)
    with ThreadPoolExecutor(HASHERS) as pool:
        digests = list(pool.map(digest, paths))
    files = tuple(
        WeightFile(path.relative_to(root).as_posix(), path.stat().st_size, found)
        for path, found in zip(paths, digests, strict=True)
    )
    manifest = Manifest(name, files, tuple(sources), pickles, note)
    manifest.check()
    return manifest


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        buffer = memoryview(bytearray(READ))
        while count := file.readinto(buffer):
            found.update(buffer[:count])
    return found.hexdigest()


def refused(path: Path, *, pickles: bool) -> str:
    """Why a file may not be used whatever its digest says, or "": its content is a pickle."""
    if pickles:
        return ""
    with path.open("rb") as file:
        head = file.read(4)
    if pickled(head) or suffix(path.name) in PICKLED:
        return f"{path.name} can run code when it is read, and the manifest does not allow pickles"
    return ""


def _look(path: Path, root: Path, *, pickles: bool) -> None:
    if root not in path.resolve().parents:
        raise ManifestInvalid(f"{path.relative_to(root)} leads out of the folder")
    if why := refused(path, pickles=pickles):
        raise ManifestInvalid(why)
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise ManifestInvalid(f"{path.relative_to(root)} is a Git LFS pointer: git lfs pull")


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _path(file: WeightFile) -> str:
    return file.path
