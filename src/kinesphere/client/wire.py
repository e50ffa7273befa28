"""Between HTTP and the client's words: pure functions over requests, answers and failures."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any

import httpx
import msgspec
from httpx_sse import ServerSentEvent

from kinesphere.client.effects import Answer, Request
from kinesphere.client.errors import (
    ApiError,
    ConnectionFailed,
    KinesphereError,
    NotFound,
    Rejected,
    TimedOut,
    Unavailable,
    UnexpectedAnswer,
)
from kinesphere.client.values import Event, FieldProblem

LATER = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed."""


def motion_request(
    prompt: str,
    *,
    key: str,
    now: float,
    timeout: float,
    duration: float = 4.0,
    seed: int | None = None,
    format: str | None = None,
    model: str | None = None,
    priority: int = 5,
    deadline: datetime | timedelta | None = None,
    idempotency_key: str | None = None,
    wait: float | None = None,
) -> Request:
    """The request for a motion; `key` where the caller gives no idempotency key.

    Raises:
        ValueError: The deadline has no time zone.
    """
    body: dict[str, Any] = {"prompt": prompt, "duration": duration, "priority": priority}
    chosen = {"seed": seed, "format": format, "model": model}
    body |= {name: value for name, value in chosen.items() if value is not None}
    if deadline is not None:
        body["deadline"] = _moment(deadline, now).isoformat()
    headers = {"Idempotency-Key": idempotency_key or key}
    if wait is not None:
        headers["Prefer"] = f"wait={max(0, math.ceil(wait))}"
    return Request(
        method="POST",
        url="/v1/motions",
        headers=headers,
        json=body,
        read_timeout=None if wait is None else timeout + wait,
        safe=True,
    )


def _moment(deadline: datetime | timedelta, now: float) -> datetime:
    if isinstance(deadline, timedelta):
        return datetime.fromtimestamp(now, UTC) + deadline
    if deadline.tzinfo is None:
        raise ValueError("a deadline without a time zone could mean several times")
    return deadline


def error_of(answer: Answer, now: float) -> ApiError:
    """The exception that an answer of 3xx, 4xx or 5xx means."""
    try:
        body = json.loads(answer.body)
        body = body if isinstance(body, dict) else {}
        errors = msgspec.convert(body.get("errors", []), tuple[FieldProblem, ...])
    except (ValueError, msgspec.ValidationError):
        body, errors = {}, ()
    kind = ApiError
    if answer.status in LATER:
        kind = Unavailable
    elif answer.status == 404:
        kind = NotFound
    elif 400 <= answer.status < 500:
        kind = Rejected
    retry = body.get("retry")
    reason = httpx.codes.get_reason_phrase(answer.status) or "an error without a reason"
    return kind(
        answer.status,
        str(body.get("error_code", "")),
        str(body.get("detail") or reason),
        errors=errors,
        request_id=str(body.get("request_id") or answer.headers.get("x-request-id", "")),
        retry=retry if isinstance(retry, bool) else None,
        retry_after=retry_after(answer.headers.get("retry-after", ""), now),
    )


def retry_after(value: str, now: float) -> float | None:
    """Seconds of a Retry-After header, which has a number or a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - now)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our exceptions in place of httpx's."""
    try:
        yield
    except httpx.RequestError as error:
        raise failure_of(error) from error


def failure_of(error: httpx.RequestError) -> KinesphereError:
    """Our exception for one of httpx's."""
    url = error.request.url
    where = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        remedy = "; start it with `kinesphere serve`" if loopback(url) else ""
        message = f"nothing answers at {where} ({_told(error)}){remedy}"
        return ConnectionFailed(message, reached=False)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{where} did not answer in time")
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return ConnectionFailed(f"the connection to {where} was cut ({_told(error)})", reached=True)
    return UnexpectedAnswer(f"{where}: {_told(error)}")


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


def loopback(url: httpx.URL) -> bool:
    """Whether an address is this machine's own."""
    try:
        return url.host == "localhost" or ip_address(url.host).is_loopback
    except ValueError:
        return False


def same_origin(a: httpx.URL, b: httpx.URL) -> bool:
    """Whether two addresses have scheme, host and port in common."""
    ports = {"http": 80, "https": 443}
    return (a.scheme, a.host, a.port or ports.get(a.scheme)) == (
        b.scheme, b.host, b.port or ports.get(b.scheme),
    )  # fmt: skip


def item_of(item: bytes | ServerSentEvent | None) -> bytes | tuple[str, str, str] | None:
    """An item of a stream as flows read it."""
    return (item.event, item.id, item.data) if isinstance(item, ServerSentEvent) else item


def event_of(name: str, number: str, data: str) -> Event | None:
    """An event, or None for a sign of life that says nothing."""
    if not data:
        return None
    try:
        facts = json.loads(data)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise UnexpectedAnswer(f"the event {name!r} has no JSON object: {data[:80]!r}")
    return Event(name=name or "message", id=number or None, data=facts)
