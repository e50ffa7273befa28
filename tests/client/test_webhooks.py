"""Which webhooks are believed."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.adapters.clock import SystemClock
from kinesphere.client import UnexpectedAnswer, WebhookInvalid, verify_webhook
from kinesphere.core.webhooks import headers, shown

NOW = SystemClock().now
KEY, OTHER = b"k" * 32, b"o" * 32
JOB = {
    "id": "01KAZ6T3V9S2Q4W8E0R5Y7T1S3",
    "task": "motion",
    "state": "succeeded",
    "model": {"name": "choreo"},
    "created_at": "2026-01-01T00:00:00Z",
}
BODY = json.dumps(
    {"id": "M-1", "type": "job.succeeded", "timestamp": "2026-01-01T00:00:01Z", "data": JOB}
).encode()


def signed(
    body: bytes = BODY, age: float = 0.0, keys: tuple[bytes, ...] = (KEY,), number: str = "M-1"
) -> dict[str, str]:
    return headers(keys, number, int(NOW() - age), body)


def test_what_a_right_one_says() -> None:
    told = verify_webhook(signed(), BODY, shown(KEY))
    assert (told.id, told.event, told.job.id) == ("M-1", "job.succeeded", JOB["id"])
    assert told.job.ended
    assert verify_webhook(signed(), BODY.decode(), base64.b64encode(KEY).decode()) == told


def test_header_names_have_no_case() -> None:
    named = {name.title(): value for name, value in signed().items()}
    assert verify_webhook(named, BODY, shown(KEY)).id == "M-1"


def test_secrets_can_change_on_either_side() -> None:
    assert verify_webhook(signed(keys=(OTHER, KEY)), BODY, shown(KEY)).id == "M-1"
    assert verify_webhook(signed(), BODY, [shown(OTHER), shown(KEY)]).id == "M-1"


@pytest.mark.parametrize("age", [-200.0, 0.0, 200.0])
def test_clocks_may_differ_a_little(age: float) -> None:
    assert verify_webhook(signed(age=age), BODY, shown(KEY)).id == "M-1"


@pytest.mark.parametrize("age", [-400.0, 400.0, 1e9])
def test_what_is_old_or_of_the_future_is_refused(age: float) -> None:
    with pytest.raises(WebhookInvalid, match="300 s"):
        verify_webhook(signed(age=age), BODY, shown(KEY))
    assert verify_webhook(signed(age=age), BODY, shown(KEY), tolerance=2e9).id == "M-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "M-2"},
        {"webhook-timestamp": str(int(NOW()) - 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA v2,BBBB"},
        {"webhook-signature": "é"},
    ],
)
def test_any_other_header_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(WebhookInvalid):
        verify_webhook(signed() | changes, BODY, shown(KEY))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_no_header_may_be_missing(name: str) -> None:
    with pytest.raises(WebhookInvalid, match="not all there"):
        verify_webhook({n: v for n, v in signed().items() if n != name}, BODY, shown(KEY))


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_byte_of_the_body_may_differ(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    with pytest.raises(WebhookInvalid):
        verify_webhook(signed(), bytes(body), shown(KEY))


def test_another_key_is_refused() -> None:
    with pytest.raises(WebhookInvalid, match="no signature fits"):
        verify_webhook(signed(), BODY, shown(OTHER))
    with pytest.raises(ValueError, match="whsec_"):
        verify_webhook(signed(), BODY, "")


def test_what_is_signed_but_no_webhook_of_ours() -> None:
    with pytest.raises(UnexpectedAnswer):
        verify_webhook(signed(b"[]"), b"[]", shown(KEY))
    with pytest.raises(WebhookInvalid, match="another id"):
        verify_webhook(signed(number="M-2"), BODY, shown(KEY))
