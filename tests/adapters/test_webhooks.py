"""Delivering webhooks: what is posted, what is never posted, and when it is tried again."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from io import BufferedIOBase
from typing import Any
from urllib.parse import urlsplit

import pytest

from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.public_network import Resolve, resolved
from kinesphere.adapters.webhooks import (
    ANSWER_LIMIT,
    Deliverer,
    Poster,
    WebhookGate,
    WebhookTerms,
)
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Cancel, EventKind, Job
from kinesphere.core.webhooks import Answer, Delivery, DeliveryState, Schedule
from kinesphere.ports import Record
from tests.client.faults import (
    FaultyServer,
    Heard,
    Step,
    answer,
    faulty_server,
    head,
    silence,
    stall,
)
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs, RecordingFeed
from tests.waiting import wait_until

METADATA = "169.254.169.254"


@pytest.fixture
def receiver() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        running.on("POST /hook", answer(b"thanks"))
        yield running


def at(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def raw(data: bytes) -> Step:
    def step(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
        out.write(data)

    return step


async def nowhere(host: str, port: int) -> Sequence[str]:
    """What a resolver says of a name that does not exist."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def poster(receiver: FaultyServer, seconds: float = 20.0, resolve: Resolve = resolved) -> Poster:
    allowed = frozenset({urlsplit(receiver.url).netloc})
    return Poster(WebhookTerms(seconds, allowed=allowed), resolve)


# -------------------------------------------------------------------------------------- the gate


async def refused(url: str, resolve: Resolve = resolved) -> Rejected:
    with pytest.raises(Rejected) as caught:
        await WebhookGate(frozenset({"allowed.internal:9000"}), lambda _: [], resolve).check(url)
    assert caught.value.code == "WEBHOOK_FORBIDDEN"
    assert [field.field for field in caught.value.fields] == ["webhook"]
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.0.0.1:9000/", "http://[::1]/", "http://localhost/",
        f"http://{METADATA}/latest/meta-data", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/",
        "http://0x7f.1/", "http://2130706433/", "file:///etc/passwd", "ftp://example.com/",
        "gopher://example.com", "https://user:pass@example.com/", "https://", "nonsense", "",
        "http://example.com:0/", "http://exa mple.com/", "http://example.com:99999/",
    ],
)  # fmt: skip
async def test_addresses_refused_at_the_door(url: str) -> None:
    await refused(url)


async def test_a_name_is_refused_for_any_of_its_addresses() -> None:
    await refused("https://two.example/", at("93.184.216.34", "10.0.0.1"))


async def test_addresses_let_in() -> None:
    gate = WebhookGate(frozenset({"Allowed.internal:9000"}), lambda _: [], at("93.184.216.34"))
    await gate.check("https://example.com/hook?token=1")
    inside = WebhookGate(frozenset({"Allowed.internal:9000"}), lambda _: [], at("10.0.0.1"))
    await inside.check("http://allowed.internal:9000/hook")
    with pytest.raises(Rejected):
        await inside.check("http://allowed.internal:9001/hook")


async def test_a_name_without_an_address_may_have_one_later() -> None:
    await WebhookGate(frozenset(), lambda _: [], nowhere).check("https://soon.example/hook")


# -------------------------------------------------------------------------------------- the post


async def test_what_is_posted(receiver: FaultyServer) -> None:
    url = receiver.url + "/hook?token=a&b=%20"
    assert await poster(receiver).post(url, b'{"a":1}', {"webhook-id": "1"}) == Answer(200)
    (heard,) = receiver.requests("POST /hook")
    assert heard.body == b'{"a":1}'
    assert dict(heard.query) == {"token": ["a"], "b": [" "]}
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["webhook-id"] == "1"
    assert heard.headers["host"] == urlsplit(receiver.url).netloc


async def test_redirects_are_not_followed(receiver: FaultyServer) -> None:
    receiver.on("POST /hook", answer(b"", 307, {"Location": "/elsewhere"}))
    assert await poster(receiver).post(receiver.url + "/hook", b"{}", {}) == Answer(307)
    assert len(receiver.heard) == 1


