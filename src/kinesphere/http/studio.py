"""The studio: the built page and its parts, for everybody who can reach the server.

They are the same for all, so nobody is asked who he is, and nobody is counted. What the page then
asks of the API is.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kinesphere.http.errors import problem

FOLDER: Final = Path(__file__).parent.parent / "studio"
"""Where `make studio` builds it, and the wheel carries it."""

_PAGE: Final = "index.html"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# One folder deep, and nothing hidden: no name leads out of it.
_PART: Final = re.compile(r"/(assets/[A-Za-z0-9_-][A-Za-z0-9_.-]*)")
_TOP: Final = {"/": _PAGE, "/icon.svg": "icon.svg"}
_PACKED: Final = (("br", ".br"), ("gzip", ".gz"))
"""Encodings that the build may have left beside a file, the smallest first."""

_NOT_BUILT: Final = """\
Kinesphere is running, but the studio, its page, was not built: `make studio` does it.
The API is described at /docs.
"""


def policy(origins: tuple[str, ...]) -> str:
    """The page's Content-Security-Policy; artifacts may come from `origins` too."""
    ours = " ".join(("'self'", *origins))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            "worker-src 'self'",
            # What the page itself made of an answer, such as the textures of a GLB, is a blob.
            f"img-src {ours} blob: data:",
            f"media-src {ours} blob:",
            f"connect-src {ours} blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What metrics and logs call the request's route."""

    path: str


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    encoding: str | None
    etag: str


class Studio:
    """The ASGI layer that answers for the studio's paths, and passes everything else on.

    Files are read as they are asked for: whoever builds anew sees it at the next reload.
    """

    def __init__(
        self, app: ASGIApp, origins: tuple[str, ...] = (), folder: Path | None = None
    ) -> None:
        self._app = app
        self._folder = FOLDER if folder is None else folder
        self._policy = policy(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        name = _name(scope["path"]) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _Known("/assets/{name}" if name.startswith("assets/") else scope["path"])
        answer = await self._answer(Request(scope), name)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, name: str) -> Response:
        if request.method not in ("GET", "HEAD"):
            detail = "The studio is only read."
            return problem(request, "METHOD_NOT_ALLOWED", detail, headers={"Allow": "GET, HEAD"})
        accepted = request.headers.get("accept-encoding", "")
        found = await asyncio.to_thread(_read, self._folder / name, accepted)
        if found is None:
            if name == _PAGE:
                return PlainTextResponse(_NOT_BUILT, status_code=404)
            return problem(request, "ROUTE_NOT_FOUND", "The studio has no such part.")
        lasting = name.startswith("assets/")
        headers = {
            "ETag": found.etag,
            # The build names its parts by their content.
            "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "Vary": "Accept-Encoding",
        }
        if name == _PAGE:
            headers["Content-Security-Policy"] = self._policy
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        known = request.headers.get("if-none-match", "").split(",")
        if found.etag in (tag.strip().removeprefix("W/") for tag in known):
            return Response(status_code=304, headers=headers)
        if found.encoding is not None:
            headers["Content-Encoding"] = found.encoding
        # Starlette's servers leave out the body of an answer to HEAD, and keep its length.
        return Response(found.content, media_type=found.media_type, headers=headers)


def _name(path: str) -> str | None:
    """The file of a path of the studio, or None for a path of the API."""
    part = _PART.fullmatch(path)
    return part[1] if part else _TOP.get(path)


def _read(path: Path, accepted: str) -> _File | None:
    """A file of the build, as the client can read it; None where there is none."""
    for encoding, suffix in (*_accepted(accepted), (None, "")):
        try:
            content = path.with_name(path.name + suffix).read_bytes()
        except OSError:
            continue
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return _File(
            content, _MEDIA_TYPES.get(path.suffix, "application/octet-stream"), encoding, etag
        )
    return None


def _accepted(header: str) -> list[tuple[str, str]]:
    """The encodings of ours that a client takes (RFC 9110, 12.5.3)."""
    taken = set()
    for each in header.split(","):
        name, _, weight = each.partition(";")
        if not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight):
            taken.add(name.strip().lower())
    return [packed for packed in _PACKED if packed[0] in taken]
