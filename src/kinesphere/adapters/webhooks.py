"""Delivering webhooks: what the outbox owes is posted, and tried again until it is taken.

A delivery is made at least once: a server that dies between the answer and its record posts again,
with the same id.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final

import httpcore

from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.public_network import (
    PORTS,
    Forbidden,
    Guard,
    NotAnAddress,
    Resolve,
    checked,
    header,
    judge,
    resolved,
    trusted,
    wired,
)
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import TERMINAL, Job
from kinesphere.core.webhooks import Answer, Delivery, DeliveryState, Schedule, headers, shown
from kinesphere.ports import Clock, Ledger, LedgerUnavailable, Record
from kinesphere.version import __version__

AT_ONCE: Final = 32
PER_HOST: Final = 4
"""Posts under way to one host: one that does not answer leaves the others room."""

ANSWER_LIMIT: Final = 65_536
"""Bytes of an answer that are read; only its status matters."""

LOOK_UP_SECONDS: Final = 2.0
LOOK_EVERY: Final = 60.0
"""Seconds after which the outbox is looked at by itself, for what another process entered."""

_BELL: Final = "webhooks"
_ENDS: Final = frozenset(state.value for state in TERMINAL)

_log = logging.getLogger("kinesphere.webhooks")


@dataclass(frozen=True, slots=True)
class WebhookTerms:
    """How webhooks are delivered.

    Attributes:
        seconds: Longest time for one attempt, all of it.
        schedule: When to try again.
        allowed: "host:port" pairs that are posted to whatever their address. Empty by default.
    """

    seconds: float = 15.0
    schedule: Schedule = field(default_factory=Schedule)
    allowed: frozenset[str] = frozenset()


class WebhookGate:
    """Says at the door which addresses nothing will ever be delivered to.

    Args:
        allowed: As in `WebhookTerms`.
        keys: The keys that sign what a user is told, the present one first.
        resolve: Gives a host's addresses.
    """

    def __init__(
        self,
        allowed: frozenset[str],
        keys: Callable[[str], Sequence[bytes]],
        resolve: Resolve = resolved,
    ) -> None:
        self._allowed = allowed
        self._keys = keys
        self._resolve = resolve

    def secrets(self, user: str) -> Sequence[str]:
        """What a user's webhooks are signed with: the present secret, then the one before."""
        return tuple(shown(key) for key in self._keys(user))

    async def check(self, url: str) -> None:
        """Raise Rejected with WEBHOOK_FORBIDDEN for a URL that is not posted to.

        A name that has no address now may have one when the job has ended, and is judged then.
        """
        try:
            parts = checked(url)
        except NotAnAddress as problem:
            raise _forbidden(str(problem)) from None
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                addresses = await self._resolve(host, port)
        except (OSError, UnicodeError, TimeoutError):
            return
        try:
            judge(host, port, addresses, self._allowed)
        except Forbidden:
            raise _forbidden("leads to an address that is not public") from None


def _forbidden(problem: str) -> Rejected:
    allowed = "an http:// or https:// address on the public internet"
    fields = (FieldError("webhook", problem, allowed),)
    return Rejected("WEBHOOK_FORBIDDEN", f"The webhook {problem}.", fields)


