"""The asynchronous client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

import httpx
from httpx_sse import EventSource, ServerSentEvent

from kinesphere.client import wire
from kinesphere.client.conversions import convert
from kinesphere.client.downloads import OnBytes, download, generate
from kinesphere.client.effects import (
    Answer,
    Course,
    Effect,
    Emit,
    Flow,
    Next,
    Open,
    Send,
    Sleep,
    Work,
)
from kinesphere.client.errors import TimedOut
from kinesphere.client.flows import Flows, OnProgress
from kinesphere.client.keys import Key, create_key, keys, revoke_key
from kinesphere.client.lanes import lanes_to
from kinesphere.client.meshes import generate_mesh, submit_mesh
from kinesphere.client.releases import (
    Release,
    order_release,
    release,
    releases,
    start_release,
)
from kinesphere.client.reports import Report, validate
from kinesphere.client.values import (
    Artifact,
    Event,
    Job,
    MeshOptions,
    Model,
    MotionOptions,
    Pool,
    Readiness,
)
from kinesphere.client.webhooks import webhook_secret

T = TypeVar("T")


class AsyncClient:
    """Talks to a Kinesphere server from asyncio; use it with `async with`, or close it.

    Args:
        url: Address of the server; $KINESPHERE_URL, or http://127.0.0.1:8000, when None.
        api_key: A key or a bearer token, sent to this server alone; $KINESPHERE_API_KEY, or what is
            in the file $KINESPHERE_API_KEY_FILE, when None; "" for none.
        timeout: Seconds to connect, and seconds without a byte, after which a request is given up.
        retries: How often a request that is safe to repeat is tried again.
        transport: In place of the network, as for tests.

    Every method raises `ConnectionFailed`, `TimedOut`, `UnexpectedAnswer` or an `ApiError`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._flows = Flows(url, api_key, timeout, retries)
        self._http = httpx.AsyncClient(
            transport=transport or lanes_to(self._flows.base), **self._flows.http_options()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def submit(self, prompt: str, **options: Unpack[MotionOptions]) -> Job:
        """Ask for a motion, and return its job, stored by the server.

        Raises:
            Rejected: The request is not right; `errors` says which fields.
            ValueError: The deadline has no time zone.
        """
        return await self._run(self._flows.submit(prompt, **options))

    def generate(
        self,
        prompt: str,
        *,
        to: Path | str,
        timeout: float = 300.0,
        on_progress: OnProgress | None = None,
        **options: Unpack[MotionOptions],
    ) -> Awaitable[Path]:
        """Ask for a motion, wait for it and download it: `submit`, `wait` and `download`.

        The format is taken from the suffix of `to` when it is left out.
        """
        flow = generate(
            self._flows,
            prompt,
            to=Path(to),
            timeout=timeout,
            on_progress=on_progress,
            options=options,
        )
        return self._run(flow)

    async def submit_mesh(
        self,
        picture: bytes | Path | None = None,
        *,
        image_url: str | None = None,
        **options: Unpack[MeshOptions],
    ) -> Job:
        """Ask for a mesh of a picture, given as bytes, a file, or an address that is fetched.

        Raises:
            Rejected: The picture or the request is not right; `errors` says which fields.
            ValueError: Not one picture, a mask or sides without one, a side that is none, or a
                deadline without a time zone.
            OSError: A file cannot be read.
        """
        return await self._run(submit_mesh(self._flows, picture, image_url, options))

    def generate_mesh(
        self,
        picture: bytes | Path | None = None,
        *,
        to: Path | str,
        image_url: str | None = None,
        timeout: float = 600.0,
        on_progress: OnProgress | None = None,
        **options: Unpack[MeshOptions],
    ) -> Awaitable[Path]:
        """Ask for a mesh, wait for it and download it: `submit_mesh`, `wait` and `download`.

        The format is taken from the suffix of `to` when it is left out; OBJ is `.obj.zip`.
        """
        flow = generate_mesh(
            self._flows,
            picture,
            image_url,
            to=Path(to),
            timeout=timeout,
            on_progress=on_progress,
            options=options,
        )
        return self._run(flow)

    async def job(self, job_id: str) -> Job:
        """A job as it stands. Raises NotFound."""
        return await self._run(self._flows.job(job_id))

    def jobs(
        self,
        *,
        state: Iterable[str] | str | None = None,
        task: str | None = None,
        model: str | None = None,
        search: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Your jobs, newest first; pages are fetched as they are needed.

        `search` are words, each of which is in the prompt, the picture's name or the id.
        """
        return self._drive(Course(self._flows.jobs(state, task, model, search, limit)))

    async def cancel(self, job: Job | str) -> Job:
        """End a job. Raises Rejected with JOB_FINISHED when it ended otherwise before."""
        return await self._run(self._flows.cancel(job if isinstance(job, str) else job.id))

    async def revive(self, job: Job | str) -> Job:
        """Give a job that failed or expired another set of attempts; for operators.

        Raises Rejected with JOB_NOT_REVIVABLE when it is in another state.
        """
        return await self._run(self._flows.revive(job if isinstance(job, str) else job.id))

    async def forget(self, job: Job | str) -> None:
        """Delete a job that has ended, and its files. Raises Rejected with JOB_NOT_FINISHED."""
        await self._run(self._flows.forget(job if isinstance(job, str) else job.id))

    def wait(
        self, job: Job | str, timeout: float = 300.0, on_progress: OnProgress | None = None
    ) -> Awaitable[Job]:
        """The job when it has succeeded.

        Raises:
            JobFailed: It ended otherwise.
            TimedOut: It has not ended after `timeout` seconds. It goes on.
        """
        return self._run(self._flows.wait(job, timeout, on_progress))

    def events(self, job: Job | str, after: str | int | None = None) -> AsyncIterator[Event]:
        """What happened to a job after the event `after`, then news, until it has ended."""
        job_id = job if isinstance(job, str) else job.id
        return self._drive(Course(self._flows.events(job_id, after)))

    @overload
    async def download(
        self, what: Job | Artifact | str, to: None = None, *, format: str | None = None,
        on_progress: OnBytes | None = None,
    ) -> bytes: ...  # fmt: skip
    @overload
    async def download(
        self, what: Job | Artifact | str, to: Path | str, *, format: str | None = None,
        on_progress: OnBytes | None = None,
    ) -> Path: ...  # fmt: skip
    async def download(
        self,
        what: Job | Artifact | str,
        to: Path | str | None = None,
        *,
        format: str | None = None,
        on_progress: OnBytes | None = None,
    ) -> bytes | Path:
        """A file, checked against its SHA-256.

        Args:
            what: An artifact, or a job or its id for its last file.
            to: Where to put it: a path, whose folders are made and whose file is replaced, or a
                folder that exists. None gives the bytes.
            format: Of a job, the last file of this format.
            on_progress: Told bytes so far, and in all.

        Raises:
            DigestMismatch: It is not the file that was made. Nothing was written.
            JobFailed: The job has no file, because it failed.
            KinesphereError: The job has no such file yet.
        """
        path = None if to is None else Path(to)
        return await self._run(download(self._flows, what, path, format, on_progress))

    @overload
    async def convert(self, job: Job | str, format: str, to: None = None) -> bytes: ...
    @overload
    async def convert(self, job: Job | str, format: str, to: Path | str) -> Path: ...
    async def convert(
        self, job: Job | str, format: str, to: Path | str | None = None
    ) -> bytes | Path:
        """A job's last file in another format, made from it by the server; `to` as in `download`.

        Raises:
            Rejected: The job has no file, or none that can be given so.
        """
        path = None if to is None else Path(to)
        return await self._run(convert(self._flows, job, format, path))

    async def validate(self, what: Job | str | Path) -> Report:
        """The server's judgement of a file of yours, or of what a job (or its id) has made.

        Raises:
            Rejected: The file is not a motion or a mesh that can be checked.
            OSError: The file cannot be read.
        """
        return await self._run(validate(self._flows, what))

    async def models(self) -> tuple[Model, ...]:
        """The models that the server serves."""
        return await self._run(self._flows.models())

    async def pools(self) -> tuple[Pool, ...]:
        """Its pools, with what waits for them."""
        return await self._run(self._flows.pools())

    async def webhook_secret(self) -> str:
        """What the webhooks of one's own jobs are signed with, for `verify_webhook`."""
        return await self._run(webhook_secret(self._flows))

    async def ready(self) -> Readiness:
        """Whether it can take work, and if not, why."""
        return await self._run(self._flows.ready())

    def keys(self, *, user: str | None = None, limit: int | None = None) -> AsyncIterator[Key]:
        """API keys, newest first, the revoked ones too. For operators, as the two below."""
        return self._drive(Course(keys(self._flows, user, limit)))

    async def create_key(
        self,
        user: str,
        scopes: Sequence[str] = ("generate",),
        *,
        label: str = "",
        expires_at: datetime | None = None,
    ) -> Key:
        """Make a key for a user; `key` of what is returned cannot be had again.

        Raises:
            Rejected: The user, a scope or the expiry is not right.
            ValueError: The expiry has no time zone.
        """
        return await self._run(create_key(self._flows, user, scopes, label, expires_at))

    async def revoke_key(self, key: Key | str) -> Key:
        """End a key, by itself or its id. Twice is as once. Raises NotFound."""
        key_id = key if isinstance(key, str) else key.id
        return await self._run(revoke_key(self._flows, key_id))

    async def releases(self) -> tuple[Release, ...]:
        """The last release of each task. For operators, as the six below."""
        return await self._run(releases(self._flows))

    async def release(self, task: str) -> Release:
        """The last release of a task. Raises NotFound."""
        return await self._run(release(self._flows, task))

    async def start_release(
        self,
        task: str,
        canary: str,
        *,
        steps: Sequence[float] | None = None,
        **terms: float,
    ) -> Release:
        """Move a task's traffic to a model, by steps in percent.

        `terms`: `hold_seconds`, `samples`, `alpha`, `slower`, `memory`; the server's own when left
        out.
        """
        return await self._run(start_release(self._flows, task, canary, steps, terms))

    async def pause_release(self, task: str) -> Release:
        """Stay at the present step."""
        return await self._run(order_release(self._flows, task, "pause"))

    async def resume_release(self, task: str) -> Release:
        """Go on after a pause."""
        return await self._run(order_release(self._flows, task, "resume"))

    async def promote_release(self, task: str) -> Release:
        """Give the canary all traffic now."""
        return await self._run(order_release(self._flows, task, "promote"))

    async def abort_release(self, task: str) -> Release:
        """Give the stable model all traffic now."""
        return await self._run(order_release(self._flows, task, "abort"))

    def warm_up(self, timeout: float = 60.0) -> Awaitable[Readiness]:
        """Wait until its models are loaded, for at most so many seconds."""
        return self._run(self._flows.warm_up(timeout))

    async def _run(self, flow: Flow[T]) -> T:
        course = Course(flow)
        async for _ in self._drive(course):
            pass
        return course.result

    async def _drive(self, course: Course[Any]) -> AsyncIterator[Any]:
        """Do what a flow asks for; yields what it emits."""
        doer = _Doer(self._http, self._flows)
        try:
            while course.effect is not None:
                if isinstance(course.effect, Emit):
                    yield course.effect.value
                    course.give(None)
                    continue
                try:
                    result = await doer.do(course.effect)
                except Exception as error:
                    course.fail(error)
                else:
                    course.give(result)
        finally:
            await doer.close()
            course.close()


class _Doer:
    """Does what one flow asks for; holds its open stream."""

    def __init__(self, http: httpx.AsyncClient, flows: Flows) -> None:
        self._http = http
        self._flows = flows
        self._stream = contextlib.AsyncExitStack()
        self._items: AsyncIterator[bytes | ServerSentEvent] | None = None
        self._until: float | None = None

    async def do(self, effect: Effect) -> Any:
        """The effect's result; raises what a flow expects."""
        match effect:
            case Send(request):
                with wire.translated():
                    response = await self._http.send(self._flows.message(self._http, request))
                return Answer(response.status_code, response.headers, response.content)
            case Open():
                with wire.translated():
                    return await self._open(effect)
            case Next():
                with wire.translated():
                    return await self._next()
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Work(function):
                return await _finished(asyncio.to_thread(function))
        return None

    async def _open(self, effect: Open) -> Answer:
        await self.close()
        message = self._flows.message(self._http, effect.request)
        response = await self._http.send(message, stream=True)
        self._stream.push_async_callback(response.aclose)
        if response.status_code >= 300:
            return Answer(response.status_code, response.headers, await response.aread())
        if effect.lifetime is not None:
            self._until = asyncio.get_running_loop().time() + effect.lifetime
        items = EventSource(response).aiter_sse() if effect.events else response.aiter_bytes()
        self._items = items
        return Answer(response.status_code, response.headers)

    async def _next(self) -> bytes | tuple[str, str, str] | None:
        if self._items is None:
            return None
        try:
            async with asyncio.timeout_at(self._until):
                return wire.item_of(await anext(self._items, None))
        except TimeoutError:
            raise TimedOut("the stream's time is over") from None

    async def close(self) -> None:
        """Close the open stream."""
        self._items = self._until = None
        await self._stream.aclose()


async def _finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of work in a thread, which is over even when we are cancelled meanwhile.

    A thread that opens a file after all was put away would leave it behind.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
