"""One live stream: a film that grows while it is played, and whoever watches it says how.

One task sends, and does whatever is done in its turn: frames by the beat, answers, news of jobs.
Another reads what the client says, and one more waits for each motion that is yet to be made. They
speak through one short queue, so nothing is kept for a client that does not read: the time goes
on, and the frames that it missed are never made.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final

import msgspec

from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, State
from kinesphere.core.live import Beat, Playhead
from kinesphere.formats import frames
from kinesphere.formats.motion import BadClip
from kinesphere.formats.reel import Reel
from kinesphere.http.errors import problem_document, status
from kinesphere.http.live_items import Failed, Item, Line, Made, News, Over, Wrong
from kinesphere.http.live_messages import (
    Loop,
    Next,
    Pause,
    Play,
    Said,
    Seek,
    Speed,
    described,
    hello,
    mark_of,
    marked,
    read,
    standing,
)
from kinesphere.ports import ArtifactMissing, LedgerUnavailable, StorageFailed
from kinesphere.service import Caller, Service

_log = logging.getLogger("kinesphere.live")

PACE: Final = 0.01
"""Seconds between two messages of a client that are heard; what comes faster waits at its side."""
MOST_ASKED: Final = 16
"""Motions that a stream may wait for at once."""
DISOWNED: Final = 4401
"""How a stream is closed whose credentials are no longer valid: 4000 and the status."""


class Session:
    """Plays one job's motion, and what is asked for after it, until the client leaves."""

    def __init__(self, service: Service, caller: Caller, line: Line) -> None:
        self._service = service
        self._caller = caller
        self._line = line
        self._time = asyncio.get_running_loop().time
        self._items: asyncio.Queue[Item] = asyncio.Queue(8)
        self._reel: Reel | None = None
        self._head = Playhead(end=1)
        self._beat = Beat(1.0, 0.0)
        self._sent = 0
        self._dropped = 0
        self._asked = 0
        self._turn = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, job: Job) -> int:
        """Play until there is a reason to close; tell its code."""
        began = self._time()
        await self._say(hello(job.id, packed=self._line.packed))
        self._turn.set()
        self._expect(Next(job=job.id), job)
        self._start(self._listen())
        if self._line.disowned is not None:
            self._start(self._watch(self._line.disowned))
        code = 1011
        try:
            code = await self._play()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            facts = {"action": "live.ended", "job_id": job.id, "code": code}
            facts |= {"frames": self._sent, "dropped": self._dropped}
            seconds = round(self._time() - began, 3)
            _log.info("live stream ended", extra=facts | {"duration_sec": seconds})
        return code

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---------------------------------------------------------------------------------- playing

    async def _play(self) -> int:
        while True:
            now = self._time()
            if self._head.moving and now >= self._beat.next_at:
                await self._step(now)
                continue
            item = await self._item(self._beat.next_at - now if self._head.moving else None)
            if isinstance(item, Over):
                return item.code
            if item is not None:
                code = await self._handle(item)
                if code is not None:
                    return code

    async def _item(self, seconds: float | None) -> Item | None:
        with suppress(asyncio.QueueEmpty):
            return self._items.get_nowait()
        try:
            async with asyncio.timeout(seconds):
                return await self._items.get()
        except TimeoutError:
            return None

    async def _step(self, now: float) -> None:
        """Show the frame that is due; those before it that were not shown in time are dropped."""
        due, self._beat = self._beat.taken(now)
        self._dropped += due - 1
        self._line.count(0, due - 1)
        before, self._head = self._head.position, self._head.after(due)
        if self._reel is not None and self._head.position < before:
            await asyncio.to_thread(self._reel.repeat)
        await self._show()

    async def _show(self) -> None:
        if self._reel is None:
            return
        pose, time = self._reel.pose(self._head.position), self._head.position / self._reel.fps
        if self._line.packed:
            await self._line.send(frames.packed(self._sent, time, pose.astype("<f4").tobytes()))
        else:
            await self._line.send(frames.text(self._sent, time, pose.tolist()).decode())
        self._sent += 1
        self._line.count(1, 0)
        if self._head.playing and self._head.ended:
            await self._say({"type": "ended", "time": time, "waiting": self._asked})

    def _rest(self) -> None:
        """Count the beat from now: what is shown now was not due before."""
        self._beat = replace(self._beat, next_at=self._time() + self._beat.period)

    async def _say(self, message: dict[str, Any]) -> None:
        await self._line.send(msgspec.json.encode(message).decode())

    # --------------------------------------------------------------------------------- handling

    async def _handle(self, item: Said | Wrong | News | Made | Failed) -> int | None:
        """Do what was said or has come about; tell the code to close with, if it is to close."""
        match item:
            case News():
                await self._say(item.message)
            case Made():
                self._asked -= 1
                await self._join(item)
            case Failed():
                self._asked -= 1
                await self._refuse(item.error, item.mark)
                if item.last:
                    return 4000 + status(item.error.code)
            case Wrong():
                await self._refuse(item.error, item.mark)
            case Next():
                await self._follow(item)
            case _:
                await self._obey(item)
        return None

    async def _obey(self, said: Play | Pause | Seek | Speed | Loop) -> None:
        head, fps = self._head, self._reel.fps if self._reel is not None else 1.0
        match said:
            case Play():
                # Whoever plays what has ended wants to see it again.
                head = replace(head.sought(head.first) if head.ended else head, playing=True)
            case Pause():
                head = replace(head, playing=False)
            case Seek():
                head = head.sought(said.time * fps)
            case Speed():
                head = head.paced(said.value)
            case Loop():
                head = replace(head, loop=said.on)
        begins = head.moving and not self._head.moving
        moved, self._head = head.position != self._head.position, head
        await self._say(standing(head, fps, self._dropped, said.id))
        if moved or isinstance(said, Seek):
            await self._show()
        if begins or moved:
            self._rest()

    async def _refuse(self, error: Rejected, mark: str | None) -> None:
        document = problem_document(
            error.code, error.detail, self._line.path, self._line.request_id, error.fields
        )
        said = document.model_dump(exclude_defaults=True)
        await self._say(marked({"type": "problem", "problem": said}, mark))

    # ----------------------------------------------------------------------------- what follows

    async def _follow(self, ask: Next) -> None:
        """Take a motion that is to follow: a job is made of a prompt at once."""
        try:
            if self._asked >= MOST_ASKED:
                detail = f"{MOST_ASKED} motions are waited for already."
                raise Rejected("QUOTA_EXCEEDED", detail, retry_after=1.0)
            await self._line.admit()
            if ask.prompt is not None:
                job = (await self._service.intake.motion(ask.ask(), self._caller)).job
            else:
                job = await self._service.jobs.get((ask.job or "").upper(), self._caller)
        except Rejected as error:
            await self._refuse(error, ask.id)
        except LedgerUnavailable:
            await self._refuse(_unavailable(), ask.id)
        else:
            await self._say(marked({"type": "accepted", "job": job.id}, ask.id))
            self._expect(ask, job)

    def _expect(self, ask: Next, job: Job) -> None:
        """Wait for a job, and let its motion follow those that were asked for before."""
        self._asked += 1
        before, self._turn = self._turn, asyncio.Event()
        self._start(self._await(ask, job, before, self._turn))

    async def _await(self, ask: Next, job: Job, before: asyncio.Event, mine: asyncio.Event) -> None:
        first = self._reel is None and before.is_set()
        made: Made | Failed
        try:
            job = await self._ended(ask, job)
            made = Made(job, await self._service.results.clip(job), ask)
        except Rejected as error:
            made = Failed(error, ask.id, first)
        except ArtifactMissing:
            gone = Rejected("ARTIFACT_NOT_FOUND", "The motion was removed by retention.")
            made = Failed(gone, ask.id, first)
        except (LedgerUnavailable, StorageFailed):
            made = Failed(_unavailable(), ask.id, first)
        await before.wait()
        await self._items.put(made)
        mine.set()

    async def _ended(self, ask: Next, job: Job) -> Job:
        """The job when it has made its motion. Raises Rejected with why it did not."""
        if not job.ended:
            last: dict[str, Any] = {}
            async with aclosing(self._service.jobs.follow(job.id, self._caller)) as news:
                async for _ in news:
                    job = await self._service.jobs.get(job.id, self._caller)
                    told = marked(self._waiting(job), ask.id)
                    if not job.ended and told != last:
                        await self._items.put(News(told))
                        last = told
            job = await self._service.jobs.get(job.id, self._caller)
        if job.state is State.SUCCEEDED:
            return job
        if not job.ended:
            raise Rejected("SHUTTING_DOWN", f"The server is stopping; {job.id} goes on.")
        if job.failure is not None:
            raise Rejected(job.failure.code, f"{job.failure.detail} (job {job.id})")
        raise Rejected("FORMAT_UNAVAILABLE", f"The job {job.id} is {job.state.value}.")

    def _waiting(self, job: Job) -> dict[str, Any]:
        fraction, phase = self._service.jobs.progress(job)
        said = {"type": "waiting", "job": job.id, "state": job.state.value}
        return said | {"progress": round(fraction, 4), "phase": phase}

    async def _join(self, made: Made) -> None:
        clip, reel = made.clip, self._reel
        if reel is None:
            reel = self._reel = Reel(clip)
            self._head = replace(self._head, end=reel.end).sought(0.0)
            self._beat = Beat(1.0 / reel.fps, 0.0)
            await self._say(described(reel.skeleton, reel.fps))
            first, begins = 0, True
        else:
            held = self._head.ended
            if made.ask.now:
                reel.cut(round(self._head.position))
                self._head = self._head.grown(reel.end, reel.first)
            begins = self._head.playing and held
            try:
                first = (await asyncio.to_thread(reel.append, clip, still=held)).first
            except BadClip as bad:
                await self._refuse(Rejected("FORMAT_UNAVAILABLE", str(bad)), made.ask.id)
                return
            self._head = self._head.grown(reel.end, reel.first)
        part = {"type": "motion", "job": made.job.id, "prompt": made.job.request.get("prompt", "")}
        times = {"from": first / reel.fps, "to": (reel.end - 1) / reel.fps, "frames": clip.frames}
        await self._say(marked(part | times, made.ask.id))
        if first == 0:
            await self._show()
        if begins:
            self._rest()

    # -------------------------------------------------------------------------------- listening

    async def _listen(self) -> None:
        try:
            while True:
                text = await self._line.hear()
                item: Item
                try:
                    if text is None:
                        raise Rejected("INVALID_REQUEST", "Messages are texts with JSON.")
                    item = read(text)
                except Rejected as error:
                    item = Wrong(error, mark_of(text or ""))
                await self._items.put(item)
                await asyncio.sleep(PACE)
        except EOFError:
            await self._items.put(Over(1000))

    async def _watch(self, disowned: Callable[[], Awaitable[None]]) -> None:
        await disowned()
        await self._items.put(Over(DISOWNED))


def _unavailable() -> Rejected:
    detail = "The store of jobs or of artifacts does not answer."
    return Rejected("LEDGER_UNAVAILABLE", detail, retry_after=5.0)
