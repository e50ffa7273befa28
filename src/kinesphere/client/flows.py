"""What the client does, step by step, whoever drives it: see `kinesphere.client.effects`."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final
from uuid import uuid4

import httpx

from kinesphere.adapters.clock import SystemClock
from kinesphere.client import wire
from kinesphere.client.credentials import own_key
from kinesphere.client.effects import Answer, Emit, Flow, Request, Send, Sleep
from kinesphere.client.errors import ApiError, ConnectionFailed, JobFailed, Rejected, TimedOut
from kinesphere.client.following import Following, NoStream
from kinesphere.client.values import (
    Job,
    Model,
    Page,
    Pool,
    Progress,
    Readiness,
    owned,
    read,
    read_items,
)
from kinesphere.ports import Clock
from kinesphere.version import __version__

DEFAULT_URL: Final = "http://127.0.0.1:8000"
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
LONGEST_PATIENCE: Final = 60.0
"""A server that asks for a longer pause is not waited for; the caller may."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long the client waits, and how often it tries again. Seconds."""

    timeout: float = 30.0
    retries: int = 3

    def pause(self, request: Request, error: Exception, attempt: int) -> float | None:
        """Seconds to wait before attempt number `attempt` + 1, or None to give up.

        A request that is not safe to send twice is sent again only if it was never read.
        """
        if attempt > self.retries:
            return None
        if isinstance(error, ConnectionFailed):
            return self.backoff(attempt) if request.safe or not error.reached else None
        if isinstance(error, ApiError) and error.status in wire.LATER and error.retry is not False:
            asked = error.retry_after or 0.0
            if not request.safe or asked > LONGEST_PATIENCE:
                return None
            return max(asked, self.backoff(attempt))
        return None

    def backoff(self, attempt: int) -> float:
        """Doubling pauses with jitter, so that clients cut together do not come back together."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1))
        jitter: float = SystemRandom().uniform(0.5, 1.0)
        return longest * jitter


class Flows:
    """The client's flows, for one server."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        timeout: float,
        retries: int,
    ) -> None:
        self.base = httpx.URL(url or os.environ.get("KINESPHERE_URL") or DEFAULT_URL)
        if self.base.scheme not in ("http", "https") or not self.base.host:
            raise ValueError(f"{str(self.base)!r} is not an http:// or https:// address")
        self.terms = Terms(timeout, retries)
        self.clock: Clock = SystemClock()
        self._key = own_key(api_key)

    def http_options(self) -> dict[str, Any]:
        """What both kinds of httpx client are made with.

        Proxies of the environment are passed over on loopback, where none can stand between.
        """
        return {
            "base_url": self.base,
            "timeout": self.terms.timeout,
            "headers": {"User-Agent": f"kinesphere-python/{__version__}"},
            "trust_env": not wire.loopback(self.base),
        }

    def message(self, http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
        """A request as httpx sends it.

        It has the key only if it stays on this server: a link may lead to another.
        """
        link = httpx.URL(request.url)
        headers = dict(request.headers)
        ours = link.is_relative_url or wire.same_origin(link, self.base)
        if self._key is not None and ours:
            headers["Authorization"] = f"Bearer {self._key}"
        limit = self.terms.timeout
        read_limit = limit if request.read_timeout is None else request.read_timeout
        return http.build_request(
            request.method,
            request.url,
            params=request.params or None,
            headers=headers,
            json=request.json,
            data=dict(request.form) or None,
            files=[(f.field, (f.name, f.data, wire.BINARY)) for f in request.files] or None,
            timeout=httpx.Timeout(min(limit, read_limit), read=read_limit),
        )

    # ---------------------------------------------------------------------------- requests

    def send(self, request: Request, also: Iterable[int] = ()) -> Flow[Answer]:
        """The answer to a request, tried again where that is safe and may help.

        Args:
            request: What to send.
            also: Statuses from 300 that are answers, not errors.
        """
        attempt = 0
        while True:
            attempt += 1
            error: Exception
            try:
                answer: Answer = yield Send(request)
                if answer.status < 300 or answer.status in also:
                    return answer
                error = wire.error_of(answer, self.clock.now())
            except ConnectionFailed as failure:
                error = failure
            pause = self.terms.pause(request, error, attempt)
            if pause is None:
                raise error
            yield Sleep(pause)

    def get(self, path: str, *params: tuple[str, str], within: float | None = None) -> Flow[bytes]:
        """The body at a path, each try within so many seconds."""
        timeout = None if within is None else max(0.05, min(within, self.terms.timeout))
        request = Request(method="GET", url=path, params=params, read_timeout=timeout, safe=True)
        answer = yield from self.send(request)
        return answer.body

    def submit(self, prompt: str, **options: Any) -> Flow[Job]:
        """Ask for a motion."""
        request = wire.motion_request(
            prompt,
            key=uuid4().hex,
            now=self.clock.now(),
            timeout=self.terms.timeout,
            **options,
        )
        answer = yield from self.send(request)
        return owned(read(answer.body, Job))

    def job(self, job_id: str, within: float | None = None) -> Flow[Job]:
        """A job as it stands."""
        body = yield from self.get(f"/v1/jobs/{job_id}", within=within)
        return owned(read(body, Job))

    def jobs(
        self, state: Iterable[str] | str | None, task: str | None, model: str | None,
        search: str | None, limit: int | None,
    ) -> Flow[None]:  # fmt: skip
        """Emit jobs, newest first, over as many pages as it takes."""
        states = [state] if isinstance(state, str) else state or []
        chosen = [("state", each) for each in states]
        given = (("task", task), ("model", model), ("q", search))
        chosen += [(name, value) for name, value in given if value is not None]
        left, cursor = limit, None
        while left is None or left > 0:
            size = 200 if left is None else min(200, left)
            here = [("limit", str(size))] + ([("cursor", cursor)] if cursor else [])
            body = yield from self.get("/v1/jobs", *chosen, *here)
            page = read(body, Page)
            for job in page.items:
                yield Emit(owned(job))
            left = None if left is None else left - len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def cancel(self, job_id: str) -> Flow[Job]:
        """End a job. Twice is once: a try whose answer was cut may have ended it already."""
        request = Request(method="DELETE", url=f"/v1/jobs/{job_id}", safe=True)
        try:
            answer = yield from self.send(request)
        except Rejected as error:
            if error.error_code != "JOB_FINISHED":
                raise
            job = yield from self.job(job_id)
            if job.state != "cancelled":
                raise
            return job
        return owned(read(answer.body, Job))

    def revive(self, job_id: str) -> Flow[Job]:
        """Give a job that failed or expired another set of attempts."""
        answer = yield from self.send(Request(method="POST", url=f"/v1/jobs/{job_id}/revive"))
        return owned(read(answer.body, Job))

    def forget(self, job_id: str) -> Flow[None]:
        """Delete a job that has ended. Twice is once."""
        yield from self.send(Request(method="POST", url=f"/v1/jobs/{job_id}/forget", safe=True))

    # --------------------------------------------------------------------------- following

    def events(self, job_id: str, after: str | int | None) -> Flow[None]:
        """Emit what happens to a job until it has ended."""
        following = Following(self, job_id, after)
        while (event := (yield from following.next())) is not None:
            yield Emit(event)

    def wait(self, job: Job | str, timeout: float, on_progress: OnProgress | None) -> Flow[Job]:
        """The job when it has succeeded."""
        deadline = self.clock.monotonic() + timeout
        job_id = job if isinstance(job, str) else job.id
        seen: Job | None = None if isinstance(job, str) else job
        try:
            while seen is None or not seen.ended:
                try:
                    yield from self._follow(job_id, deadline, on_progress)
                except NoStream:
                    yield from self._poll(job_id, deadline, on_progress)
                seen = yield from self.job(job_id, within=deadline - self.clock.monotonic())
        except (TimedOut, ConnectionFailed):
            if self.clock.monotonic() < deadline:
                raise
            raise TimedOut(f"the job {job_id} has not ended within {timeout:g} s") from None
        if seen.state != "succeeded":
            raise JobFailed(seen)
        return seen

    def _follow(self, job_id: str, deadline: float, tell: OnProgress | None) -> Flow[None]:
        following = Following(self, job_id, None, deadline)
        progress = Progress(state="queued")
        while (event := (yield from following.next())) is not None:
            if event.name == "progress":
                done = float(event.data.get("progress", 0.0))
                progress = Progress(
                    state="running", fraction=done, phase=str(event.data.get("phase", ""))
                )
            else:
                state = _STATE.get(event.name, progress.state)
                whole = 1.0 if state == "succeeded" else progress.fraction
                progress = Progress(state=state, fraction=whole)
            if tell is not None:
                tell(progress)

    def _poll(self, job_id: str, deadline: float, tell: OnProgress | None) -> Flow[None]:
        pause = 0.1
        while True:
            job = yield from self.job(job_id, within=deadline - self.clock.monotonic())
            if tell is not None:
                tell(Progress(state=job.state, fraction=job.progress, phase=job.phase))
            if job.ended:
                return
            left = deadline - self.clock.monotonic()
            if left <= 0:
                raise TimedOut
            yield Sleep(min(pause, left))
            pause = min(2.0, pause * 1.5)

    # -------------------------------------------------------------------------- operations

    def models(self) -> Flow[tuple[Model, ...]]:
        """The models that the server serves."""
        body = yield from self.get("/v1/models")
        return read_items(body, Model)

    def pools(self) -> Flow[tuple[Pool, ...]]:
        """Its pools."""
        body = yield from self.get("/v1/pools")
        return read_items(body, Pool)

    def ready(self) -> Flow[Readiness]:
        """Whether it can take work."""
        answer = yield from self.send(Request(method="GET", url="/ready", safe=True), also=(503,))
        return read(answer.body, Readiness)

    def warm_up(self, timeout: float) -> Flow[Readiness]:
        """Wait until it can, or for so long."""
        request = Request(
            method="POST",
            url="/warmup",
            params=(("wait", f"{min(timeout, 600.0):g}"),),
            read_timeout=self.terms.timeout + timeout,
            safe=True,
        )
        answer = yield from self.send(request, also=(503,))
        return read(answer.body, Readiness)


_STATE: Final = {
    "submitted": "queued",
    "claimed": "running",
    "stage_finished": "queued",
    "requeued": "queued",
    "revived": "queued",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "expired": "expired",
}
"""State of a job after an event."""
