"""Hints over Celery, by any broker that it speaks: a task that carries only the id of a job.

Celery rings the bell and no more. A hint is acknowledged before anything is done about it, and is
not kept by the broker on disk: the ledger is asked now and then anyway. So none of what Celery may
do to a message (lose it, repeat it, deliver it an hour later) can harm a job.

One hint that nobody has taken is as good as many: whoever takes it asks the ledger, and rings again
if that gave a whole batch. So a pool's queue holds one, or a few that were sent at the same moment.
"""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from celery import Celery
from celery.worker import WorkController, state
from kombu import Exchange, Queue

from kinesphere.ports import Clock

if TYPE_CHECKING:
    from redis import Redis

HINT: Final = "kinesphere.hint"
PAUSE: Final = 1.0
"""Seconds before a broker that could not be reached is tried again."""

SILENCE: Final = 4.0
"""Seconds without any hint after which a waiting consumer sends one to itself."""

ANSWER: Final = 2.0
"""Seconds in which such a hint must arrive."""

_TIMES: Final = {"socket_timeout": 5, "socket_connect_timeout": 2, "health_check_interval": 5}

# Celery's own switch, of which there is one in a process: an exit status stops the worker.
_celery: Final[Any] = state

_log = logging.getLogger("kinesphere.hints")


def queue_name(pool: str) -> str:
    """The queue of a pool."""
    return f"kinesphere.{pool}"


def create_celery(url: str, pools: Iterable[str]) -> Celery:
    """The Celery application that both ends use, with one queue a pool."""
    app = Celery("kinesphere", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[
            Queue(name, Exchange(name), name, max_length=1) for name in map(queue_name, pools)
        ],
        task_create_missing_queues=False,
        task_acks_late=False,
        task_default_delivery_mode="transient",
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # We connect again by ourselves, at an even pace: Celery's own pauses grow to half a minute.
        broker_connection_retry=False,
        broker_connection_retry_on_startup=False,
        # A replica that is busy blocks the consumer, and could not send heartbeats.
        broker_heartbeat=0,
        broker_connection_timeout=2,
        broker_transport_options=_TIMES | {"socket_keepalive": True}
        if url.startswith("redis")
        else {},
    )
    return app


class _Untaken:
    """Tells of a pool whether a hint that nobody has taken waits in Redis.

    A tenth of what it costs to send one. Always False of other brokers, which keep one by their own
    account of `max_length`, and when Redis does not answer.
    """

    def __init__(self, url: str) -> None:
        self._client: Redis | None = None
        self._failures: tuple[type[Exception], ...] = (OSError,)
        if url.startswith("redis"):
            # Other brokers do without.
            import redis  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415

            self._client = redis.Redis.from_url(url, **_TIMES, retry=Retry(NoBackoff(), 0))
            self._failures = (OSError, redis.RedisError)

    def __call__(self, pool: str) -> bool:
        if self._client is None:
            return False
        try:
            # kombu keeps a queue as a list of its name.
            return bool(self._client.llen(queue_name(pool)))
        except self._failures:
            return False

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


