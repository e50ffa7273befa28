"""Whether a webhook comes from the server that it says it comes from, and what it says."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from kinesphere.adapters.clock import SystemClock
from kinesphere.client.effects import Flow
from kinesphere.client.errors import WebhookInvalid
from kinesphere.client.flows import Flows
from kinesphere.client.values import Job, owned, read
from kinesphere.core.webhooks import read_key, signature

TOLERANCE: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a webhook says.

    Attributes:
        id: The same in every attempt to deliver it, so that one that comes twice can be known.
        event: "job.succeeded", "job.failed", "job.cancelled" or "job.expired".
        at: When that happened.
        job: The job as it was when this was sent, with links that were fresh then.
    """

    id: str
    event: str
    at: datetime
    job: Job


class _Body(msgspec.Struct):
    id: str
    type: str
    timestamp: datetime
    data: Job


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    tolerance: float = TOLERANCE,
) -> Webhook:
    """What a webhook says, when its signature is right.

    Args:
        headers: Of the request, their names in any case.
        body: Of the request, as it came: not decoded and written again.
        secret: `whsec_…`, or several of which one must fit.
        tolerance: Seconds by which the time of the sender and of this machine may differ. What
            is older may be a copy that somebody kept.

    Raises:
        WebhookInvalid: It must not be believed.
        ValueError: What is given as secret is none.
    """
    keys = [read_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    named = {name.lower(): value for name, value in headers.items()}
    number, second, given = (
        named.get(f"webhook-{n}", "") for n in ("id", "timestamp", "signature")
    )
    if not (number and second and given):
        raise WebhookInvalid("the headers webhook-id, -timestamp and -signature are not all there")
    if not (second.isascii() and second.isdigit() and len(second) < 16):
        raise WebhookInvalid(f"the webhook-timestamp is {second[:40]!r}, which is no time")
    data = body.encode() if isinstance(body, str) else body
    right = [signature(key, number, int(second), data).encode() for key in keys]
    # Every pair is compared, and each in constant time, so that no time tells how near one came.
    matches = [hmac.compare_digest(r, g.encode()) for r in right for g in given.split(" ")]
    if not any(matches):
        raise WebhookInvalid("no signature fits the body, the time and the secret")
    if abs(SystemClock().now() - int(second)) > tolerance:
        raise WebhookInvalid(f"it is more than {tolerance:g} s old, or of the future")
    told = read(data, _Body)
    if told.id != number:
        raise WebhookInvalid("the body has another id than the header")
    return Webhook(id=told.id, event=told.type, at=told.timestamp, job=owned(told.data))


def webhook_secret(flows: Flows) -> Flow[str]:
    """The secret of one's own webhooks."""
    body = yield from flows.get("/v1/webhooks/secret")
    answer: dict[str, Any] = read(body, dict)
    return str(answer["secret"])
