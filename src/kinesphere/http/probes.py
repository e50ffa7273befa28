"""What a process without an API answers to whoever watches it: health, readiness, metrics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kinesphere.http.gateway import HttpMetrics
from kinesphere.http.server import QuietServer, address, bind


@asynccontextmanager
async def probing(
    host: str, port: int, metrics: HttpMetrics, unready: Callable[[], str]
) -> AsyncIterator[str]:
    """Answer at a port until the end, and tell at which URL. Raises AddressInUse."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        reason = unready()
        if reason:
            return JSONResponse({"ready": False, "reason": reason}, status_code=503)
        return JSONResponse({"ready": True})

    async def page(request: Request) -> Response:
        body, media_type = await metrics.page(request.headers.get("accept", ""))
        return Response(body, media_type=media_type)

    app = Starlette(
        routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", page)]
    )
    listener = bind(host, port)
    server = QuietServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=64,
            timeout_graceful_shutdown=1,
        )
    )
    with listener:
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            await serving
