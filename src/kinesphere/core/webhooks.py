"""Webhooks: what is owed to whom, how it is signed, and when it is tried again.

Signatures follow Standard Webhooks (https://www.standardwebhooks.com), so that the libraries for
it verify them: HMAC-SHA256 over id, time and body, joined by full stops.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from kinesphere.core.jobs import TERMINAL, Job

BACKOFF_FACTOR: Final = 5.0
JITTER: Final = 0.2
"""Waits differ from the schedule by at most this part, so that failures together part ways."""

LONGEST_WAIT: Final = 86_400.0
_PREFIX: Final = "whsec_"
_ENDS: Final = frozenset(state.value for state in TERMINAL)


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event that is owed to one address.

    Attributes:
        id: The same in every attempt; unique to the event.
        job_id: The job that ended.
        url: Where to.
        event: Its last event, such as "job.succeeded".
        at: When that happened.
        state: Whether it is still owed.
        due_at: When the next attempt is due; while one is made, when it is taken for dead.
        attempts: Begun so far. It fences: whoever settles shows the number that its claim gave.
        held: Whether an attempt is being made.
        attempted_at: When the last attempt ended.
        last_status: HTTP status of the last answer, if there was one.
        last_error: Why the last attempt failed, "" when it did not.
    """

    id: str
    job_id: str
    url: str
    event: str
    at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    held: bool = False
    attempted_at: float | None = None
    last_status: int | None = None
    last_error: str = ""

    @property
    def host(self) -> str:
        """Scheme, host and port: what may be told of an address, whose path can be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt.

    Attributes:
        status: The HTTP status, or None where none came.
        problem: Why none came.
        forbidden: Whether nothing was sent, because the address is not one that is sent to.
        retry_after: Seconds that the receiver asks to be left alone.
    """

    status: int | None = None
    problem: str = ""
    forbidden: bool = False
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to try again: after `first` seconds, then five times as long each time.

    Attributes:
        first: Seconds between the first failure and the second attempt.
        attempts: After so many a delivery is given up.
    """

    first: float = 5.0
    attempts: int = 8

    def wait(self, attempts: int, chance: float) -> float:
        """Seconds to wait after `attempts` of them; `chance` from 0 to 1 chooses the jitter."""
        planned = self.first * BACKOFF_FACTOR ** min(attempts - 1, 20)
        return min(planned, LONGEST_WAIT) * (1.0 + JITTER * (2.0 * chance - 1.0))


def owed(job: Job, kind: str, seq: int, at: float) -> Delivery | None:
    """What the stored event `seq` of `job` makes us owe, or None. Only ends are told."""
    if job.webhook is None or kind not in _ENDS:
        return None
    number = f"{job.id}-{seq}"
    return Delivery(
        id=number, job_id=job.id, url=job.webhook, event=f"job.{kind}", at=at, due_at=at
    )


def begun(delivery: Delivery, now: float, lease: float) -> Delivery:
    """The delivery as whoever claims it has it, for `lease` seconds."""
    return replace(delivery, attempts=delivery.attempts + 1, held=True, due_at=now + lease)


def settled(
    delivery: Delivery, answer: Answer, now: float, schedule: Schedule, chance: float
) -> Delivery:
    """The delivery after an attempt. 2xx is success, 410 says that nobody will ever listen."""
    status = answer.status
    error = answer.problem or f"answered with the status {status}"
    after = replace(
        delivery, held=False, attempted_at=now, last_status=status, last_error=error, due_at=now
    )
    if status is not None and 200 <= status < 300:
        return replace(after, state=DeliveryState.DELIVERED, last_error="")
    if status == 410:
        return replace(after, state=DeliveryState.GONE)
    if answer.forbidden:
        return replace(after, state=DeliveryState.FORBIDDEN)
    if delivery.attempts >= schedule.attempts:
        return replace(after, state=DeliveryState.GIVEN_UP)
    asked = min(answer.retry_after, LONGEST_WAIT)
    return replace(after, due_at=now + max(schedule.wait(delivery.attempts, chance), asked))


def key_of(root: bytes, user: str) -> bytes:
    """The 32 bytes that sign what `user` is told. From one user's nobody learns another's."""
    return hmac.digest(root, b"kinesphere webhook\0" + user.encode(), hashlib.sha256)


def shown(key: bytes) -> str:
    """A key as its owner gets it: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(key).decode()


def read_key(secret: str) -> bytes:
    """The key that `shown` wrote. Raises ValueError for what is no secret of a webhook."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("a webhook's secret begins with whsec_ and goes on in base64")
    return key


def signature(key: bytes, number: str, second: int, body: bytes) -> str:
    """One signature: `v1,` and base64."""
    signed = f"{number}.{second}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(keys: Sequence[bytes], number: str, second: int, body: bytes) -> dict[str, str]:
    """The headers that prove where a body comes from, with a signature for each key."""
    signatures = (signature(key, number, second, body) for key in keys)
    return {
        "webhook-id": number,
        "webhook-timestamp": str(second),
        "webhook-signature": " ".join(signatures),
    }
