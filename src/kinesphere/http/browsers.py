"""What browsers need to be told: which other sites may ask, and what the documentation may load."""

import base64
import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kinesphere.http.errors import problem

_PARTS: Final = ("swagger-ui-bundle.js", "swagger-ui.css")
"""Files of Swagger UI, as the package fastapi-offline carries them."""

DOCS: Final = frozenset({"/docs", *(f"/docs/{name}" for name in _PARTS)})
"""Paths of the page that shows the API."""

_ASKED: Final = (
    "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer", "Range",
    "X-API-Key", "X-Request-ID", "traceparent",
)  # fmt: skip
_TOLD: Final = (
    "Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Location",
    "Preference-Applied", "RateLimit", "RateLimit-Policy", "RateLimit-Limit",
    "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "X-Request-ID", "traceparent",
)  # fmt: skip


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """Options of Starlette's CORS layer: these origins, no cookies, an answer kept ten minutes."""
    return {
        "allow_origins": list(origins),
        "allow_methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
        "allow_headers": list(_ASKED),
        "expose_headers": list(_TOLD),
        "allow_credentials": False,
        "max_age": 600,
    }


class Cors(CORSMiddleware):
    """Starlette's layer, whose refusals of preflights are problem documents too."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to what a browser asks before it asks."""
        plain = super().preflight_response(request_headers)
        if plain.status_code < 400:
            return plain
        faults = bytes(plain.body).decode().removeprefix("Disallowed CORS ")
        return _PreflightRefused(f"This preflight is refused for its {faults}.")


class _PreflightRefused(Response):
    def __init__(self, detail: str) -> None:
        super().__init__()
        self._detail = detail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Vary": "Origin"}
        answer = problem(Request(scope), "ORIGIN_FORBIDDEN", self._detail, headers=headers)
        await answer(scope, receive, send)


def add_docs(app: FastAPI) -> None:
    """Serve the page that shows the API, allowed to load its own parts and nothing else."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} API",
            swagger_js_url=f"{root}/docs/{_PARTS[0]}",
            swagger_css_url=f"{root}/docs/{_PARTS[1]}",
            # Else the page asks FastAPI's site for its icon.
            swagger_favicon_url="data:,",
        )
        page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
        return page

    for name in _PARTS:
        app.add_api_route(f"/docs/{name}", _part(name), include_in_schema=False)


def _part(name: str) -> Callable[[], Coroutine[Any, Any, FileResponse]]:
    async def part() -> FileResponse:
        # Looked for without importing it: only its files are wanted.
        package = find_spec("fastapi_offline")
        folders = package.submodule_search_locations if package is not None else None
        if not folders:
            raise HTTPException(404)
        path = Path(folders[0], "static", name)
        return FileResponse(path, headers={"Cache-Control": "public, max-age=86400"})

    return part


def _policy(page: str) -> str:
    """Swagger UI and requests to this server, and the one script within the page."""
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    )
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {scripts}",
            # Swagger UI writes style attributes.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
