"""Asking for motions: the queued form and the short synchronous one."""

from typing import Final

from fastapi import APIRouter, Request, Response

from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, State
from kinesphere.core.requests import MotionAsk
from kinesphere.http.answers import HEADERS, accepted_answer, idempotency_key, validated
from kinesphere.http.bodies import GenerateRequest, MotionRequest
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At, Gateway, JsonOnly, caller, gateway, json_only
from kinesphere.http.schemas import GenerateResponse, JobView
from kinesphere.http.views import absolute
from kinesphere.service import Caller

router = APIRouter(tags=["motions"])

_REFUSALS = (
    "MALFORMED_JSON",
    "PROMPT_TOO_LONG",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "INVALID_REQUEST",
    "PROMPT_NOT_UNDERSTOOD",
    "MODEL_UNKNOWN",
    "LEDGER_UNAVAILABLE",
    "QUEUE_FULL",
    "QUOTA_EXCEEDED",
    "DEADLINE_UNREACHABLE",
    "MODEL_NOT_READY",
    "SHUTTING_DOWN",
)


_GIVEN: Final = {
    "parameters": HEADERS,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/MotionRequest"}},
        },
    },
}


@router.post(
    "/v1/motions",
    status_code=202,
    response_model=JobView,
    summary="Ask for a motion",
    response_description="The job, accepted: it is stored and will not be lost.",
    responses={
        200: {"model": JobView, "description": "The job, ended within the time waited."},
        **documented(*_REFUSALS, "IDEMPOTENCY_CONFLICT", "WEBHOOK_FORBIDDEN"),
    },
    openapi_extra=_GIVEN,
)
async def create_motion(request: Request) -> Response:
    """Accept a motion.

    The answer is 202 with the job and when it is expected, or 200 when it ended within
    `Prefer: wait=N`.
    """
    # Read here: what FastAPI does to find the arguments of a route, and to check its answer, took
    # a sixth of the time of a whole request.
    json_only(request)
    body = validated(MotionRequest, await request.body())
    at, who = gateway(request), caller(request)
    if body.webhook is not None:
        await at.webhooks.check(body.webhook)
    accepted = await at.service.intake.motion(body.ask(), who, idempotency_key(request))
    return await accepted_answer(at, request, who, accepted)


@router.post(
    "/generate",
    dependencies=[JsonOnly],
    summary="Make a motion and wait for it",
    responses=documented(
        *_REFUSALS, "ENGINE_FAILED", "ENGINE_CRASHED", "OOM_HOST",
        "ENGINE_TIMEOUT", "WAIT_TIMEOUT", "CANCELLED",
    ),
)  # fmt: skip
async def generate(
    body: GenerateRequest, request: Request, response: Response, caller: Ask, at: At
) -> GenerateResponse:
    """Make a motion with the default model and format, and answer with a link to the file."""
    ask = MotionAsk(prompt=body.prompt, duration=body.duration, seed=body.seed)
    accepted = await at.service.intake.motion(ask, caller)
    response.headers["Location"] = f"/v1/jobs/{accepted.job.id}"
    job = await _finished(at, accepted.job, caller)
    link = at.service.results.links(job)[-1]
    return GenerateResponse(
        status="success",
        motion_url=absolute(at.base(request), link.url),
        job_id=job.id,
        seed=int(str(job.request["seed"])),
        model=job.model,
    )


async def _finished(at: Gateway, job: Job, caller: Caller) -> Job:
    ended = await at.service.jobs.wait(job, caller, at.wait_limit)
    if ended.state is State.SUCCEEDED:
        return ended
    if not ended.ended and at.service.intake.closed:
        detail = f"The server is stopping; the job goes on as {job.id} when it is back."
        raise Rejected("SHUTTING_DOWN", detail, retry_after=5.0)
    if not ended.ended:
        detail = f"The job is not done after {at.wait_limit:g} s; it goes on as {job.id}."
        raise Rejected("WAIT_TIMEOUT", detail, retry_after=5.0)
    failure = ended.failure
    if failure is None:
        raise Rejected("INTERNAL", f"The job {job.id} ended as {ended.state.value}.")
    raise Rejected(failure.code, f"{failure.detail} (job {job.id})")
