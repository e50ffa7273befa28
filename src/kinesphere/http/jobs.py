"""Looking at jobs, following them, ending and reviving them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import Field

from kinesphere.core.jobs import Job, State
from kinesphere.http.auth import OPERATORS, OperatorOnly, disowned
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At
from kinesphere.http.schemas import JobPage, JobView
from kinesphere.http.streams import EventStream, event
from kinesphere.http.views import eta_view, job_view, news
from kinesphere.ports import JobQuery, Record

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[
    str,
    Path(
        description="The job's id.",
        pattern=r"^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$",
        examples=["01KAZ6T3V9S2Q4W8E0R5Y7U1I3"],
    ),
]
Cursor = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before.", pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$"),
]


@router.get("", summary="List jobs", responses=documented("INVALID_REQUEST", "LEDGER_UNAVAILABLE"))
async def list_jobs(
    *,
    request: Request,
    caller: Ask,
    at: At,
    state: Annotated[list[State] | None, Query(description="Only these states.")] = None,
    task: Annotated[str | None, Query(description="`motion` or `mesh`.", max_length=20)] = None,
    model: Annotated[str | None, Query(description="Only this model.", max_length=100)] = None,
    q: Annotated[
        str | None,
        Query(
            description="Words, each of which is in the prompt, the picture's name or the id. A "
            "page looks through 2,000 jobs at the most: it may be empty, and yet have a "
            "`next_cursor`.",
            max_length=200,
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Jobs a page.")] = 50,
) -> JobPage:
    """Your jobs, newest first."""
    query = JobQuery(
        user=None if caller.operator else caller.user,
        states=tuple(state or ()),
        task=task,
        model=model,
        before=cursor,
        limit=limit,
    )
    if q is not None and q.strip():
        found = await at.service.jobs.search(query, q)
        shown, following = found.jobs, found.before
    else:
        listed = await at.service.jobs.list(replace(query, limit=limit + 1))
        shown = listed[:limit]
        following = shown[-1].id if len(listed) > limit else None
    base = at.base(request)
    told = await at.service.jobs.deliveries(shown)
    return JobPage(
        items=[job_view(at.service, job, base, delivery=told.get(job.id)) for job in shown],
        next_cursor=following,
    )


@router.get(
    "/{job_id}",
    summary="Look at a job",
    responses=documented("JOB_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def show_job(job_id: JobId, request: Request, caller: Ask, at: At) -> JobView:
    """State, progress, expected time, and fresh links to what was made."""
    job = await at.service.jobs.get(job_id.upper(), caller)
    told = await at.service.jobs.deliveries([job])
    eta = await at.service.outlook.eta(job)
    return job_view(at.service, job, at.base(request), eta, told.get(job.id))


@router.delete(
    "/{job_id}",
    summary="Cancel a job",
    responses=documented("JOB_NOT_FOUND", "JOB_FINISHED", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def cancel_job(job_id: JobId, request: Request, caller: Ask, at: At) -> JobView:
    """End a job that waits or runs.

    It is cancelled when this answers; its replica is stopped between two steps of its engine.
    """
    job = await at.service.jobs.cancel(job_id.upper(), caller)
    return job_view(at.service, job, at.base(request))


@router.post(
    "/{job_id}/revive",
    dependencies=[OperatorOnly],
    openapi_extra=OPERATORS,
    summary="Revive a job",
    responses=documented(
        "JOB_NOT_FOUND", "JOB_NOT_REVIVABLE", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"
    ),
)
async def revive_job(job_id: JobId, request: Request, caller: Ask, at: At) -> JobView:
    """Give a job that failed or expired another set of attempts.

    It waits again, without its deadline; what its finished stages made is kept.
    """
    job = await at.service.jobs.revive(job_id.upper(), caller)
    return job_view(at.service, job, at.base(request))


@router.post(
    "/{job_id}/forget",
    status_code=204,
    summary="Delete a job",
    responses=documented("JOB_NOT_FINISHED", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def forget_job(job_id: JobId, caller: Ask, at: At) -> None:
    """Delete a job of yours that has ended, its events, and its files.

    Files that another job was given too stay until that is deleted. Whether there was such a job
    is not told: to delete twice is to delete once.
    """
    await at.service.results.forget(job_id.upper(), caller)


@router.get(
    "/{job_id}/artifacts/{format}",
    summary="Download in another format",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        **documented("JOB_NOT_FOUND", "FORMAT_UNAVAILABLE", "INVALID_REQUEST"),
    },
)
async def convert_artifact(
    job_id: JobId,
    format: Annotated[str, Path(description="`bvh`, `fbx`, `glb`, …", max_length=20)],
    caller: Ask,
    at: At,
) -> Response:
    """What the job has made, converted without running the model again."""
    content = await at.service.results.converted(job_id.upper(), caller, format)
    disposition = f'attachment; filename="{content.name}"'
    headers = {"Content-Disposition": disposition}
    return Response(content.data, media_type=content.media_type, headers=headers)


Seq = Annotated[int | None, Field(ge=0, le=2**63 - 1)]


async def _present(job_id: JobId, caller: Ask, at: At) -> Job:
    """The job, looked up before the stream begins, so that a missing one is a plain 404."""
    return await at.service.jobs.get(job_id.upper(), caller)


@router.get(
    "/{job_id}/events",
    status_code=200,
    response_class=Response,
    summary="Follow a job",
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Server-sent events.",
        },
        204: {"description": "The job has ended and all was told: do not come back."},
        **documented("JOB_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
    },
)
async def follow_job(
    *,
    job: Annotated[Job, Depends(_present)],
    request: Request,
    caller: Ask,
    at: At,
    last_event_id: Annotated[
        Seq, Header(description="Id of the last event seen; later ones follow.")
    ] = None,
    since: Annotated[
        Seq,
        Query(alias="last_event_id", description="The same, for clients that send no header."),
    ] = None,
) -> Response:
    """Everything that happened to the job, then news as it comes, until it has ended.

    `progress` events carry no id: they are not stored. All others can be resumed after, and those
    of a job that goes on have its `eta` as expected when they are sent. A comment comes when
    nothing else has for a while.
    """
    # A browser that reconnects repeats the query that it began with.
    after = since if last_event_id is None else last_event_id
    if job.ended and after is not None and await at.service.jobs.told(job, after):
        return Response(status_code=204)
    items = at.service.jobs.follow(job.id, caller, after or 0)

    async def blocks() -> AsyncGenerator[bytes, None]:
        async with aclosing(items):
            async for item in items:
                name, number, data = news(item)
                if isinstance(item, Record):
                    eta = await at.service.outlook.eta(await at.service.jobs.get(job.id, caller))
                    if eta is not None:
                        data["eta"] = eta_view(eta, at.service.now()).model_dump(mode="json")
                yield event(name, number, data)

    return EventStream(
        blocks(),
        request.app.state.heart,
        farewell=lambda: at.service.intake.closed,
        disowned=None if at.identity is None else partial(disowned, request, at.identity),
    )
