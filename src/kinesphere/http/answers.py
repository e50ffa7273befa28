"""What routes that read bodies and accept jobs do alike."""

import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.http.gateway import Gateway, preferred_wait
from kinesphere.http.schemas import JobView
from kinesphere.http.views import job_view
from kinesphere.service import Accepted, Caller

Fields = TypeVar("Fields", bound=BaseModel)


async def accepted_answer(
    *,
    at: Gateway,
    request: Request,
    response: Response,
    caller: Caller,
    accepted: Accepted,
    prefer: Sequence[str] | None,
) -> JobView:
    """The job with its place, and 202; or 200 when it ended within the preferred wait."""
    job, eta = accepted.job, accepted.eta
    wait = preferred_wait(prefer or ())
    if wait is not None:
        seconds = min(wait, at.wait_limit)
        job = await at.service.jobs.wait(job.id, caller, seconds)
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if job.ended:
        response.status_code = 200
    elif eta is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(eta.seconds)))
    return job_view(at.service, job, at.base(request), eta)


def checked_key(key: str | None) -> str | None:
    """A usable idempotency key, or none. Raises Rejected for one that is not usable."""
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
            return kind.model_validate_json(given)
        return kind.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
