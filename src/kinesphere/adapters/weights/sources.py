"""Where weights come from: a part of a file at a time."""

import asyncio
import os
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kinesphere.core.weights import ManifestInvalid, check_source

SILENCE: Final = 30.0
"""Seconds without a byte after which a request is given up and made again."""

_NOT_THERE: Final = frozenset({401, 403, 404, 410, 416})


class SourceFailed(Exception):
    """A source did not give what was asked of it, and why. Asking again may help."""


class SourceLacks(SourceFailed):
    """The source does not have the file; asking again does not help."""


class Source(Protocol):
    """Where all files of a model are. Any number of reads at a time."""

    async def read(self, path: str, start: int, end: int) -> bytes | bytearray:
        """Bytes `start` up to `end` of a file, all of them. Raises SourceFailed, SourceLacks."""
        ...


def opened(address: str) -> Source:
    """The source at an address. Raises ManifestInvalid, SourceFailed."""
    check_source(address)
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return HttpSource(address)
    if parts.scheme == "s3":
        from kinesphere.adapters.weights.s3_source import S3Source  # noqa: PLC0415 - an extra

        return S3Source(address)
    return FolderSource(Path(unquote(parts.path)) if parts.scheme == "file" else Path(address))


class _Guarded(HTTPRedirectHandler):
    """No redirect leads to where a manifest may not."""

    def redirect_request(self, req: Request, fp: Any, *words: Any) -> Request | None:
        try:
            # The last word is where to.
            check_source(words[-1])
        except ManifestInvalid:
            fp.close()
            raise
        return super().redirect_request(req, fp, *words)


class HttpSource:
    """A folder of a web server that answers ranges (RFC 9110, 14).

    Read by threads into one buffer a part: a client that parses in Python took eight times the
    processor time, 8 s a GB, and that was the limit of a pull.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._query = f"?{parts.query}" if parts.query else ""
        self._opener = build_opener(_Guarded())

    async def read(self, path: str, start: int, end: int) -> bytearray:
        """See `Source`."""
        return await asyncio.to_thread(self._read, path, start, end)

    def _read(self, path: str, start: int, end: int) -> bytearray:
        # Answers that nobody compressed: the bytes of a range are those of the file.
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        url = f"{self._base}/{quote(path)}{self._query}"
        request = Request(url, headers=headers)  # noqa: S310 - its scheme was checked
        found = bytearray(end - start)
        filled = 0
        try:
            with self._opener.open(request, timeout=SILENCE) as answer:
                _check_range(answer, path, start, end)
                view = memoryview(found)
                while filled < len(found) and (count := answer.readinto(view[filled:])):
                    filled += count
        except HTTPError as error:
            error.close()
            kind = SourceLacks if error.code in _NOT_THERE else SourceFailed
            raise kind(f"{path}: the server answers {error.code}") from error
        except (OSError, HTTPException) as error:
            raise SourceFailed(f"{path}: {type(error).__name__} {error}".strip()) from error
        if filled < len(found):
            raise SourceFailed(f"{path} ends at byte {start + filled}, before {end}")
        return found


def _check_range(answer: Any, path: str, start: int, end: int) -> None:
    """Raise SourceFailed unless the answer is the range, or the whole file from its start."""
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        told = answer.headers.get("Content-Range", "")
        if not told.startswith(f"bytes {start}-{end - 1}/"):
            raise SourceFailed(f"{path}: asked for bytes {start}-{end - 1}, got {told!r}")
    elif answer.status != HTTPStatus.OK:
        raise SourceFailed(f"{path}: the server answers {answer.status}")
    elif start > 0:
        # Every part would cost all those before it.
        raise SourceLacks(f"{path}: the server answers no ranges; take it from elsewhere")


class FolderSource:
    """A folder of this machine, such as one on a network drive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser()

    async def read(self, path: str, start: int, end: int) -> bytes:
        """See `Source`."""
        return await asyncio.to_thread(self._read, path, start, end)

    def _read(self, path: str, start: int, end: int) -> bytes:
        try:
            with (self._folder / path).open("rb", buffering=0) as file:
                data = os.pread(file.fileno(), end - start, start)
        except FileNotFoundError as error:
            raise SourceLacks(f"{self._folder / path} is not there") from error
        except OSError as error:
            raise SourceFailed(f"{self._folder / path}: {error.strerror}") from error
        if len(data) < end - start:
            raise SourceFailed(f"{path} ends at byte {start + len(data)}, before {end}")
        return data
