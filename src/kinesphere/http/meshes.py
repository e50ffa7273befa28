"""Asking for meshes: by upload or by address, and the queued form with a task id."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import Job, State
from kinesphere.core.requests import SIDES
from kinesphere.http.answers import HEADERS, accepted_answer, form_of, idempotency_key, validated
from kinesphere.http.bodies import MeshFields, MeshRequest, TaskRequest
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At, Gateway, JsonOnly, media_type
from kinesphere.http.schemas import JobView, TaskAccepted, TaskView
from kinesphere.http.views import absolute, error_view
from kinesphere.service import Caller, Remote

router = APIRouter(tags=["meshes"])

_REFUSALS: Final = (
    "MALFORMED_JSON",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "INVALID_REQUEST",
    "IMAGE_REJECTED",
    "IMAGE_TOO_LARGE",
    "IMAGE_URL_FORBIDDEN",
    "IMAGE_URL_FAILED",
    "MODEL_UNKNOWN",
    "LEDGER_UNAVAILABLE",
    "STORAGE_FAILED",
    "QUEUE_FULL",
    "QUOTA_EXCEEDED",
    "DEADLINE_UNREACHABLE",
    "MODEL_NOT_READY",
    "SHUTTING_DOWN",
)
_FILES: Final = ("image", "mask", *SIDES)


class MeshGiven(BaseModel):
    """A request for a mesh, whichever way it came; `source` is the field that has the picture.

    The picture is its bytes, or the address that it is yet to be fetched from.
    """

    fields: MeshFields
    source: str
    picture: bytes | str
    mask: bytes | None = None
    sides: dict[str, bytes] = {}


async def given_of(request: Request) -> MeshGiven:
    """The fields and the pictures of a multipart or JSON body."""
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with form_of(request, files=len(_FILES)) as form:
            return await _of_form(form)
    if kind != "application/json":
        problem = f"is {kind[:80]!r}" if kind else "is missing"
        raise Rejected(
            "UNSUPPORTED_MEDIA_TYPE",
            f"The Content-Type {problem}.",
            (FieldError("Content-Type", problem, "multipart/form-data or application/json"),),
        )
    body = validated(MeshRequest, await request.body())
    return MeshGiven(fields=body, source="image_url", picture=body.image_url)


async def _of_form(form: FormData) -> MeshGiven:
    files: dict[str, bytes] = {}
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in files or name in fields:
            raise _wrong(name, "is given twice", "once")
        if isinstance(value, UploadFile) and name in _FILES:
            files[name] = await value.read()
        elif isinstance(value, UploadFile):
            raise _wrong(name, "is a file", f"the files are {', '.join(_FILES)}")
        elif name in _FILES:
            raise _wrong(name, "is no file", "an upload with a file name")
        else:
            fields[name] = value
    if "image" not in files:
        raise _wrong("image", "is missing", "a PNG, JPEG or WebP picture")
    return MeshGiven(
        fields=validated(MeshFields, fields),
        source="image",
        picture=files["image"],
        mask=files.get("mask"),
        sides={side: files[side] for side in SIDES if side in files},
    )


@contextmanager
def naming(source: str) -> Iterator[None]:
    """Refusals of the picture name the field that the caller gave it in."""
    try:
        yield
    except Rejected as refusal:
        raise named(refusal, source) from None


def named(refusal: Rejected, source: str) -> Rejected:
    """A refusal of the picture, with the field that it came in."""
    fields = (replace(f, field=source) if f.field == "picture" else f for f in refusal.fields)
    return replace(refusal, fields=tuple(fields))


def _wrong(field: str, problem: str, allowed: str) -> Rejected:
    found = FieldError(field, problem, allowed)
    return Rejected("INVALID_REQUEST", f"The request is not right: {field} {problem}.", (found,))


BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": False,
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "The picture: PNG, JPEG or WebP.",
                        },
                        "mask": {
                            "type": "string",
                            "format": "binary",
                            "description": "Your own mask: white is the object.",
                        },
                        **{
                            side: {
                                "type": "string",
                                "format": "binary",
                                "description": f"The object's {side} side, for models that take "
                                "several pictures; the picture itself is the front.",
                            }
                            for side in SIDES
                        },
                        **MeshFields.model_json_schema()["properties"],
                    },
                }
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/MeshRequest"}},
        },
    }
}


@router.post(
    "/v1/meshes",
    status_code=202,
    response_model=JobView,
    summary="Ask for a mesh",
    response_description="The job, accepted: it is stored and will not be lost.",
    responses={
        200: {"model": JobView, "description": "The job, ended within the time waited."},
        **documented(*_REFUSALS, "IDEMPOTENCY_CONFLICT", "WEBHOOK_FORBIDDEN"),
    },
    openapi_extra=BODY | {"parameters": HEADERS},
)
async def create_mesh(
    *,
    given: Annotated[MeshGiven, Depends(given_of)],
    request: Request,
    caller: Ask,
    at: At,
) -> Response:
    """Make a textured mesh of what a picture shows.

    The picture comes as a multipart upload named `image`, or JSON names it by `image_url`. The
    untextured mesh is there as soon as the shape is done.
    """
    if given.fields.webhook is not None:
        await at.webhooks.check(given.fields.webhook)
    picture = given.picture
    with naming(given.source):
        accepted = await at.service.intake.mesh(
            given.fields.ask(),
            picture if isinstance(picture, bytes) else remote(at, picture),
            given.mask,
            caller,
            idempotency_key(request),
            sides=given.sides,
        )
    return await accepted_answer(at, request, caller, accepted)


@router.post(
    "/generate/3d",
    status_code=202,
    dependencies=[JsonOnly],
    summary="Queue a mesh",
    responses=documented(*_REFUSALS),
)
async def queue_mesh(body: TaskRequest, caller: Ask, at: At) -> TaskAccepted:
    """The short queued form: a picture by its address, a task id to ask for."""
    user = _on_behalf(caller, body.user_id)
    with naming("image_url"):
        accepted = await at.service.intake.mesh(body.ask(), remote(at, body.image_url), None, user)
    return TaskAccepted(task_id=accepted.job.id, status="queued")


def remote(at: Gateway, url: str) -> Remote:
    """The picture at an address, yet to be fetched."""
    return Remote(url, partial(at.fetcher.fetch, url))


def _on_behalf(caller: Caller, user: str | None) -> Caller:
    """Whose the job will be. Only who may operate speaks for others. Raises Rejected."""
    if user is None or user == caller.user:
        return caller
    if not caller.operator:
        found = FieldError("user_id", "is not you", "your own, or left out")
        raise Rejected("FORBIDDEN", "A job for another user needs the scope 'operate'.", (found,))
    return replace(caller, user=user, anonymous=False)


@router.get(
    "/tasks/{task_id}",
    summary="Look at a task",
    responses=documented("JOB_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def show_task(
    task_id: Annotated[str, Path(description="As `/generate/3d` gave it.", max_length=64)],
    request: Request,
    caller: Ask,
    at: At,
) -> TaskView:
    """The state of a task, and the link to what it has made."""
    job = await at.service.jobs.get(task_id.upper(), caller)
    return _task(at, job, at.base(request))


def _task(at: Gateway, job: Job, base: str) -> TaskView:
    links = at.service.results.links(job)
    return TaskView(
        task_id=job.id,
        status="completed" if job.state is State.SUCCEEDED else job.state.value,
        progress=round(at.service.jobs.progress(job)[0], 4),
        result_url=absolute(base, links[-1].url) if job.state is State.SUCCEEDED else None,
        preview_url=absolute(base, links[0].url) if links else None,
        error=error_view(job.failure) if job.failure else None,
    )
