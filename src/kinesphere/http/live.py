"""Motions as they are played: frames over a WebSocket, and what is said about them."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import JSONResponse
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from kinesphere.core.failures import KINDS, Rejected
from kinesphere.core.jobs import Job, State
from kinesphere.formats.frames import PACKED, TEXT
from kinesphere.http.auth import disowned
from kinesphere.http.errors import documented, problem, refused, unexpected
from kinesphere.http.gateway import Ask, At, Gateway
from kinesphere.http.jobs import JobId
from kinesphere.ports import LedgerUnavailable
from kinesphere.service import Caller

router = APIRouter(tags=["live"])

PATH: Final = "/v1/live/{job_id}"
_log = logging.getLogger("kinesphere.live")


class Seats:
    """How many streams each user has open here; `count` is told of each, and of its end."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._taken: Counter[str] = Counter()
        self._count = count

    @contextmanager
    def seat(self, user: str, most: int) -> Iterator[None]:
        """One more, for as long as it lasts. Raises Rejected: TOO_MANY_STREAMS."""
        if most and self._taken[user] >= most:
            detail = f"{most} of your live streams are open here."
            raise Rejected("TOO_MANY_STREAMS", detail, retry_after=1.0)
        self._taken[user] += 1
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            self._taken[user] -= 1
            if not self._taken[user]:
                del self._taken[user]


@router.get(
    PATH,
    status_code=101,
    response_class=JSONResponse,
    summary="Watch a motion live",
    responses={
        101: {"description": "A WebSocket: see the page on live streams for what it speaks."},
        **documented(
            "JOB_NOT_FOUND", "FORMAT_UNAVAILABLE", "ORIGIN_FORBIDDEN", "UPGRADE_REQUIRED",
            "TOO_MANY_STREAMS", "LEDGER_UNAVAILABLE", "INVALID_REQUEST",
        ),
    },
)  # fmt: skip
async def watch_motion(job_id: JobId, request: Request, caller: Ask, at: At) -> JSONResponse:
    """Frames of a job's motion at its own rate, with pause and seek, and motions that follow it.

    This is a WebSocket; without the headers of one, the answer is 426.
    """
    await _playable(at, caller, job_id)
    detail = KINDS["UPGRADE_REQUIRED"].meaning
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return problem(request, "UPGRADE_REQUIRED", detail, headers=headers)


@router.websocket(PATH)
async def live(websocket: WebSocket, job_id: str) -> None:
    """Play a job's motion to whoever may see the job."""
    at: Gateway = websocket.app.state.gateway
    caller: Caller = websocket.scope["caller"]
    seats: Seats = websocket.app.state.seats
    try:
        with seats.seat(caller.user, at.live_streams):
            job = await _playable(at, caller, job_id)
            await _stream(websocket, at, caller, job)
    except Rejected as error:
        await websocket.send_denial_response(refused(websocket, error))
    except LedgerUnavailable:
        detail = "The job store does not answer."
        answer = problem(websocket, "LEDGER_UNAVAILABLE", detail, headers={"Retry-After": "5"})
        await websocket.send_denial_response(answer)


@router.websocket("/{path:path}")
async def elsewhere(websocket: WebSocket, path: str) -> None:
    """No other route is a WebSocket."""
    del path
    detail = KINDS["ROUTE_NOT_FOUND"].meaning
    await websocket.send_denial_response(problem(websocket, "ROUTE_NOT_FOUND", detail))


async def _playable(at: Gateway, caller: Caller, job_id: str) -> Job:
    """The job, if it has made a motion or still may. Raises Rejected."""
    job = await at.service.jobs.get(job_id.upper(), caller)
    if job.task != "motion":
        raise Rejected("FORMAT_UNAVAILABLE", f"The job makes a {job.task}, not a motion.")
    if job.ended and job.state is not State.SUCCEEDED:
        raise Rejected("FORMAT_UNAVAILABLE", f"The job is {job.state.value} and made no motion.")
    return job


async def _stream(websocket: WebSocket, at: Gateway, caller: Caller, job: Job) -> None:
    # NumPy and the codecs come with the first stream.
    from kinesphere.http.live_items import Line  # noqa: PLC0415
    from kinesphere.http.live_session import Session  # noqa: PLC0415

    offered = websocket.scope.get("subprotocols", ())
    chosen = next((each for each in offered if each in (TEXT, PACKED)), None)
    await websocket.accept(chosen)
    identity = at.identity
    line = Line(
        send=partial(_send, websocket),
        hear=partial(_hear, websocket),
        admit=partial(at.turnstile.admit, dict(websocket.scope), caller.user),
        disowned=None if identity is None else partial(disowned, websocket, identity),
        packed=chosen == PACKED,
        path=websocket.scope["path"],
        request_id=caller.request_id,
        count=at.metrics.live_frames,
    )
    code = 1011
    try:
        code = await Session(at.service, caller, line).run(job)
    except OSError:
        return
    except Exception as error:
        # It is told to the log, and by its code to the client.
        unexpected(websocket, error)
    with suppress(WebSocketDisconnect):
        await websocket.send({"type": "websocket.close", "code": code})


async def _send(websocket: WebSocket, data: str | bytes) -> None:
    """Send a message. Raises OSError when the client has gone."""
    kind = "text" if isinstance(data, str) else "bytes"
    try:
        await websocket.send({"type": "websocket.send", kind: data})
    except WebSocketDisconnect:
        raise ConnectionResetError from None


async def _hear(websocket: WebSocket) -> str | None:
    message: Message | dict[str, Any] = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise EOFError
    text = message.get("text")
    return text if isinstance(text, str) else None
