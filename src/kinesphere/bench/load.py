"""Sends a workload to a server and follows each request to its end."""

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx

from kinesphere.bench.outcomes import Busy, Outcome
from kinesphere.bench.workload import Draw, Request, Workload

WAIT: Final = 60
"""Seconds that one request to the server waits for an end."""

LOOK: Final = 1.0
"""Seconds between two looks at the pools."""

BEAT: Final = 0.1
"""Seconds that the load itself pauses, to see how much longer it is made to."""

PATIENCE: Final = 600.0
"""Seconds after which an accepted job that has not ended counts as lost."""

_ENDS: Final = ("succeeded", "failed", "cancelled", "expired")


class Load:
    """One run of a workload.

    Attributes:
        outcomes: Requests that have ended, in the order of their ends.
        samples: What the pools did, second by second.
        under_way: Requests that were sent and have not ended.
        lags: Seconds by which this process was late, again and again, as its machine had no
            processor for it.
    """

    def __init__(self, workload: Workload, http: httpx.AsyncClient) -> None:
        self._workload = workload
        self._http = http
        self._draw = Draw(workload)
        self._picture = b""
        self._start = 0.0
        self.outcomes: list[Outcome] = []
        self.samples: list[Busy] = []
        self.under_way = 0
        self.lags: list[float] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._start if self._start else 0.0

    async def run(self, shown: Callable[["Load"], None] = lambda _: None) -> float:
        """Send everything, wait for every end, and tell how many seconds that took.

        `shown` is called about once a second. Raises httpx.ConnectError when nobody answers.
        """
        (await self._http.get("/health")).raise_for_status()
        if any(kind.task == "mesh" for kind in self._workload.mix):
            self._picture = await asyncio.to_thread(picture)
        self._start = asyncio.get_running_loop().time()
        looking = asyncio.gather(self._look(shown), self._beat())
        try:
            await (self._closed() if self._workload.users else self._open())
            return self.elapsed
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            shown(self)

    async def _closed(self) -> None:
        load = self._workload

        async def user(number: int) -> None:
            await asyncio.sleep(load.ramp * number / load.users)
            while self.elapsed < load.seconds:
                await self._one()
                await asyncio.sleep(self._draw.pause())

        await asyncio.gather(*(user(number) for number in range(load.users)))

    async def _open(self) -> None:
        async with asyncio.TaskGroup() as sent:
            at = 0.0
            while (at := at + self._draw.gap(at)) < self._workload.seconds:
                await asyncio.sleep(max(0.0, at - self.elapsed))
                sent.create_task(self._one())

    async def _one(self) -> None:
        request = self._draw.request()
        at = self.elapsed
        self.under_way += 1
        try:
            ended = await self._asked(request)
        finally:
            self.under_way -= 1
        self.outcomes.append(
            Outcome(request.task, request.clip_seconds, at, self.elapsed - at, **ended)
        )

    async def _asked(self, request: Request) -> dict[str, Any]:
        try:
            answer = await self._sent(request)
        except httpx.HTTPError as error:
            return {"state": "refused", "code": type(error).__name__}
        if answer.status_code not in (200, 202):
            return {"state": "refused", "code": _code(answer)}
        job = await self._ended(answer.json())
        return {
            "state": job["state"] if job["state"] in _ENDS else "lost",
            "code": (job["error"] or {}).get("error_code", ""),
            "attempts": job["attempts"],
            "cached": job["cached"] or job["joined"],
        }

    async def _ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job at its end, whatever happens to the server meanwhile; or as it is at last."""
        path = f"/v1/jobs/{job['id']}"
        stream = httpx.Timeout(10.0, read=PATIENCE)
        give_up = self.elapsed + PATIENCE
        while job["state"] not in _ENDS and self.elapsed < give_up:
            try:
                # The stream ends with the job, or with the server.
                await self._http.get(f"{path}/events", timeout=stream)
                answer = await self._http.get(path)
            except httpx.HTTPError:
                await asyncio.sleep(LOOK)
                continue
            if answer.status_code == 200:
                job = answer.json()
        return job

    async def _sent(self, request: Request) -> httpx.Response:
        headers = {"Prefer": f"wait={WAIT}"}
        timeout = httpx.Timeout(30.0, read=WAIT + 30.0)
        if request.task == "motion":
            return await self._http.post(
                "/v1/motions", json=dict(request.fields), headers=headers, timeout=timeout
            )
        return await self._http.post(
            "/v1/meshes",
            data={name: str(value) for name, value in request.fields.items()},
            files={"image": ("ball.png", self._picture, "image/png")},
            headers=headers,
            timeout=timeout,
        )

    async def _beat(self) -> None:
        while True:
            due = self.elapsed + BEAT
            await asyncio.sleep(BEAT)
            self.lags.append(max(0.0, self.elapsed - due))

    async def _look(self, shown: Callable[["Load"], None]) -> None:
        while True:
            try:
                answer = await self._http.get("/v1/pools")
                pools = answer.json()["items"] if answer.status_code == 200 else []
            except httpx.HTTPError:
                pools = []
            for pool in pools:
                busy = pool["replicas"].get("busy", 0)
                serving = busy + pool["replicas"].get("ready", 0)
                self.samples.append(Busy(self.elapsed, pool["name"], busy, serving))
            shown(self)
            await asyncio.sleep(LOOK)


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error_code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def picture() -> bytes:
    """A shaded ball on white, as a PNG."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only where meshes are asked for

    image = Image.new("RGB", (256, 256), "white")
    draw = ImageDraw.Draw(image)
    for step in range(90):
        shade = 60 + 2 * step
        left, right = 38 + step * 0.7, 218 - step * 1.2
        draw.ellipse((left, left, right, right), fill=(shade, shade // 2, 40))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
