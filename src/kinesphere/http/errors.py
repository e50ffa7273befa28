"""Failures as HTTP: one table from error code to status, and the problem document of RFC 9457."""

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection

from kinesphere.core.failures import KINDS, FieldError, Rejected, kind
from kinesphere.ports import ArtifactMissing, LedgerUnavailable, LinkExpired, LinkInvalid

_log = logging.getLogger("kinesphere.http")

STATUS: Final[Mapping[str, int]] = {
    "MALFORMED_JSON": 400,
    "MALFORMED_REQUEST": 400,
    "PROMPT_TOO_LONG": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "ORIGIN_FORBIDDEN": 403,
    "LINK_INVALID": 403,
    "LINK_EXPIRED": 403,
    "ROUTE_NOT_FOUND": 404,
    "JOB_NOT_FOUND": 404,
    "POOL_NOT_FOUND": 404,
    "POOL_NOT_SCALED": 404,
    "KEY_NOT_FOUND": 404,
    "RELEASE_NOT_FOUND": 404,
    "ARTIFACT_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "FORMAT_UNAVAILABLE": 409,
    "HISTORY_EMPTY": 409,
    "JOB_FINISHED": 409,
    "RELEASE_OVER": 409,
    "RELEASE_RUNNING": 409,
    "JOB_NOT_FINISHED": 409,
    "JOB_NOT_REVIVABLE": 409,
    "CANCELLED": 409,
    "BODY_TOO_LARGE": 413,
    "IMAGE_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RANGE_NOT_SATISFIABLE": 416,
    "HOST_FORBIDDEN": 421,
    "IDEMPOTENCY_CONFLICT": 422,
    "FILE_REJECTED": 422,
    "IMAGE_REJECTED": 422,
    "IMAGE_URL_FAILED": 422,
    "IMAGE_URL_FORBIDDEN": 422,
    "INVALID_REQUEST": 422,
    "MODEL_UNKNOWN": 422,
    "PROMPT_NOT_UNDERSTOOD": 422,
    "TOO_MUCH_WORK": 422,
    "WEBHOOK_FORBIDDEN": 422,
    "UPGRADE_REQUIRED": 426,
    "QUOTA_EXCEEDED": 429,
    "RATE_LIMITED": 429,
    "TOO_MANY_STREAMS": 429,
    "HEADERS_TOO_LARGE": 431,
    "ENGINE_CRASHED": 500,
    "ENGINE_FAILED": 500,
    "ENGINE_OUTPUT_INVALID": 500,
    "INTERNAL": 500,
    "QUALITY_REJECTED": 500,
    "LEASE_LOST": 503,
    "IDENTITY_UNAVAILABLE": 503,
    "LEDGER_UNAVAILABLE": 503,
    "MODEL_FILES_INVALID": 503,
    "MODEL_FILES_MISSING": 503,
    "MODEL_NOT_READY": 503,
    "OOM_HOST": 503,
    "BUSY": 503,
    "DEADLINE_UNREACHABLE": 503,
    "QUEUE_FULL": 503,
    "SHUTTING_DOWN": 503,
    "STORAGE_FAILED": 503,
    "TOO_MANY_CONNECTIONS": 503,
    "DEADLINE_MISSED": 504,
    "ENGINE_TIMEOUT": 504,
    "WAIT_TIMEOUT": 504,
}
"""Status of every code in `kinesphere.core.failures.KINDS`; the OOM_GPU family is 503."""

_OF_STATUS: Final = {
    400: "MALFORMED_JSON",
    404: "ROUTE_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "BODY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    416: "RANGE_NOT_SATISFIABLE",
}
MEDIA_TYPE: Final = "application/problem+json"
# RFC 6750, 3.
_CHALLENGES: Final = {
    "UNAUTHENTICATED": 'Bearer realm="kinesphere"',
    "FORBIDDEN": 'Bearer realm="kinesphere", error="insufficient_scope"',
}


class ProblemField(BaseModel):
    """One field that was not right."""

    field: str = Field(description="Dotted path of the field; empty for the whole body.")
    problem: str = Field(description="What was wrong with it.")
    allowed: str = Field(description="What would be right; may be empty.")


class Problem(BaseModel):
    """A problem document, RFC 9457, with a stable `error_code`."""

    type: str = Field(description="URN of the kind of problem.")
    title: str = Field(description="What the code means, in one sentence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence about this case.")
    instance: str = Field(description="Path of the request.")
    error_code: str = Field(description="Stable code; see the list of errors.")
    fault: str = Field(description="Who can mend it: `caller`, `engine` or `platform`.")
    retry: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="Id of the request, as in the log.")
    errors: list[ProblemField] = Field(
        default_factory=list, description="Field by field, where fields are at fault."
    )


def status(code: str) -> int:
    """HTTP status of an error code."""
    return 503 if code.startswith("OOM_GPU_") else STATUS[code]


def problem_document(
    code: str, detail: str, instance: str, request_id: str, fields: Iterable[FieldError] = ()
) -> Problem:
    """The document that tells one failure of the request for `instance`."""
    meaning = kind(code)
    return Problem(
        type=f"urn:kinesphere:error:{code}",
        title=meaning.meaning,
        status=status(code),
        detail=detail,
        instance=instance,
        error_code=code,
        fault=meaning.fault.value,
        retry=meaning.retry,
        request_id=request_id,
        errors=[ProblemField(field=f.field, problem=f.problem, allowed=f.allowed) for f in fields],
    )