async def test_an_answer_without_end_is_read_up_to_a_limit(receiver: FaultyServer) -> None:
    receiver.on("POST /hook", answer(b"x" * (40 * ANSWER_LIMIT)))
    assert await poster(receiver).post(receiver.url + "/hook", b"{}", {}) == Answer(200)


async def test_a_pause_that_is_asked_for(receiver: FaultyServer) -> None:
    receiver.on("POST /hook", answer(b"", 503, {"Retry-After": "120"}))
    found = await poster(receiver).post(receiver.url + "/hook", b"{}", {})
    assert found == Answer(503, retry_after=120.0)


async def test_what_goes_wrong_out_there_is_an_answer(receiver: FaultyServer) -> None:
    receiver.on("POST /slow", stall)
    slow = await poster(receiver, seconds=0.1).post(receiver.url + "/slow", b"{}", {})
    assert slow.problem == "did not answer within 0.1 s"
    receiver.on("POST /cut", silence)
    cut = await poster(receiver).post(receiver.url + "/cut", b"{}", {})
    assert cut.problem.startswith("could not be reached")
    receiver.on("POST /odd", raw(b"SMTP 220\r\n\r\n"))
    odd = await poster(receiver).post(receiver.url + "/odd", b"{}", {})
    assert (odd.status, odd.forbidden) == (None, False)
    lost = await poster(receiver, resolve=nowhere).post("http://gone.example/", b"{}", {})
    assert lost.problem.startswith("could not be reached")
    receiver.on("POST /bare", raw(head(204, {})))
    assert await poster(receiver).post(receiver.url + "/bare", b"{}", {}) == Answer(204)


@pytest.mark.parametrize("address", ["127.0.0.1", METADATA, "10.1.2.3", "::1"])
async def test_a_name_that_leads_inside_by_then_is_not_posted_to(
    receiver: FaultyServer, address: str
) -> None:
    port = urlsplit(receiver.url).port
    rebound = Poster(WebhookTerms(5.0), at(address))
    found = await rebound.post(f"http://rebound.example:{port}/hook", b"{}", {})
    assert (found.status, found.forbidden) == (None, True)
    assert receiver.heard == []


# --------------------------------------------------------------------------------- the deliverer


