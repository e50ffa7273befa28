"""Between HTTP and the client's words: pure functions over requests, answers and failures."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any

import httpx
import msgspec
from httpx_sse import ServerSentEvent

from kinesphere.client.effects import Answer, Request, Upload
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
from kinesphere.client.values import Event, FieldProblem, MeshOptions

LATER = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed."""
BINARY = "application/octet-stream"
_SLOWEST = 50_000
_HELD = 4_194_304
"""Bytes that a system takes from us at most before it has sent them: Linux's tcp_wmem."""


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
    webhook: str | None = None,
    cache: bool = True,
) -> Request:
    """The request for a motion; `key` where the caller gives no idempotency key.

    Raises:
        ValueError: The deadline has no time zone.
    """
    chosen = {
        "seed": seed,
        "format": format,
        "model": model,
        "deadline": _moment(deadline, now),
        "webhook": webhook,
        "cache": None if cache else "no",
    }
    return Request(
        method="POST",
        url="/v1/motions",
        headers=_headers(idempotency_key or key, wait),
        json={"prompt": prompt, "duration": duration, "priority": priority} | _given(chosen),
        read_timeout=None if wait is None else timeout + wait,
        safe=True,
    )


def mesh_request(
    image_url: str | None,
    files: tuple[Upload, ...],
    options: MeshOptions,
    *,
    key: str,
    now: float,
    timeout: float,
) -> Request:
    """The request for a mesh: a form with its files, or JSON with the picture's address.

    Raises:
        ValueError: The deadline has no time zone.
    """
    fields: dict[str, Any] = {
        "image_url": image_url,
        "texture": options.get("texture", True),
        "faces": options.get("faces"),
        "seed": options.get("seed"),
        "format": options.get("format"),
        "model": options.get("model"),
        "priority": options.get("priority", 5),
        "deadline": _moment(options.get("deadline"), now),
        "webhook": options.get("webhook"),
        "cache": None if options.get("cache", True) else "no",
    }
    fields = _given(fields)
    wait = options.get("wait")
    patience = timeout + upload_seconds(files) + (wait or 0.0)
    return Request(
        method="POST",
        url="/v1/meshes",
        headers=_headers(options.get("idempotency_key") or key, wait),
        json=None if files else fields,
        form={name: _text(value) for name, value in fields.items()} if files else {},
        files=files,
        read_timeout=patience if files or wait is not None else None,
        safe=True,
    )


def upload_seconds(files: tuple[Upload, ...]) -> float:
    """How long files may still be on their way when the last byte was handed to the system."""
    return min(_HELD, sum(len(each.data) for each in files)) / _SLOWEST


def _headers(key: str, wait: float | None) -> dict[str, str]:
    headers = {"Idempotency-Key": key}
    if wait is not None:
        headers["Prefer"] = f"wait={max(0, math.ceil(wait))}"
    return headers


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _moment(deadline: datetime | timedelta | None, now: float) -> str | None:
    if deadline is None:
        return None
    if isinstance(deadline, timedelta):
        deadline = datetime.fromtimestamp(now, UTC) + deadline
    if deadline.tzinfo is None:
        raise ValueError("a deadline without a time zone could mean several times")
    return deadline.isoformat()


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