def problem(
    request: HTTPConnection,
    code: str,
    detail: str,
    fields: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response that tells one failure."""
    document = problem_document(
        code, detail, request.scope["path"], request.scope.get("request_id", ""), fields
    )
    request.scope["error_code"] = code
    content = document.model_dump(exclude_defaults=True)
    return JSONResponse(
        content, status_code=document.status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for these codes, grouped by status, each with an example."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        entry = responses.setdefault(
            status(code),
            {
                "description": "",
                "model": Problem,
                "content": {MEDIA_TYPE: {"examples": {}}},
            },
        )
        entry["description"] = " ".join(filter(None, [entry["description"], f"`{code}`"]))
        entry["content"][MEDIA_TYPE]["examples"][code] = {
            "value": {
                "type": f"urn:kinesphere:error:{code}",
                "title": KINDS[code].meaning,
                "status": status(code),
                "detail": KINDS[code].meaning,
                "instance": "/v1/…",
                "error_code": code,
                "fault": KINDS[code].fault.value,
                "retry": KINDS[code].retry,
                "request_id": "01KAZ6T3V9S2Q4W8E0R5Y7U1I3",
            }
        }
    return responses


def install(app: FastAPI) -> None:
    """Make every failure of `app` a problem document."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(LedgerUnavailable, _ledger)
    app.add_exception_handler(ClientDisconnect, _gone)
    for known, code in (
        (LinkInvalid, "LINK_INVALID"),
        (LinkExpired, "LINK_EXPIRED"),
        (ArtifactMissing, "ARTIFACT_NOT_FOUND"),
    ):
        app.add_exception_handler(known, _plain(code))


def _plain(code: str) -> Any:
    async def handler(request: Request, _error: Exception) -> JSONResponse:
        return problem(request, code, KINDS[code].meaning)

    return handler


async def _rejected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Rejected)  # noqa: S101 - registered for this class alone
    return refused(request, error)


def refused(request: HTTPConnection, error: Rejected) -> JSONResponse:
    """The response to a request that is not accepted."""
    headers = {}
    if error.code in _CHALLENGES:
        headers["WWW-Authenticate"] = _CHALLENGES[error.code]
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return problem(request, error.code, error.detail, error.fields, headers)


async def _gone(request: Request, _error: Exception) -> JSONResponse:
    """For the log and the counts alone: whoever asked is not there any more."""
    return problem(request, "MALFORMED_REQUEST", "The body ended before its length.")


async def _ledger(request: Request, error: Exception) -> JSONResponse:
    _log.error("ledger unavailable: %s", error, extra={"action": "ledger.unavailable"})
    detail = "The job store does not answer; nothing was accepted or changed."
    return problem(request, "LEDGER_UNAVAILABLE", detail, headers={"Retry-After": "5"})


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    code = _OF_STATUS.get(error.status_code)
    if code is None:
        code = "INVALID_REQUEST" if error.status_code < 500 else "INTERNAL"
    detail = error.detail if error.status_code in (408, 413) else KINDS[code].meaning
    headers = dict(error.headers or {})
    if code == "METHOD_NOT_ALLOWED":
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
    return problem(request, code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """All methods of a path (RFC 9110, 10.2.1); Starlette names those of its first route."""
    path = request.scope["path"]
    routes = request.app.state.routes
    return sorted({each for r in routes if r.path_regex.match(path) for each in r.methods})


def unexpected(request: HTTPConnection, error: Exception) -> JSONResponse:
    """The response to an error that nobody foresaw, which is logged."""
    _log.error("unexpected error", exc_info=error, extra={"action": "http.error"})
    return problem(request, "INTERNAL", "An unexpected error; the log has it.")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(request, "MALFORMED_JSON", "The body is not valid JSON.")
    fields = [_field(fault) for fault in faults[:20]]
    summary = "; ".join(f"{f.field or 'body'} {f.problem}" for f in fields[:3])
    return problem(request, "INVALID_REQUEST", f"The request is not right: {summary}.", fields)


def _field(fault: Mapping[str, Any]) -> FieldError:
    """One of pydantic's findings, without the value that was sent."""
    where = [str(part) for part in fault["loc"]]
    name = ".".join(where[1:]) if where[:1] and where[0] in _PLACES else ".".join(where)
    if fault["type"] == "extra_forbidden":
        return FieldError(name, "is not a field of this request", "see the list of fields")
    if fault["type"] == "missing":
        return FieldError(name, "is missing", "")
    if fault["type"] == "string_pattern_mismatch":
        # The patterns of the API are those of its ids, and of cursors, which are ids too.
        return FieldError(name, "is not an id", "26 digits and capital letters, as we gave it")
    message = str(fault["msg"])
    wanted = message.removeprefix("Input ").removeprefix("Value error, ").removeprefix("String ")
    return FieldError(name, "has a wrong value or type", wanted)


_PLACES: Final = ("body", "query", "path", "header")
