"""When a request is sent again, and after how long."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.client import ApiError, Client, ConnectionFailed, Rejected, TimedOut, Unavailable
from kinesphere.client.effects import Request
from kinesphere.client.flows import LONGEST_PATIENCE, LONGEST_PAUSE, Terms
from kinesphere.client.wire import motion_request, retry_after

SAFE = Request(method="GET", url="/", safe=True)
UNSAFE = Request(method="POST", url="/")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@given(st.integers(1, 60))
def test_pauses_double_up_to_a_limit_and_are_never_nothing(attempt: int) -> None:
    pause = Terms().backoff(attempt)
    longest = min(LONGEST_PAUSE, 0.2 * 2 ** (attempt - 1))
    assert longest / 2 <= pause <= longest


@pytest.mark.parametrize(
    ("request_", "error", "again"),
    [
        (SAFE, ConnectionFailed("", reached=True), True),
        (SAFE, ConnectionFailed("", reached=False), True),
        (UNSAFE, ConnectionFailed("", reached=False), True),
        (UNSAFE, ConnectionFailed("", reached=True), False),
        (SAFE, TimedOut(), False),
        (SAFE, Unavailable(503), True),
        (SAFE, Unavailable(429, retry=True), True),
        (SAFE, Unavailable(503, retry=False), False),
        (UNSAFE, Unavailable(503), False),
        (SAFE, ApiError(500, retry=True), False),
        (SAFE, Rejected(422), False),
    ],
)
def test_only_what_is_safe_and_may_help_is_tried_again(
    request_: Request, error: Exception, again: bool
) -> None:
    assert (Terms(retries=1).pause(request_, error, 1) is not None) is again
    assert Terms(retries=1).pause(request_, error, 2) is None


def test_the_server_s_pause_is_kept_unless_it_is_too_long() -> None:
    for seconds, kept in ((7.0, True), (LONGEST_PATIENCE, True), (LONGEST_PATIENCE + 1, False)):
        pause = Terms().pause(SAFE, Unavailable(503, retry_after=seconds), 1)
        assert pause == (seconds if kept else None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("²", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_deadline_is_a_time_or_so_long_from_now() -> None:
    shanghai = datetime(2026, 3, 1, 21, tzinfo=timezone(timedelta(hours=8)))
    for deadline in (timedelta(hours=1), shanghai):
        request = motion_request("wave", key="k", now=NOW, timeout=1, deadline=deadline)
        sent = datetime.fromisoformat(request.json["deadline"])
        assert sent == datetime(2026, 3, 1, 13, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        motion_request("wave", key="k", now=NOW, timeout=1, deadline=datetime(2026, 3, 1))


def test_waiting_at_the_server_makes_the_read_limit_longer() -> None:
    request = motion_request("wave", key="k", now=NOW, timeout=30, wait=9.5)
    assert request.headers["Prefer"] == "wait=10"
    assert request.read_timeout == 39.5


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8000", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http"):
        Client(url)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINESPHERE_URL", "ftp://elsewhere")
    with pytest.raises(ValueError, match="elsewhere"):
        Client()
