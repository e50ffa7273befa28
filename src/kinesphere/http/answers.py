"""What routes that read bodies and accept jobs do alike."""

import json
import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.http.gateway import Gateway, preferred_wait
from kinesphere.http.views import job_view
from kinesphere.service import Accepted, Caller

Fields = TypeVar("Fields", bound=BaseModel)

HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body, pictures too, give the same job, however often they "
        "are sent; 1 to 128 visible ASCII characters.",
        "schema": {"type": "string"},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: answer when the job has ended, or after N seconds (RFC 7240).",
        "schema": {"type": "array", "items": {"type": "string"}},
        "example": ["wait=10"],
    },
]
"""What routes that accept jobs read of a request's headers, for the API's document."""


async def accepted_answer(
    at: Gateway, request: Request, caller: Caller, accepted: Accepted
) -> Response:
    """The job with its place, and 202; or 200 when it ended within the wait that is preferred."""
    job, eta = accepted.job, accepted.eta
    headers = {"Location": f"/v1/jobs/{job.id}"}
    wait = preferred_wait(request.headers.getlist("prefer"))
    if wait is not None:
        seconds = min(wait, at.wait_limit)
        if not job.ended:
            job = await at.service.jobs.wait(job, caller, seconds)
        headers["Preference-Applied"] = f"wait={seconds:g}"
    if not job.ended and eta is not None:
        headers["Retry-After"] = str(max(1, math.ceil(eta.seconds)))
    view = job_view(at.service, job, at.base(request), eta)
    return Response(
        view.model_dump_json(), 200 if job.ended else 202, headers, media_type="application/json"
    )


def idempotency_key(request: Request) -> str | None:
    """The idempotency key that was given, or None. Raises Rejected for one that is not usable."""
    key = request.headers.get("idempotency-key")
    if key is None or re.fullmatch(r"[\x21-\x7e]{1,128}", key):
        return key
    problem = "is not a usable key"
    raise Rejected(
        "INVALID_REQUEST",
        f"The Idempotency-Key {problem}.",
        (FieldError("Idempotency-Key", problem, "1 to 128 visible ASCII characters"),),
    )


@asynccontextmanager
async def form_of(request: Request, *, files: int) -> AsyncIterator[FormData]:
    """A multipart body, its files closed at the end. Raises Rejected for one that is none."""
    try:
        form = await request.form(max_files=files, max_fields=20, max_part_size=65_536)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        problem = f"cannot be read as a form: {error.detail}"
        fault = FieldError("", problem, f"multipart/form-data with at most {files} files")
        raise Rejected("INVALID_REQUEST", f"The body {problem}", (fault,)) from None
    try:
        yield form
    finally:
        await form.close()


def validated(kind: type[Fields], given: bytes | Mapping[str, Any]) -> Fields:
    """A body that FastAPI did not read itself, checked as it would be."""
    try:
        if isinstance(given, bytes):
            if not given:
                raise RequestValidationError([{"type": "missing", "loc": ("body",)}])
            try:
                return kind.model_validate_json(given)
            except ValidationError as error:
                # The quick reader takes a text that is no Unicode for a fault of the JSON.
                if error.errors()[0]["type"] != "json_invalid":
                    raise
                given = _parsed(given)
        return kind.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None


def _parsed(given: bytes) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        fault = {"type": "json_invalid", "loc": ("body",), "msg": str(error), "input": {}}
        raise RequestValidationError([fault]) from None
