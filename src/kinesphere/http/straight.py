"""The way of requests that come with every job: straight to what answers them.

On its way through FastAPI a request is matched, its arguments are resolved and its answer is
checked in steps of a general kind; measured, a tenth of all that a server does for a job. A route
that takes the request as it is and makes its own answer needs none of them. It stays a route of
FastAPI, which describes it.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi import FastAPI


class Straight:
    """The innermost ASGI layer; it answers for those of `routes` whose endpoints are named.

    Such an endpoint is a coroutine function of a request alone, and returns a response. What it
    raises is answered by the handlers of the app, as elsewhere.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[APIRoute], endpoints: Collection[Any]
    ) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if route.endpoint in endpoints
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope.get("method", ""), scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            response = await route.endpoint(request)
        except Exception as error:
            response = await _answered(request, error)
        await response(scope, receive, send)


async def _answered(request: Request, error: Exception) -> Any:
    """The response to an error that the app has a handler for; others are raised."""
    app: FastAPI = request.app
    for kind in type(error).__mro__:
        handler: Any = app.exception_handlers.get(kind)
        if handler is not None:
            return await handler(request, error)
    raise error