class Posts(Poster):
    """Answers by script, without a network."""

    def __init__(self) -> None:
        super().__init__(WebhookTerms())
        self.made: list[tuple[str, bytes, str]] = []
        self.answers: dict[str, list[Answer]] = {}
        self.held: dict[str, asyncio.Event] = {}

    async def post(self, url: str, body: bytes, signed: object) -> Answer:
        assert isinstance(signed, dict)
        self.made.append((url, body, signed["webhook-id"]))
        if url in self.held:
            await self.held[url].wait()
        answers = self.answers.get(url, [Answer(200)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Bench:
    """A deliverer over the ledger in memory."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.ledger = MemoryLedger(self.clock, RecordingFeed())
        self.posts = Posts()
        self.outcomes: list[str] = []
        self.jobs = Jobs(self.clock)
        self.deliverer = Deliverer(
            ledger=self.ledger,
            clock=self.clock,
            poster=self.posts,
            keys=lambda user: [user.encode()],
            body=self.body,
            outcome=self.outcomes.append,
            terms=WebhookTerms(schedule=Schedule(first=5.0, attempts=3)),
        )

    def body(self, job: Job, delivery: Delivery) -> bytes:
        if job.request.get("unspeakable"):
            raise RuntimeError("no words")
        return json.dumps({"id": delivery.id, "state": job.state.value}).encode()

    async def end(self, url: str, **fields: Any) -> Job:
        job = self.jobs(webhook=url, **fields)
        await self.ledger.submit(job)
        ended = await self.ledger.apply(job.id, Cancel())
        (record,) = [
            r
            for r in await self.ledger.events(job_id=job.id)
            if r.event.kind is EventKind.CANCELLED
        ]
        self.deliverer.tell(Record(record.seq, job.id, record.at, record.event), ended)
        return ended

    async def state(self, job: Job) -> DeliveryState:
        return (await self.ledger.outbox.latest([job.id]))[job.id].state


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.deliverer.run())
    await bench.clock.advance(0.0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


A = "https://a.example/hooks/path-secret?token=query-secret"


async def test_an_end_is_told_at_once() -> None:
    bench = Bench()
    async with running(bench):
        job = await bench.end(A)
        await bench.clock.advance(0.0)
        assert [(url, json.loads(body)["state"]) for url, body, _ in bench.posts.made] == [
            (A, "cancelled")
        ]
        assert await bench.state(job) is DeliveryState.DELIVERED
    assert bench.outcomes == ["delivered"]


async def test_what_was_owed_before_the_start_is_delivered() -> None:
    bench = Bench()
    job = await bench.end(A)
    async with running(bench):
        await bench.clock.advance(0.0)
        assert await bench.state(job) is DeliveryState.DELIVERED


async def test_what_another_process_entered_is_found() -> None:
    bench = Bench()
    async with running(bench):
        job = bench.jobs(webhook=A)
        await bench.ledger.submit(job)
        await bench.ledger.apply(job.id, Cancel())
        await bench.clock.advance(59.0)
        assert bench.posts.made == []
        await bench.clock.advance(2.0)
        assert len(bench.posts.made) == 1


async def test_a_failure_is_tried_again_under_the_same_id_and_then_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kinesphere.webhooks")
    bench = Bench()
    bench.posts.answers[A] = [Answer(500)]
    async with running(bench):
        job = await bench.end(A)
        await bench.clock.advance(4.0)
        assert len(bench.posts.made) == 1
        await bench.clock.advance(3.0)
        assert len(bench.posts.made) == 2
        await bench.clock.advance(40.0)
        assert len(bench.posts.made) == 3
        await bench.clock.advance(1e6)
    assert len({(url, number) for url, _, number in bench.posts.made}) == 1
    assert bench.outcomes == ["retried", "retried", "given_up"]
    assert await bench.state(job) is DeliveryState.GIVEN_UP
    told = [vars(record) for record in caplog.records]
    assert [line["action"] for line in told] == [
        "webhook.retried", "webhook.retried", "webhook.given_up",
    ]  # fmt: skip
    assert {line["to"] for line in told} == {"https://a.example"}
    assert "secret" not in json.dumps(told, default=str)


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else() -> None:
    bench = Bench()
    bench.posts.held[A] = asyncio.Event()
    async with running(bench):
        for _ in range(40):
            await bench.end(A)
        other = await bench.end("https://b.example/")
        await bench.clock.advance(0.0)
        assert await bench.state(other) is DeliveryState.DELIVERED
        assert sum(url == A for url, _, _ in bench.posts.made) == 4
        bench.posts.held.pop(A).set()
        await wait_until(lambda: len(bench.outcomes) == 41, "all are delivered")
    assert bench.outcomes == ["delivered"] * 41


async def test_a_body_that_cannot_be_written_stops_nobody() -> None:
    bench = Bench()
    async with running(bench):
        silent = await bench.end(A, request={"unspeakable": True})
        other = await bench.end(A)
        await bench.clock.advance(0.0)
        assert await bench.state(other) is DeliveryState.DELIVERED
        assert await bench.state(silent) is DeliveryState.PENDING
    assert bench.posts.made[0][1].endswith(b'"cancelled"}')


async def test_an_idle_deliverer_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    looks = 0
    due_in = bench.ledger.outbox.due_in

    async def counted(full: Sequence[str] = ()) -> float | None:
        nonlocal looks
        looks += 1
        return await due_in(full)

    monkeypatch.setattr(bench.ledger.outbox, "due_in", counted)
    async with running(bench):
        await bench.clock.advance(600.0)
    assert looks <= 11
