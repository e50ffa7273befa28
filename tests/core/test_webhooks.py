"""What is owed, when it is tried again, and signatures that others can verify."""

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.jobs import TERMINAL, EventKind
from kinesphere.core.webhooks import (
    JITTER,
    LONGEST_WAIT,
    Answer,
    Delivery,
    DeliveryState,
    Schedule,
    begun,
    headers,
    key_of,
    owed,
    read_key,
    settled,
    shown,
)
from tests.core.jobs import NOW, new_job

URL = "https://example.com:8443/hooks/secret?token=1"


def delivery(attempts: int = 1) -> Delivery:
    found = owed(new_job(webhook=URL), "succeeded", 7, NOW)
    assert found is not None
    for _ in range(attempts):
        found = begun(found, NOW, 30.0)
    return found


def test_every_end_of_a_job_with_a_webhook_is_owed_and_nothing_else() -> None:
    job = new_job(webhook=URL)
    kinds = [kind.value for kind in EventKind]
    told = {kind for kind in kinds if owed(job, kind, 1, NOW) is not None}
    assert told == {state.value for state in TERMINAL}
    assert all(owed(new_job(), kind, 1, NOW) is None for kind in kinds)


def test_each_end_has_an_id_of_its_own() -> None:
    job = new_job(webhook=URL)
    found = [owed(job, "failed", seq, NOW) for seq in (3, 9)]
    assert [d.id for d in found if d] == [f"{job.id}-3", f"{job.id}-9"]
    assert [d.event for d in found if d] == ["job.failed"] * 2


def test_what_may_be_told_of_an_address_has_neither_path_nor_query() -> None:
    assert delivery().host == "https://example.com:8443"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(200), DeliveryState.DELIVERED),
        (Answer(204), DeliveryState.DELIVERED),
        (Answer(410), DeliveryState.GONE),
        (Answer(302), DeliveryState.PENDING),
        (Answer(404), DeliveryState.PENDING),
        (Answer(500), DeliveryState.PENDING),
        (Answer(problem="did not answer"), DeliveryState.PENDING),
        (Answer(problem="is inside", forbidden=True), DeliveryState.FORBIDDEN),
    ],
)
def test_what_an_answer_means(answer: Answer, state: DeliveryState) -> None:
    after = settled(delivery(), answer, NOW + 1, Schedule(), 0.5)
    assert (after.state, after.held, after.attempted_at) == (state, False, NOW + 1)
    assert (after.last_status, after.last_error == "") == (
        answer.status,
        state is DeliveryState.DELIVERED,
    )


@given(st.integers(1, 7), st.floats(0, 1))
def test_waits_grow_fivefold_with_jitter(attempts: int, chance: float) -> None:
    after = settled(delivery(attempts), Answer(500), NOW, Schedule(), chance)
    planned = min(5.0 * 5.0 ** (attempts - 1), LONGEST_WAIT)
    assert planned * (1 - JITTER) <= after.due_at - NOW <= planned * (1 + JITTER)


def test_the_schedule_lasts_more_than_a_day_and_then_gives_up() -> None:
    waits = [Schedule().wait(attempts, 0.5) for attempts in range(1, 8)]
    assert 24 < sum(waits) / 3600 < 28
    assert settled(delivery(7), Answer(500), NOW, Schedule(), 0.5).state is DeliveryState.PENDING
    assert settled(delivery(8), Answer(500), NOW, Schedule(), 0.5).state is DeliveryState.GIVEN_UP
    assert settled(delivery(8), Answer(200), NOW, Schedule(), 0.5).state is DeliveryState.DELIVERED


def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_ever() -> None:
    for asked, kept in ((1.0, 5.0), (60.0, 60.0), (1e9, LONGEST_WAIT)):
        after = settled(delivery(), Answer(429, retry_after=asked), NOW, Schedule(), 0.5)
        assert after.due_at - NOW == pytest.approx(kept)


def test_each_user_has_a_secret_that_no_other_can_guess_from_theirs() -> None:
    keys = {key_of(b"root" * 8, user) for user in ("a", "b", "ab")} | {key_of(b"toor" * 8, "a")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert {read_key(shown(key)) for key in keys} == keys


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64", "wh"])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        read_key(secret)


@given(st.binary(min_size=24, max_size=64), st.text(max_size=50))
def test_the_reference_library_signs_alike(key: bytes, text: str) -> None:
    second = 1_614_265_330
    theirs = standardwebhooks.Webhook("whsec_" + base64.b64encode(key).decode())
    signed = theirs.sign("msg-1", datetime.fromtimestamp(second, UTC), text)
    assert headers([key], "msg-1", second, text.encode()) == {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(second),
        "webhook-signature": signed,
    }
