"""The feed between processes, by Redis publish and subscribe.

    publish ─▶ listeners of this process
            └▶ outbox ─▶ Redis ─▶ every other process ─▶ its listeners
    ledger ───────────────────▶ (what did not come by Redis)

Redis is told after the listeners here, and nothing waits for it. It keeps nothing: whatever it
loses is read from the ledger, by `seq`, which also says that something was lost.

Cancellations go by a channel of their own as well. A worker needs no other news of others, and of
workers there are many: all news to all of them would grow with the square of the platform.

What is worth something only at its moment goes aside, on channels of its own by the same
connections: it is sent if Redis is there, and else forgotten.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NoReturn

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kinesphere.adapters.feed_embedded import REMEMBERED, EmbeddedFeed
from kinesphere.adapters.feed_wire import decoded, encoded
from kinesphere.adapters.ledger_tail import Past, Tail
from kinesphere.core.jobs import EventKind
from kinesphere.ports import Clock, LedgerUnavailable, Progress, Record

OUTBOX: Final = 10_000
"""Events that wait for Redis; the oldest are left out first, and found in the ledger."""

PASSING: Final = 16
"""Messages aside that wait for Redis; the oldest are forgotten first."""

AT_A_TIME: Final = 500
"""Events in a message."""

_TROUBLES: Final = (RedisError, OSError)
_log = logging.getLogger("kinesphere.feed")


@dataclass(frozen=True, slots=True)
class Paces:
    """How often things are looked at, in seconds.

    Attributes:
        gap: How long a passed-over event may be on its way before the ledger is asked for it.
        away: Between two looks into the ledger while Redis is away.
        check: Between two looks into the ledger while Redis is there: for a last event whose
            publisher cannot reach Redis.
        silence: Without a word of Redis until it is asked whether it is there; and how long any
            answer of it may take.
        retry: Before the first try to reach Redis again; each next pause is twice as long.
        longest_retry: The longest of them.
    """

    gap: float = 0.1
    away: float = 0.5
    check: float = 5.0
    silence: float = 2.0
    retry: float = 0.1
    longest_retry: float = 2.0


class RedisFeed:
    """See `kinesphere.ports.Feed`. News travel while `run` runs.

    A listener hears an event once, and those of one process in their order. Events of another
    process may come out of order when one was late; per job the ledger's order is `seq`. Progress
    is told as Redis brings it: while that is away, other processes know only what the ledger has.

    Attributes:
        own: A feed of what this process publishes and nothing else, for what must be told once in
            the whole cluster, such as a log line or a counter.
        connected: Whether Redis brings the news of others now.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        past: Past,
        channel: str = "kinesphere",
        paces: Paces = Paces(),
        *,
        cancelled_only: bool = False,
    ) -> None:
        """`channel` is the name that processes of one platform share.

        With `cancelled_only`, of other processes only cancellations are heard; and those not that
        come while Redis is away, of which a worker learns when it renews its leases.
        """
        self.own = EmbeddedFeed()
        self.connected = False
        self._url = url
        self._clock = clock
        self._past = past
        self._prefix = channel
        self._channel = f"{channel}:news"
        self._cancelled = f"{channel}:cancelled"
        self._cancelled_only = cancelled_only
        self._paces = paces
        self._origin = secrets.token_hex(8)
        self._here = EmbeddedFeed()
        self._tail = Tail()
        self._listeners = 0
        self._records: deque[Record] = deque(maxlen=OUTBOX)
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._aside: dict[bytes, Callable[[bytes], None]] = {}
        self._passing: deque[tuple[bytes, bytes]] = deque(maxlen=PASSING)
        self._outgoing = asyncio.Event()
        self._turn = asyncio.Event()
        self._due = asyncio.Event()
        self._due.set()
        self._away = False

    # ------------------------------------------------------------------------------- the port

    def publish(self, records: Sequence[Record]) -> None:
        """See the port."""
        self.own.publish(records)
        self._hear(records)
        self._records.extend(records)
        self._outgoing.set()

    def progress(self, progress: Progress) -> None:
        """See the port."""
        self.own.progress(progress)
        self._here.progress(progress)
        self._progress[progress.job_id] = progress
        if len(self._progress) > REMEMBERED:
            self._progress.popitem(last=False)
        self._outgoing.set()

    def latest(self, job_id: str) -> Progress | None:
        """See the port."""
        return self._here.latest(job_id)

    def end(self, job_id: str) -> Record | None:
        """See the port."""
        return self._here.end(job_id)

    @asynccontextmanager
    async def listen(
        self, job_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Record | Progress]]:
        """See the port."""
        self._listeners += 1
        try:
            async with self._here.listen(job_id) as news:
                yield news
        finally:
            self._listeners -= 1

    # ----------------------------------------------------------------------- between processes

    def aside(self, name: str, heard: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """A channel aside, to be had before `run`.

        `heard` is called with every message on it, our own too. Returned is what sends one: it
        never blocks and never fails, and does nothing while Redis is away.
        """
        channel = f"{self._prefix}:{name}".encode()
        self._aside[channel] = heard

        def send(message: bytes) -> None:
            if self.connected:
                self._passing.append((channel, message))
                self._outgoing.set()

        return send

    async def run(self) -> None:
        """Bring news to and from other processes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._persist(self._send))
            tasks.create_task(self._persist(self._receive))
            if not self._cancelled_only:
                tasks.create_task(self._follow())

    async def _persist(self, converse: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
        """Begin a conversation with Redis again and again, ever less often while it fails."""
        pause = self._paces.retry
        while True:
            began = self._clock.monotonic()
            try:
                await converse()
            except _TROUBLES as error:
                self._tell_trouble(error)
            _obey()
            if self._clock.monotonic() - began > self._paces.longest_retry:
                pause = self._paces.retry
            await self._clock.sleep(pause)
            pause = min(2.0 * pause, self._paces.longest_retry)

    def _client(self) -> "Redis":
        # Trying again is `_persist`'s: a subscription that the client renewed by itself would hide
        # that something may have been missed.
        return Redis.from_url(
            self._url,
            socket_timeout=self._paces.silence,
            socket_connect_timeout=self._paces.silence,
            retry=Retry(NoBackoff(), 0),
        )

    async def _send(self) -> NoReturn:
        async with self._client() as redis:
            while True:
                await self._outgoing.wait()
                while self._passing or self._records or self._progress:
                    while self._passing:
                        await redis.publish(*self._passing.popleft())
                        _obey()
                    records = tuple(islice(self._records, AT_A_TIME))
                    progress = tuple(self._progress.values())
                    self._progress.clear()
                    await self._publish(redis, self._channel, records, progress)
                    cancelled = [r for r in records if r.event.kind is EventKind.CANCELLED]
                    if cancelled:
                        await self._publish(redis, self._cancelled, cancelled)
                    self._sent(records)
                self._outgoing.clear()

    async def _publish(
        self,
        redis: "Redis",
        channel: str,
        records: Sequence[Record],
        progress: Sequence[Progress] = (),
    ) -> None:
        message = self._encoded(records, progress)
        if message is not None:
            await redis.publish(channel, message)
            _obey()

    def _encoded(self, records: Sequence[Record], progress: Sequence[Progress]) -> bytes | None:
        try:
            return encoded(self._origin, records, progress)
        except ValueError as error:
            # Such as half a character: nothing that another try would mend.
            extra = {"action": "feed.not_told"}
            _log.warning("%d events cannot be told: %s", len(records), error, extra=extra)
            return None

    def _sent(self, records: Sequence[Record]) -> None:
        for record in records:
            # The oldest may have been pushed out while they were sent.
            if self._records and self._records[0] is record:
                self._records.popleft()

    async def _receive(self) -> NoReturn:
        async with self._client() as redis, redis.pubsub() as news:
            own = self._cancelled if self._cancelled_only else self._channel
            await news.subscribe(own, *self._aside)
            asked = False
            try:
                while True:
                    message = await news.get_message(timeout=self._paces.silence)
                    _obey()
                    if message is not None:
                        asked = False
                        self._take(message)
                    elif asked:
                        raise TimeoutError("Redis is silent")
                    else:
                        asked = True
                        await news.ping()
            finally:
                self.connected = False
                self._passing.clear()
                self._turn.set()

    def _take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._away = False
            self.connected = True
            self._due.set()
            self._turn.set()
        elif message["type"] == "message":
            if (heard := self._aside.get(message["channel"])) is not None:
                heard(message["data"])
                return
            try:
                news = decoded(message["data"])
            except ValueError as error:
                # Of another version of us, or nobody of ours: the ledger has what it was about.
                extra = {"action": "feed.not_understood"}
                _log.warning("a message on %s is not ours: %s", self._channel, error, extra=extra)
                return
            if news.origin != self._origin:
                for progress in news.progress:
                    self._here.progress(progress)
                self._hear(news.records(self._here.listened))

    def _tell_trouble(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            kind = type(error).__name__
            extra = {"action": "feed.redis_away"}
            _log.warning("Redis is away, news come from the ledger: %s", kind, extra=extra)

    # ------------------------------------------------------------------------- from the ledger

    def _hear(self, records: Sequence[Record]) -> None:
        if self._cancelled_only:
            self._here.publish(records)
            return
        gaps = self._tail.gaps
        self._here.publish(self._tail.hear(records))
        if self._tail.gaps and not gaps:
            self._turn.set()

    async def _follow(self) -> NoReturn:
        while True:
            if not self._due.is_set():
                gaps = self._tail.gaps
                turned = await self._turned(self._pace())
                # Either the pace is another now, or what was late has come.
                if not self._due.is_set() and (turned or (gaps and not self._tail.gaps)):
                    continue
            self._due.clear()
            await self._catch_up()

    def _pace(self) -> float:
        if self._listeners and self._tail.gaps:
            return self._paces.gap
        return self._paces.check if self.connected else self._paces.away

    async def _turned(self, seconds: float) -> bool:
        """Whether there was a turn of things within `seconds`; returns as soon as there is one."""
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        turn = asyncio.ensure_future(self._turn.wait())
        try:
            await asyncio.wait({timer, turn}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            turn.cancel()
        turned = self._turn.is_set()
        self._turn.clear()
        return turned

    async def _catch_up(self) -> None:
        if not self._listeners and self._tail.started:
            return
        try:
            self._here.publish(await self._tail.missed(self._past))
        except LedgerUnavailable:
            # The ledger tells its own troubles.
            await self._clock.sleep(self._paces.away)
            self._due.set()


def _obey() -> None:
    """Leave, if the task was asked to.

    Before Python 3.12 `asyncio.wait_for`, by which the client writes, loses a cancellation that
    comes at the moment when the writing is done.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
