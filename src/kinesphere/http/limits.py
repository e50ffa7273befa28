"""How often one may ask: users by name, strangers by address; and what the answers say of it."""

import ipaddress
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinesphere.core.failures import Rejected
from kinesphere.http.errors import problem, refused
from kinesphere.ports import Allowance, Limits, Quota
from kinesphere.service import Caller

EXEMPT: Final = frozenset({"/health", "/ready", "/metrics"})
"""What machines ask that keep the platform alive: never refused for being asked too often."""

REQUESTS: Final = frozenset({"http", "websocket"})
"""Scopes of ASGI that somebody asks with; the handshake of a WebSocket is a request like others."""
STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
"""Messages that an answer begins with; the second is that of a refused handshake."""

_FREE: Final = ("/v1/artifacts/", "/docs", "/openapi.json")
"""Where paths begin that nobody is counted for: whoever has a signed link may use it, whoever has
none is refused, and counted for that. The API's description is the same for all."""

_FOUND: Final = "allowance"


@dataclass(frozen=True, slots=True)
class Rates:
    """How often one may ask; None for any number.

    Attributes:
        user: Of one user, all routes together but those below.
        routes: Of one user, by a route's template; each counted by itself.
        address: Refusals to one address that has not shown who it is.
    """

    user: Quota | None
    routes: Mapping[str, Quota | None]
    address: Quota | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a body may come: `seconds`, and one more for each `bytes_per_second` of it."""

    seconds: float
    bytes_per_second: int

    def until(self, read: int) -> float:
        """Seconds from its beginning until which a body, of which `read` bytes came, may take."""
        return self.seconds + read / self.bytes_per_second


class UnknownRoute(ValueError):
    """A rate is set for a route that there is not: a limit that would not be kept."""


class Turnstile:
    """Counts who asks. What it found is kept in the request's scope, for the headers."""

    def __init__(self, limits: Limits, rates: Rates) -> None:
        self._limits = limits
        self._rates = rates
        self._apart = [(compile_path(name)[0], name, quota) for name, quota in rates.routes.items()]

    def know(self, routes: Iterable[str]) -> None:
        """Raise UnknownRoute where a rate is set for a path that is none of these."""
        known = frozenset(r for r in routes if r not in EXEMPT and not r.startswith(_FREE))
        wrong = [name for _, name, _ in self._apart if name not in known]
        if wrong:
            raise UnknownRoute(
                f"rate_limit_routes has {', '.join(wrong)}, which is no route that is counted; "
                f"there are {', '.join(sorted(known))}"
            )

    async def admit(self, scope: Scope, user: str) -> None:
        """Count a request of a known user. Raises Rejected: RATE_LIMITED."""
        key, quota = self._counted(scope["path"], user)
        scope[_FOUND] = None
        if quota is None:
            return
        found = scope[_FOUND] = await self._limits.take(key, quota)
        if not found.admitted:
            rate = f"{quota.requests} requests in {quota.seconds} s"
            raise Rejected("RATE_LIMITED", f"More than {rate}.", retry_after=found.reset)

    def _counted(self, path: str, user: str) -> tuple[str, Quota | None]:
        for pattern, name, quota in self._apart:
            if pattern.match(path):
                return f"route/{name}/{user}", quota
        return f"user/{user}", self._rates.user

    async def barred(self, scope: Scope) -> Allowance | None:
        """What is left to an address that has none left, else None."""
        quota = self._rates.address
        if quota is None:
            return None
        found = await self._limits.look(_address(scope), quota)
        return None if found.admitted else found

    async def refused(self, scope: Scope) -> None:
        """Count a refusal, unless the user was known and counted already."""
        if self._rates.address is not None and _FOUND not in scope:
            scope[_FOUND] = await self._limits.take(_address(scope), self._rates.address)


class UsersLimit:
    """The ASGI layer that counts what users ask, before anything of it is read.

    It stands inside the one that finds out who asks and leaves that in the scope as `caller`.
    """

    def __init__(self, app: ASGIApp, turnstile: Turnstile) -> None:
        self._app = app
        self._turnstile = turnstile

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        caller: Caller | None = scope.get("caller")
        path = scope["path"]
        free = path in EXEMPT or path.startswith(_FREE)
        if scope["type"] not in REQUESTS or caller is None or free:
            await self._app(scope, receive, send)
            return
        try:
            await self._turnstile.admit(scope, caller.user)
        except Rejected as error:
            await refused(HTTPConnection(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class StrangersLimit:
    """The ASGI layer that bars an address after too many refusals, and writes the headers.

    Before anything is looked at, a right key not less than a wrong one, an address is barred that
    was refused too often without having shown who it is. Requests already under way when the last
    refusal is counted still get their answer: their number is bounded by that of connections.
    `exempt` are paths that nobody is barred from: where a key is looked at, it can be guessed.
    """

    def __init__(self, app: ASGIApp, turnstile: Turnstile, exempt: frozenset[str]) -> None:
        self._app = app
        self._turnstile = turnstile
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in REQUESTS or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] in STARTS:
                if message["status"] >= 400:
                    await self._turnstile.refused(scope)
                found: Allowance | None = scope.get(_FOUND)
                if found is not None:
                    message = {**message, "headers": [*message["headers"], *_fields(found)]}
            await send(message)

        barred = await self._turnstile.barred(scope)
        if barred is None:
            await self._app(scope, receive, answer)
            return
        scope[_FOUND] = barred
        headers = {"Retry-After": str(_whole(barred.reset))}
        detail = "Too many requests from this address were refused."
        await problem(HTTPConnection(scope), "RATE_LIMITED", detail, headers=headers)(
            scope, receive, answer
        )


def quota(rate: int, seconds: int) -> Quota | None:
    """`rate` requests a second, over `seconds`; none for 0."""
    return Quota(rate * seconds, seconds) if rate else None


def header_examples() -> dict[str, Any]:
    """The headers of every counted answer, for the API's document."""
    example = Allowance(True, Quota(10, 1), 9, 1.0)
    meanings = {
        "RateLimit-Policy": "The quota `q` within `w` seconds (draft-ietf-httpapi-ratelimit-10).",
        "RateLimit": "What remains, `r`, and in how many seconds there is more, `t`.",
        "RateLimit-Limit": "The quota, for clients of older drafts.",
        "RateLimit-Remaining": "What remains of it.",
        "RateLimit-Reset": "In how many seconds there is more.",
    }
    fields = {name.decode(): value.decode() for name, value in _fields(example)}
    return {
        name: {
            "description": meaning,
            "schema": {"type": "string"},
            "example": fields[name.lower()],
        }
        for name, meaning in meanings.items()
    }


def _fields(found: Allowance) -> Iterator[tuple[bytes, bytes]]:
    most, window = found.quota.requests, found.quota.seconds
    left, reset = found.remaining, _whole(found.reset) if found.reset else 0
    yield b"ratelimit-policy", f'"default";q={most};w={window}'.encode()
    yield b"ratelimit", f'"default";r={left};t={reset}'.encode()
    yield b"ratelimit-limit", str(most).encode()
    yield b"ratelimit-remaining", str(left).encode()
    yield b"ratelimit-reset", str(reset).encode()


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _address(scope: Scope) -> str:
    """The key of a client's address: whoever has an IPv6 address has all of its 64-bit network."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # What a trusted proxy forwards may be anything; all that cannot be read is one.
        return "address/unknown"
    if address.version == 6:
        known = ipaddress.ip_network((int(address) >> 64 << 64, 64))
        return f"address/{address.ipv4_mapped or known}"
    return f"address/{address}"