class CeleryBell:
    """Sends hints from a thread of its own, so that whoever rings is never held up.

    A hint has a number: how many rings it stands for, and so how many replicas it may wake.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._untaken = _Untaken(str(app.conf.broker_url))
        self._rung: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._closing = threading.Event()
        self._well = True
        self._thread = threading.Thread(target=self._run, name="hints-bell", daemon=True)
        self._thread.start()

    def ring(self, pool: str, job_id: str = "") -> None:
        """See `kinesphere.ports.Hints.ring`."""
        self._rung.put((pool, job_id))

    def close(self) -> None:
        """Send nothing more."""
        self._closing.set()
        self._rung.put(None)
        self._thread.join(10.0)
        self._untaken.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            rung = [self._rung.get()]
            with suppress(Empty):
                while True:
                    rung.append(self._rung.get_nowait())
            jobs: dict[str, list[str]] = {}
            for pool, job_id in filter(None, rung):
                jobs.setdefault(pool, []).append(job_id)
            for pool, job_ids in jobs.items():
                if self._untaken(pool):
                    continue
                if not self._send(pool, job_ids[-1], len(job_ids)):
                    # What was rung meanwhile is as lost: replicas will look by themselves.
                    self._closing.wait(PAUSE)
                    break

    def _send(self, pool: str, job_id: str, number: int) -> bool:
        try:
            self._app.send_task(HINT, args=[job_id, number], queue=queue_name(pool), retry=False)
        # Whatever a broker's client raises, a hint is worth no more than a line in the log.
        except Exception as error:
            self._tell(f"hints are not sent: {error}", well=False)
            return False
        self._tell("hints are sent again", well=True)
        return True

    def _tell(self, message: str, *, well: bool) -> None:
        if well is not self._well:
            self._well = well
            level = logging.INFO if well else logging.WARNING
            _log.log(level, "%s", message, extra={"action": "hints.sending"})


class CeleryHints:
    """See `kinesphere.ports.Hints`. For a process that serves the replicas of one pool.

    A Celery worker with a solo pool runs in a thread. Its task hands a hint to waiting replicas and
    returns when a replica waits again: while all are busy, hints stay with the broker, for the
    replicas of other processes.
    """

    def __init__(self, app: Celery, pool: str, clock: Clock) -> None:
        self._app = app
        self._pool = pool
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._bell = CeleryBell(app)
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._hungry = asyncio.Event()
        self._heard = clock.monotonic()
        self._asked: float | None = None
        self._leaving = threading.Event()
        app.task(name=HINT, shared=False, ignore_result=True)(self._hint_taken)
        self._thread = threading.Thread(target=self._consume, name="hints-consumer", daemon=True)
        self._thread.start()

    def ring(self, pool: str, job_id: str = "") -> None:
        """See the port."""
        self._bell.ring(pool, job_id)

    async def wait(self, pool: str, seconds: float) -> bool:
        """See the port. Only for the pool that this process serves."""
        if pool != self._pool:
            raise ValueError(f"this process serves {self._pool}, not {pool}")
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters.append(waiter)
        self._hungry.set()
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        timer.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(False))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.ring(pool)
            raise
        finally:
            timer.cancel()
            with suppress(ValueError):
                self._waiters.remove(waiter)
            self._listen_to_silence()

    async def close(self) -> None:
        """Consume and send nothing more."""
        self._leaving.set()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(False)
        _celery.should_stop = 0
        while self._thread.is_alive():
            # A task that holds a hint back ends as soon as somebody seems to wait for it.
            self._hungry.set()
            await asyncio.to_thread(self._thread.join, 0.05)
        self._bell.close()

    # ------------------------------------------------------------------------- on the event loop

    async def _hand_over(self, number: int) -> None:
        """Give a hint to so many waiting replicas, one at least, and return when another waits."""
        self._heard = self._clock.monotonic()
        await self._waited_for()
        while self._waiters and number > 0:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(True)
                number -= 1
        await self._waited_for()
        self._heard = self._clock.monotonic()

    async def _waited_for(self) -> None:
        while not (self._waiters or self._leaving.is_set()):
            self._hungry.clear()
            await self._hungry.wait()

    def _listen_to_silence(self) -> None:
        """Have a consumer that hears nothing prove that it could; replace it when it does not."""
        now = self._clock.monotonic()
        if now - self._heard <= SILENCE:
            self._asked = None
        elif self._asked is None:
            # A replica that was busy heard nothing either: only now is there an answer to expect.
            self._asked = now
            self._bell.ring(self._pool)
        elif now - self._asked > ANSWER:
            self._asked, self._heard = None, now
            _log.warning("no hints arrive; connecting anew", extra={"action": "hints.silent"})
            _celery.should_stop = 0

    # ------------------------------------------------------------------------- on Celery's thread

    def _hint_taken(self, job_id: str, number: int) -> None:
        _log.debug("hint", extra={"action": "hints.taken", "job_id": job_id})
        self._on_loop(self._hand_over(number))

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            work.close()

    def _consume(self) -> None:
        # A line for each hint that comes, and one when it is done, which the ledger knows better.
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # Celery runs tasks of the application that is current in the thread.
        self._app.set_default()
        self._app.set_current()
        well = True
        while not self._leaving.is_set():
            _celery.should_stop = None
            try:
                self._worker().start()
            # A fresh worker is the cure for whatever ended the one before.
            except Exception as error:
                if well:
                    facts = {"action": "hints.consuming"}
                    _log.warning("hints are not received: %s", error, extra=facts)
                well = False
            self._leaving.wait(PAUSE)

    def _worker(self) -> WorkController:
        return WorkController(
            app=self._app,
            pool_cls="solo",
            concurrency=1,
            hostname=f"{self._pool}@{os.getpid()}",
            queues=[queue_name(self._pool)],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
