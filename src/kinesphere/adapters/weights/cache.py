"""The weights of this machine: one folder, shared by all processes on it.

    <folder>/<name>                     a link to what is in use
    <folder>/store/<name>-<digest>/     weights, whole and verified, with manifest.json
    <folder>/partial/<name>-<digest>/   a pull that has not ended
    <folder>/locks/<name>               held while something of that name changes

A path through the link is stable. What is behind it changes in one step, and a process that has
the old files open or mapped keeps them until it ends.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kinesphere.adapters.weights import documents
from kinesphere.adapters.weights.sources import opened
from kinesphere.adapters.weights.transfer import PACE, Pace, Transfer, marked, together
from kinesphere.core.weights import Manifest, ManifestInvalid, WeightFile

MANIFEST: Final = "manifest.json"
SPARE: Final = 1_000_000_000
"""Bytes of the disk that a pull leaves free: the ledger may be on it too."""

_LOOK: Final = 0.2
_FILES_AT_A_TIME: Final = 4


class NoRoom(Exception):
    """The weights would take more of the disk than there is, or than they may."""


@dataclass(frozen=True, slots=True)
class Cached:
    """Weights that are here, or on their way.

    Attributes:
        manifest: What they are.
        folder: Where they are.
        have: Bytes that are there.
        whole: Whether they are there and were verified.
        current: Whether the name leads to them.
    """

    manifest: Manifest
    folder: Path
    have: int
    whole: bool
    current: bool


class WeightCache:
    """See the module. `limit`: most bytes of all weights together, or None."""

    def __init__(self, folder: Path, limit: int | None = None, pace: Pace = PACE) -> None:
        self._folder = folder
        self._limit = limit
        self._pace = pace

    def path(self, name: str) -> Path:
        """Where the weights of this name are used from, whether or not they are there."""
        return self._folder / name

    async def pull(self, manifest: Manifest, told: Callable[[int], None] = lambda _: None) -> Path:
        """Have the weights here, whole and verified; where they are.

        `told` hears how many bytes there are more. When another process pulls the same, this one
        waits for it.

        Raises:
            ManifestInvalid: It may not be acted by, or a file is a pickle that it does not allow.
            NoRoom: They do not fit.
            SourceFailed, DigestMismatch: They cannot be had. What came so far is kept.
            OSError: The disk fails.
        """
        manifest.check()
        key = f"{manifest.name}-{documents.digest_of(manifest)}"
        whole = self._folder / "store" / key
        async with self._locked(manifest.name):
            if not (whole / MANIFEST).exists():
                partial = self._folder / "partial" / key
                partial.mkdir(parents=True, exist_ok=True)
                (partial / MANIFEST).write_bytes(documents.write(manifest))
                self._check_room(manifest, partial)
                await self._fetch(manifest, partial, told)
                whole.parent.mkdir(exist_ok=True)
                _synced(partial)
                partial.rename(whole)
            self._use(manifest.name, whole)
        return self.path(manifest.name)

    async def verify(self, name: str) -> list[str]:
        """Hash every file of these weights anew; what is wrong, a line each.

        A file that is wrong is taken away and the weights are no more in use: `pull` fetches it.
        Raises KeyError when there are none.
        """
        async with self._locked(name):
            cached = next((c for c in self.cached() if c.manifest.name == name and c.current), None)
            if cached is None:
                raise KeyError(name)
            whole, files = cached.folder, cached.manifest.files
            looks = [asyncio.to_thread(_wrong, whole, file) for file in files]
            found = await asyncio.gather(*looks)
            wrong = {file.path: why for file, why in zip(files, found, strict=True) if why}
            if wrong:
                self.path(name).unlink()
                partial = self._folder / "partial" / whole.name
                partial.parent.mkdir(exist_ok=True)
                whole.rename(partial)
                for path in wrong:
                    (partial / path).unlink(missing_ok=True)
            return [f"{path} {why}" for path, why in wrong.items()]

    def cached(self) -> tuple[Cached, ...]:
        """What is here, by name."""
        found = [
            *self._kept(self._folder / "store", whole=True),
            *self._kept(self._folder / "partial", whole=False),
        ]
        return tuple(sorted(found, key=lambda c: (c.manifest.name, not c.whole)))

    def _kept(self, folder: Path, *, whole: bool) -> Iterator[Cached]:
        for path in folder.glob("*"):
            try:
                manifest = documents.parse((path / MANIFEST).read_bytes())
            except (OSError, ManifestInvalid):
                continue
            have = manifest.size if whole else sum(self._there(path, f) for f in manifest.files)
            current = self.path(manifest.name).resolve() == path.resolve()
            yield Cached(manifest, path, have, whole, current and whole)

    def _there(self, folder: Path, file: WeightFile) -> int:
        """Bytes of a file that a pull has brought so far."""
        target, part = folder / file.path, self._pace.part
        if target.exists():
            return file.size
        done = marked(target.with_name(f"{target.name}.done"), part)
        return sum(min(part, file.size - number * part) for number in done)

    def _check_room(self, manifest: Manifest, partial: Path) -> None:
        need = manifest.size - sum(self._there(partial, file) for file in manifest.files)
        free = shutil.disk_usage(self._folder).free - SPARE
        if need > free:
            raise NoRoom(f"{manifest.name} needs {_gb(need)} more, {_gb(max(0, free))} are free")
        used = sum(each.have for each in self.cached())
        if self._limit is not None and used + need > self._limit:
            raise NoRoom(
                f"{manifest.name} needs {_gb(need)} more; {_gb(used)} of {_gb(self._limit)} that "
                "weights may take (weights_limit_bytes) are used"
            )

    async def _fetch(self, manifest: Manifest, folder: Path, told: Callable[[int], None]) -> None:
        sources = [opened(source) for source in manifest.sources]
        transfer = Transfer(sources, self._pace, told)
        files = asyncio.Semaphore(_FILES_AT_A_TIME)

        async def one(file: WeightFile) -> None:
            target = folder / file.path
            async with files:
                if target.exists():
                    told(file.size)
                    return
                await transfer.fetch(file, target)
                why = documents.refused(target, pickles=manifest.pickles)
                if why:
                    target.unlink()
                    raise ManifestInvalid(why)

        await together([one(file) for file in manifest.files])

    def _use(self, name: str, whole: Path) -> None:
        """Have the name lead to these, in one step, and remove what it led to before."""
        link = self.path(name)
        if link.is_symlink() and link.resolve() == whole.resolve():
            return
        fresh = self._folder / f".{name}.fresh"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(whole, self._folder))
        fresh.replace(link)
        for other in self.cached():
            if other.manifest.name == name and other.folder != whole:
                shutil.rmtree(other.folder)

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[None]:
        """Be the only process that changes something of this name; the kernel ends it with us."""
        folder = self._folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_LOOK)
            yield
        finally:
            os.close(lock)


def _wrong(folder: Path, file: WeightFile) -> str:
    path = folder / file.path
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"has {size:,} bytes, not {file.size:,}"
        found = documents.digest(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == file.sha256 else f"has SHA-256 {found}"


def _synced(folder: Path) -> None:
    """Have the names in a folder on the disk before it is said to be whole."""
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
