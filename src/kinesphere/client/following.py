"""A job's events, over as many connections as it takes."""

from typing import TYPE_CHECKING, Final

from kinesphere.client import wire
from kinesphere.client.effects import Answer, Flow, Next, Open, Request, Sleep
from kinesphere.client.errors import (
    ApiError,
    ConnectionFailed,
    KinesphereError,
    TimedOut,
    Unavailable,
)
from kinesphere.client.values import Event
from kinesphere.core.jobs import TERMINAL

if TYPE_CHECKING:
    from kinesphere.client.flows import Flows

SILENCE: Final = 45.0
"""Seconds without a byte after which a stream is taken for dead; the server speaks every 15."""
FRUITLESS: Final = 4
"""Streams in a row without one event, after which events are taken not to come through."""


class NoStream(KinesphereError):
    """Events do not come through, as behind a proxy that holds answers back; ask instead."""


class Following:
    """Reads one job's events and goes on after the last one when the connection is cut."""

    def __init__(
        self,
        flows: "Flows",
        job_id: str,
        after: str | int | None,
        deadline: float | None = None,
    ) -> None:
        self._flows = flows
        self._job_id = job_id
        self._last = None if after is None else str(after)
        self._deadline = deadline
        self._open = False
        self._ended = False
        self._fruitless = 0
        self._attempt = 0
        self._heard: float | None = None

    def next(self) -> Flow[Event | None]:
        """The next event, or None when the job has ended and all were told.

        Raises:
            NoStream: Events do not come through.
            TimedOut: The deadline has passed.
            ConnectionFailed: Nobody has answered for as long as one request may take.
        """
        while True:
            self._left()
            try:
                if not self._open:
                    yield from self._connect()
                    if not self._open:
                        return None
                item: tuple[str, str, str] | None = yield Next()
            except (ConnectionFailed, TimedOut, Unavailable) as error:
                yield from self._cut(error)
                if self._ended:
                    return None
                continue
            if item is None:
                self._open = False
                # A revived job has had a terminal event without having ended, so the server's
                # own end of the stream is what counts.
                job = yield from self._flows.job(self._job_id, within=self._left())
                if job.ended:
                    return None
                yield from self._fruitless_pause()
                continue
            self._heard = self._flows.clock.monotonic()
            event = wire.event_of(*item)
            if event is not None:
                self._last = event.id or self._last
                self._ended = event.name in TERMINAL
                self._attempt = self._fruitless = 0
                return event

    def _connect(self) -> Flow[None]:
        """Open the stream, unless nothing more is to come."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last is not None:
            headers["Last-Event-ID"] = self._last
        left = self._left()
        request = Request(
            method="GET",
            url=f"/v1/jobs/{self._job_id}/events",
            headers=headers,
            read_timeout=SILENCE if left is None else min(SILENCE, left),
            safe=True,
        )
        answer: Answer = yield Open(request, events=True, lifetime=left)
        if answer.status == 204:
            # The job has ended and everything was told.
            return
        if answer.status in (405, 406, 501):
            raise NoStream
        if answer.status >= 300:
            error = wire.error_of(answer, self._flows.clock.now())
            if error.error_code == "ROUTE_NOT_FOUND":
                raise NoStream
            raise error
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise NoStream
        self._open = True
        self._heard = self._flows.clock.monotonic()

    def _cut(self, error: KinesphereError) -> Flow[None]:
        """Wait before the next connection, or give up with `error`."""
        streaming, self._open = self._open, False
        self._left()
        if self._ended:
            return
        if streaming:
            yield from self._fruitless_pause()
            return
        self._attempt += 1
        terms = self._flows.terms
        if isinstance(error, ApiError) and error.retry is False:
            raise error
        # Once it has answered, a server that is started anew gets as long as one request may take.
        known = self._heard is not None and terms.retries > 0
        patient = known and self._flows.clock.monotonic() - (self._heard or 0.0) < terms.timeout
        if not patient and self._attempt > terms.retries:
            raise error
        asked = error.retry_after if isinstance(error, ApiError) else None
        yield from self._sleep(max(asked or 0.0, terms.backoff(self._attempt)))

    def _fruitless_pause(self) -> Flow[None]:
        self._fruitless += 1
        if self._fruitless >= FRUITLESS:
            raise NoStream
        if self._fruitless > 1:
            yield from self._sleep(self._flows.terms.backoff(self._fruitless - 1))

    def _sleep(self, seconds: float) -> Flow[None]:
        left = self._left()
        yield Sleep(seconds if left is None else min(seconds, left))

    def _left(self) -> float | None:
        """Seconds until the deadline, None without one."""
        if self._deadline is None:
            return None
        left = self._deadline - self._flows.clock.monotonic()
        if left <= 0:
            raise TimedOut("the deadline has passed")
        return left
