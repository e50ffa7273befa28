"""What browsers need to be told: which other sites may ask, and what the documentation may load."""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

_SWAGGER: Final = "https://cdn.jsdelivr.net"
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


def add_docs(app: FastAPI) -> None:
    """Serve the page that shows the API, allowed to load its own parts and nothing else."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} API",
            # Else the page asks FastAPI's site for its icon.
            swagger_favicon_url="data:,",
        )
        page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
        return page


def _policy(page: str) -> str:
    """Swagger UI from its CDN, the one script within the page, and requests to this server."""
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    )
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_SWAGGER} {scripts}",
            # Swagger UI writes style attributes.
            f"style-src {_SWAGGER} 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
