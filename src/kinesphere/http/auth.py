"""Who asks, found out before a request's body is read; and what each route needs.

Closed unless named open: a route that nobody thought of here needs a valid caller with the scope
`generate`. Those of operators ask for more by the dependency `operator`.
"""

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from kinesphere.adapters.logs import bound
from kinesphere.core.failures import Rejected
from kinesphere.core.identity import Principal, allows
from kinesphere.core.identity import Scope as Permission
from kinesphere.http import browsers
from kinesphere.http.errors import MEDIA_TYPE, problem, refused
from kinesphere.http.gateway import Ask, At, Gateway
from kinesphere.ports import LedgerUnavailable
from kinesphere.service import Caller
from kinesphere.service.identity import CACHE_SECONDS, Identity, unauthenticated

LOCAL_USER: Final = "local"
"""Everybody who reaches a server without authentication, which listens on loopback only."""

OPEN: Final = frozenset({"/health", "/ready", "/openapi.json"}) | browsers.DOCS
"""Paths for everybody: probes have no credentials, and the API's description is no secret."""
OPEN_BELOW: Final = ("/v1/artifacts/",)
"""Paths whose links are signed: whoever has one may use it."""
METRICS: Final = "/metrics"


class Guard:
    """Lets nobody in who has not shown who he is, and tells the routes who it is."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except (Rejected, LedgerUnavailable) as error:
            await _refuse(scope, receive, send, error)
            return
        if caller is None:
            await self._app(scope, receive, send)
            return
        scope["caller"] = caller
        with bound(user=caller.user):
            await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        """Who asks; None where it does not matter. Raises Rejected."""
        request_id, trace = scope.get("request_id", ""), str(scope.get("trace", ""))
        identity = self._gateway.identity
        if identity is None:
            scopes = frozenset(Permission)
            return Caller(LOCAL_USER, request_id, scopes, anonymous=True, trace=trace)
        if self._open(scope["path"]):
            return None
        who = await _principal(HTTPConnection(scope), identity)
        if not allows(who.scopes, Permission.GENERATE):
            raise forbidden(Permission.GENERATE)
        return Caller(who.user, request_id, who.scopes, trace=trace)

    def _open(self, path: str) -> bool:
        return (
            path in OPEN
            or path.startswith(OPEN_BELOW)
            or (path == METRICS and self._gateway.metrics_open)
        )


async def _principal(connection: HTTPConnection, identity: Identity) -> Principal:
    """Whoever the credentials are of. Raises Rejected.

    A key in X-API-Key goes before Authorization, which a proxy may need for itself.
    """
    keys = connection.headers.getlist("x-api-key")
    given = connection.headers.getlist("authorization")
    if connection.scope["type"] == "websocket" and not keys and not given:
        # Pages cannot set headers of a WebSocket, but its subprotocols.
        given = [f"bearer {token}" for token in bearers(connection.scope)]
    if len(keys) == 1:
        return await identity.of_key(keys[0].strip())
    if keys or len(given) != 1:
        raise unauthenticated()
    scheme, _, token = given[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated()
    return await identity.of_bearer(token.strip())


BEARER: Final = "bearer."
"""What an item of Sec-WebSocket-Protocol begins with whose rest is a key or a token."""


def bearers(scope: Scope) -> list[str]:
    """Keys and tokens among the subprotocols that a WebSocket is offered with."""
    offered = scope.get("subprotocols", ())
    return [each.removeprefix(BEARER) for each in offered if each.startswith(BEARER)]


async def disowned(request: HTTPConnection, identity: Identity) -> None:
    """Return when the credentials that a request came with are no longer taken.

    That nobody can be asked about them now ends nothing. A key's revocation is known after
    CACHE_SECONDS, and looked for as often.
    """
    while True:
        await asyncio.sleep(CACHE_SECONDS)
        try:
            who = await _principal(request, identity)
        except LedgerUnavailable:
            continue
        except Rejected as refusal:
            if refusal.code == "UNAUTHENTICATED":
                return
            continue
        if not allows(who.scopes, Permission.GENERATE):
            return


async def _refuse(
    scope: Scope, receive: Receive, send: Send, error: Rejected | LedgerUnavailable
) -> None:
    request = HTTPConnection(scope)
    if isinstance(error, Rejected):
        response = refused(request, error)
    else:
        detail = "The store of API keys does not answer, so nobody can be let in now."
        response = problem(request, "LEDGER_UNAVAILABLE", detail, headers={"Retry-After": "5"})
    await response(scope, receive, send)


def forbidden(wanted: Permission) -> Rejected:
    """The refusal of a caller whose scopes do not suffice."""
    return Rejected("FORBIDDEN", f"The scope {wanted.value!r} is needed for this.")


async def operator(caller: Ask) -> Caller:
    """Who asks, if he may operate. Raises Rejected."""
    if not caller.operator:
        raise forbidden(Permission.OPERATE)
    return caller


async def scraper(request: Request, at: At) -> None:
    """Lets whoever may read the metrics pass. Raises Rejected."""
    if not at.metrics_open:
        await operator(request.scope["caller"])


Operate = Annotated[Caller, Depends(operator)]
OperatorOnly: Final = Depends(operator)
ScraperOnly: Final = Depends(scraper)


# --------------------------------------------------------------------------------- documentation

_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a token of the OpenID Connect issuer.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
_REFUSALS: Final = {"401": "UNAUTHENTICATED", "403": "FORBIDDEN"}


def _needs(scope: Permission) -> dict[str, Any]:
    # OpenAPI 3.1 lets any scheme name the roles that are needed.
    return {"security": [{name: [scope.value]} for name in _SCHEMES]}


OPERATORS: Final = _needs(Permission.OPERATE)
"""For `openapi_extra` of the routes that have `OperatorOnly`."""


def document(app: FastAPI) -> None:
    """Add to the OpenAPI document what each route needs, where authentication is configured."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        schema = plain()
        if "securitySchemes" not in schema["components"]:
            _describe(schema)
        return schema

    # FastAPI's documented way to extend the document.
    app.openapi = described  # type: ignore[method-assign]


def _describe(schema: dict[str, Any]) -> None:
    components = schema["components"]
    components["securitySchemes"] = _SCHEMES
    components["responses"] = {code: _response(code) for code in _REFUSALS.values()}
    for path, item in schema["paths"].items():
        for operation in item.values():
            if path in OPEN or path.startswith(OPEN_BELOW):
                operation["security"] = []
                continue
            operation.setdefault("security", _needs(Permission.GENERATE)["security"])
            for status, code in _REFUSALS.items():
                known = {"$ref": f"#/components/responses/{code}"}
                operation["responses"].setdefault(status, known)


def _response(code: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    challenge = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return {"description": f"`{code}`", "headers": challenge, "content": content}