class Poster:
    """Posts to the public internet. Redirects are not followed."""

    def __init__(self, terms: WebhookTerms, resolve: Resolve = resolved) -> None:
        self._terms = terms
        self._resolve = resolve

    async def post(self, url: str, body: bytes, signed: Mapping[str, str]) -> Answer:
        """What came of it; whatever goes wrong out there is an answer, not an error."""
        try:
            parts = checked(url)
            fields = [
                ("Host", parts.netloc),
                ("User-Agent", f"kinesphere/{__version__}"),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Accept-Encoding", "identity"),
                *signed.items(),
            ]
            async with asyncio.timeout(self._terms.seconds):
                guard = Guard(self._terms.allowed, self._resolve)
                async with (
                    httpcore.AsyncConnectionPool(
                        network_backend=guard, ssl_context=trusted()
                    ) as pool,
                    pool.stream("POST", wired(parts), headers=fields, content=body) as response,
                ):
                    await _drained(response)
                    return Answer(response.status, retry_after=_retry_after(response))
        except TimeoutError:
            return Answer(problem=f"did not answer within {self._terms.seconds:g} s")
        except Forbidden:
            return Answer(problem="leads to an address that is not public", forbidden=True)
        except NotAnAddress as problem:
            return Answer(problem=str(problem), forbidden=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return Answer(problem=f"could not be reached: {type(error).__name__}")


async def _drained(response: httpcore.Response) -> None:
    """Read the answer, so that the receiver sees it taken, but not for ever."""
    read = 0
    async for piece in response.aiter_stream():
        read += len(piece)
        if read > ANSWER_LIMIT:
            return


def _retry_after(response: httpcore.Response) -> float:
    value = header(response, b"retry-after")
    return float(value[:6]) if value.isascii() and value.isdigit() else 0.0


class Deliverer:
    """Delivers what is due, and sleeps until more is. Any number of processes may have one.

    Args:
        ledger: Has the jobs and the outbox.
        clock: For sleeping, and for the times that are signed.
        post: See `Poster.post`.
        keys: The keys that sign what a user is told, the present one first.
        body: The body that tells of a job.
        outcome: Is told what came of each attempt.
        terms: How webhooks are delivered.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        poster: Poster,
        keys: Callable[[str], Sequence[bytes]],
        body: Callable[[Job, Delivery], bytes],
        outcome: Callable[[str], None],
        terms: WebhookTerms,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._poster = poster
        self._keys = keys
        self._body = body
        self._outcome = outcome
        self._terms = terms
        self._bell = EmbeddedHints(clock)
        self._busy: Counter[str] = Counter()

    def tell(self, record: Record, job: Job | None) -> None:
        """Wake up for a job that has ended. A `Teller` of `kinesphere.adapters.job_news`."""
        if job is not None and job.webhook is not None and record.event.kind.value in _ENDS:
            self._bell.ring(_BELL)

    async def run(self) -> None:
        """Deliver until cancelled. What is under way then is tried again by whoever comes next."""
        self._busy.clear()
        async with asyncio.TaskGroup() as posts:
            while True:
                try:
                    pause = await self._round(posts)
                except LedgerUnavailable as error:
                    _log.warning("%s", error, extra={"action": "webhook.waiting"})
                    pause = 5.0
                if pause > 0:
                    await self._bell.wait(_BELL, min(pause, LOOK_EVERY))

    async def _round(self, posts: asyncio.TaskGroup) -> float:
        """Start what is due and there is room for. Seconds until more may be."""
        room = AT_ONCE - self._busy.total()
        if room <= 0:
            return LOOK_EVERY
        full = [host for host, number in self._busy.items() if number >= PER_HOST]
        due = await self._ledger.outbox.due_in(full)
        if due is None or due > 0:
            return LOOK_EVERY if due is None else due
        lease = 2.0 * self._terms.seconds + 5.0
        claimed = await self._ledger.outbox.claim(room, lease, self._busy, PER_HOST)
        for delivery in claimed:
            self._busy[delivery.host] += 1
            posts.create_task(self._deliver(delivery))
        return 0.0

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            answer = await self._attempt(delivery)
            after = await self._ledger.outbox.settle(
                delivery, answer, self._terms.schedule, SystemRandom().random()
            )
            if after is not None:
                self._told(after)
        except LedgerUnavailable as error:
            # Its lease lapses, and it is tried again.
            _log.warning("%s", error, extra={"action": "webhook.waiting"})
        finally:
            self._busy[delivery.host] -= 1
            if not self._busy[delivery.host]:
                del self._busy[delivery.host]
            self._bell.ring(_BELL)

    async def _attempt(self, delivery: Delivery) -> Answer:
        job = await self._ledger.get(delivery.job_id)
        if job is None:
            return Answer(problem="its job is forgotten")
        try:
            body = self._body(job, delivery)
        except Exception:
            _log.exception("no body for a webhook", extra=_facts(delivery, "webhook.failed"))
            return Answer(problem="could not be written")
        second = int(self._clock.now())
        signed = headers(self._keys(job.user), delivery.id, second, body)
        return await self._poster.post(delivery.url, body, signed)

    def _told(self, after: Delivery) -> None:
        retried = after.state is DeliveryState.PENDING
        outcome = "retried" if retried else after.state.value
        self._outcome(outcome)
        facts = _facts(after, f"webhook.{outcome}") | {"attempts": after.attempts}
        if after.last_status is not None:
            facts["status"] = after.last_status
        if after.state is DeliveryState.DELIVERED:
            _log.info("webhook delivered", extra=facts)
        else:
            _log.warning("webhook not delivered: %s", after.last_error, extra=facts)


def _facts(delivery: Delivery, action: str) -> dict[str, object]:
    return {
        "action": action,
        "job_id": delivery.job_id,
        "webhook_id": delivery.id,
        "event": delivery.event,
        "to": delivery.host,
    }
