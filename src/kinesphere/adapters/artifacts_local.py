"""Artifacts in a folder of the local disk, with links that this server signs and serves.

    files/<first 2 hex digits of the key's SHA-256>/<key with "@" for "/">
    partial/<random name>    being written; renamed into place when whole and synced

256 folders keep each small: a million artifacts are 3,906 a folder. More of them would have more
puts make one, which takes longer than the put itself. A flat name in place of nested folders spares
a put the sync of every folder it would make, and no key can be the folder of another.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus

from kinesphere.adapters.artifact_keys import checked, is_key
from kinesphere.adapters.batched_executor import BatchedExecutor
from kinesphere.core.jobs import ArtifactRef
from kinesphere.ports import ArtifactMissing, Clock, LinkExpired, LinkInvalid, StorageFailed

ROUTE: Final = "/v1/artifacts/"
SHORTEST_SECRET: Final = 32
_EXPIRES: Final = re.compile(r"[0-9]{1,12}")
_TRIES: Final = 5


class LocalArtifacts:
    """Implements `Artifacts` and `SignedFiles` in `folder`, which several processes may share.

    Keys are those of `artifact_keys.is_key`; `put` and `link` raise ValueError for others, and
    nothing is stored under them. A second put of the same bytes under a key changes nothing; of
    others it raises StorageFailed.
    """

    def __init__(self, folder: Path, secret: bytes, clock: Clock) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"a secret of {len(secret)} bytes can be guessed")
        self._files = folder / "files"
        self._partial = folder / "partial"
        self._secret = secret
        self._clock = clock
        self._executor = BatchedExecutor()
        self._files.mkdir(parents=True, exist_ok=True)
        self._partial.mkdir(exist_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what writers that died left behind."""
        for path in self._partial.iterdir():
            with contextlib.suppress(OSError), path.open("rb") as file:
                # A writer holds the lock of its file for as long as it lives.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    async def put(
        self, key: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> None:
        """See `Artifacts.put`."""
        del media_type  # the download route goes by the file's name
        path = self._path(key)
        await self._executor.run(partial(self._store, path, data))

    def _store(self, path: Path, data: bytes) -> None:
        for _ in range(_TRIES):
            try:
                self._write(path, data)
            except FileNotFoundError:
                # Between two of our steps a delete removed the emptied folder, or a server that
                # started removed the file that was not locked yet.
                continue
            except OSError as error:
                raise StorageFailed(f"{path.name} could not be stored: {error}") from error
            return
        raise StorageFailed(f"{path.name} could not be stored: its folder vanishes again and again")

    def _write(self, path: Path, data: bytes) -> None:
        if path.exists():
            if path.read_bytes() != data:
                raise StorageFailed(f"{path.name} is already stored, with other content")
            _sync(path.parent)
            return
        # Plain calls: a result is often small, and Python's files and paths took longer than it.
        temporary = self._partial / secrets.token_hex(16)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                _write_all(descriptor, data)
                now = self._clock.now()
                os.utime(descriptor, (now, now))
                os.fsync(descriptor)
                self._place(temporary, path)
            finally:
                os.close(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        try:
            _sync(path.parent)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _place(self, temporary: Path, path: Path) -> None:
        try:
            temporary.rename(path)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                path.parent.mkdir()
                _sync(self._files)
            temporary.rename(path)

    async def read(self, key: str) -> bytes:
        """See `Artifacts.read`."""
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except (FileNotFoundError, ValueError):
            raise ArtifactMissing(key) from None

    async def exists(self, key: str) -> bool:
        """See `Artifacts.exists`. One look at the folder, too quick for a thread."""
        return is_key(key) and self._path(key).is_file()

    async def delete(self, key: str) -> None:
        """See `Artifacts.delete`. Removes the folder too when it was the last file in it."""
        with contextlib.suppress(ValueError):
            await asyncio.to_thread(_remove, self._path(key))

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        """See `Artifacts.keys`."""
        for shard in await asyncio.to_thread(lambda: list(self._files.iterdir())):
            for key, written in await asyncio.to_thread(_listed, shard):
                yield key, written

    def link(self, artifact: ArtifactRef, expires: float) -> str:
        """See `Artifacts.link`. A path with Expires in whole seconds, never later than asked."""
        # Nothing in a key, in digits or in a signature needs quoting.
        key, until = checked(artifact.key), str(int(expires))
        signature = self._signature(key, until, artifact.name)
        name = quote_plus(artifact.name)
        return f"{ROUTE}{key}?Expires={until}&Name={name}&Signature={signature}"

    def locate(self, key: str, query: Mapping[str, str]) -> tuple[Path, str]:
        """See `SignedFiles.locate`. Other parameters of the query are passed over."""
        until, name = query.get("Expires", ""), query.get("Name", "")
        # The texts are compared, not what they mean: one signature has one spelling.
        right = self._signature(key, until, name)
        given = query.get("Signature", "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, right.encode()) or not _EXPIRES.fullmatch(until):
            raise LinkInvalid(key)
        if self._clock.now() >= int(until):
            raise LinkExpired(key)
        path = self._path(key)
        if not path.is_file():
            raise ArtifactMissing(key)
        return path, name

    def _signature(self, *parts: str) -> str:
        message = b"kinesphere artifact link 1"
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            # With its length before it, no end of one part can pass for the start of the next.
            message += len(encoded).to_bytes(8, "big") + encoded
        return urlsafe_b64encode(hmac.digest(self._secret, message, "sha256")).decode().rstrip("=")

    def _path(self, key: str) -> Path:
        shard = hashlib.sha256(checked(key).encode()).hexdigest()[:2]
        return self._files / shard / key.replace("/", "@")


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(folder: Path) -> None:
    """Make the entries of `folder` survive the loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _listed(shard: Path) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    with contextlib.suppress(FileNotFoundError):
        for path in shard.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append((path.name.replace("@", "/"), path.stat().st_mtime))
    return found
