"""Following a job through the loss of its server, with the network played by the test."""

from typing import Any

import pytest

from kinesphere.client import ConnectionFailed, Event, TimedOut
from kinesphere.client.effects import Answer, Course, Next, Open, Send, Sleep
from kinesphere.client.flows import Flows
from kinesphere.client.following import Following
from tests.clock import VirtualClock

STREAM = Answer(200, {"content-type": "text/event-stream; charset=utf-8"})


class Network:
    """Drives a flow; time passes only while it sleeps."""

    def __init__(self, retries: int = 3, deadline: float | None = None) -> None:
        self.clock = VirtualClock()
        flows = Flows("http://127.0.0.1:1", None, 30.0, retries)
        flows.clock = self.clock
        self._following = Following(flows, "J", None, deadline)
        self.opened: list[Open] = []
        self.down = False
        self.back_at: float | None = None
        self.items: list[Any] = []

    def next(self) -> Event | None:
        course = Course(self._following.next())
        while course.effect is not None:
            match course.effect:
                case Sleep(seconds):
                    self._pass(seconds)
                    course.give(None)
                case Open() | Send() if self.down:
                    course.fail(ConnectionFailed("refused", reached=False))
                case Open() as effect:
                    self.opened.append(effect)
                    course.give(STREAM)
                case Next() if self.items:
                    course.give(self.items.pop(0))
                case Next():
                    self.down = True
                    course.fail(ConnectionFailed("cut", reached=True))
                case effect:
                    raise AssertionError(effect)
        return course.result

    def _pass(self, seconds: float) -> None:
        self.clock.tick(seconds)
        if self.back_at is not None and self.clock.monotonic() > self.back_at:
            self.down = False
            self.items = [("succeeded", "8", "{}")]


def test_a_server_that_comes_back_is_found_again() -> None:
    network = Network()
    network.items = [("claimed", "7", "{}")]
    assert network.next() == Event(name="claimed", id="7")

    network.back_at = network.clock.monotonic() + 20
    assert network.next() == Event(name="succeeded", id="8")
    assert network.opened[-1].request.headers["Last-Event-ID"] == "7"
    assert 20 < network.clock.monotonic() < 30


def test_a_server_that_stays_away_is_given_up() -> None:
    network = Network()
    network.items = [("claimed", "7", "{}")]
    network.next()
    with pytest.raises(ConnectionFailed):
        network.next()
    assert 30 <= network.clock.monotonic() < 40


def test_a_server_that_was_never_there_is_given_up_soon() -> None:
    network = Network()
    network.down = True
    with pytest.raises(ConnectionFailed):
        network.next()
    assert network.clock.monotonic() < 3


def test_without_retries_the_first_refusal_counts() -> None:
    network = Network(retries=0)
    network.items = [("claimed", "7", "{}")]
    network.next()
    with pytest.raises(ConnectionFailed):
        network.next()
    assert network.clock.monotonic() < 3


def test_the_deadline_holds_while_the_server_is_away() -> None:
    network = Network(deadline=5.0)
    network.items = [("claimed", "7", "{}")]
    network.next()
    with pytest.raises(TimedOut):
        network.next()
    assert network.clock.monotonic() == pytest.approx(5.0)


def test_a_sign_of_life_is_no_event() -> None:
    network = Network()
    network.items = [("message", "7", ""), ("", "", ""), ("claimed", "7", "{}")]
    assert network.next() == Event(name="claimed", id="7")
