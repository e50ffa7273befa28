"""Live streams of a real server, watched by the library's own client."""

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from kinesphere.adapters.clock import SystemClock
from kinesphere.core.requests import MotionAsk
from kinesphere.formats import npz
from kinesphere.formats.clip import Clip, forward
from kinesphere.formats.continuation import REACH
from kinesphere.formats.frames import PACKED, TEXT, unpacked
from kinesphere.http.connections import ConnectionTerms, TermedConfig
from kinesphere.http.live_items import Line
from kinesphere.http.live_session import Session
from kinesphere.http.server import QuietServer, bind
from kinesphere.service import Caller
from kinesphere.settings import Settings
from kinesphere.wiring import api_keys, embedded
from tests.formats.poses import clip_of
from tests.http.test_auth import made_keys
from tests.servers import ServerProcess

FRIEND = "https://studio.example.com"
MOST = 3


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]
) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("live") / "data"
    keys |= asyncio.run(made_keys(data))
    environment = {
        "KINESPHERE_AUTHENTICATION": "keys",
        "KINESPHERE_MODELS": "choreo",
        "KINESPHERE_CORS_ORIGINS": FRIEND,
        "KINESPHERE_LIVE_STREAMS": str(MOST),
        "KINESPHERE_WRITE_SECONDS": "0.5",
    }
    running = ServerProcess(data, environment, key=keys["ada"]).start()
    yield running
    with httpx.Client(base_url=running.url, headers={"X-API-Key": keys["bob"]}) as bob:
        job_id = asked(bob, "wave", 20.0)
    url = f"{running.url.replace('http', 'ws')}/v1/live/{job_id}"
    with connect(url, additional_headers={"X-API-Key": keys["bob"]}) as last:
        heard(last)
        assert running.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            until(last, "never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012, "a server that stops says so"
    faults = [line for line in running.logged() if line["level"] == "error"]
    assert not faults, "neither refusals nor clients that leave are faults"


@pytest.fixture
def http(server: ServerProcess, keys: dict[str, str]) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": keys["ada"]}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30.0) as client:
        yield client


Watch = Callable[..., ClientConnection]


@pytest.fixture
def watch(server: ServerProcess, keys: dict[str, str]) -> Iterator[Watch]:
    """Open streams, by whom and how a test says; they are closed after it."""
    with contextlib.ExitStack() as stack:

        def opened(
            job_id: str,
            who: str | None = "ada",
            protocols: tuple[str, ...] = (TEXT,),
            origin: str | None = None,
        ) -> ClientConnection:
            made = connect(
                f"{server.url.replace('http', 'ws')}/v1/live/{job_id}",
                additional_headers={"X-API-Key": keys[who]} if who else {},
                subprotocols=[Subprotocol(each) for each in protocols],
                origin=None if origin is None else Origin(origin),
            )
            return stack.enter_context(made)

        yield opened


def asked(http: httpx.Client, prompt: str, duration: float = 1.0, **more: Any) -> str:
    body = {"prompt": prompt, "duration": duration, "seed": 1, "format": "npz", **more}
    answer = http.post("/v1/motions", json=body, headers={"Prefer": "wait=20"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def clip(http: httpx.Client, job_id: str) -> Clip:
    return npz.decode(http.get(f"/v1/jobs/{job_id}/artifacts/npz").content)


def say(stream: ClientConnection, kind: str, **more: Any) -> None:
    stream.send(json.dumps({"type": kind, **more}))


def heard(stream: ClientConnection) -> dict[str, Any]:
    message = stream.recv(timeout=20.0)
    assert isinstance(message, str)
    found: dict[str, Any] = json.loads(message)
    return found


def until(stream: ClientConnection, kind: str, **wanted: Any) -> tuple[dict[str, Any], list[Any]]:
    """The next message of a kind, and the frames before it."""
    frames: list[Any] = []
    while True:
        message = heard(stream)
        if message["type"] == kind and wanted.items() <= message.items():
            return message, frames
        if message["type"] == "frame":
            frames.append(message)


def rows(frames: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([f["root"] + f["turns"] for f in frames], dtype=np.float32)


def refusal(opening: Callable[[], object]) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as refused:
        opening()
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    document = json.loads(bytes(response.body or b""))
    assert document["status"] == response.status_code
    return response.status_code, document


def test_a_motion_is_described_and_then_played_frame_by_frame(
    http: httpx.Client, watch: Watch
) -> None:
    job_id = asked(http, "wave")
    own = clip(http, job_id)
    stream = watch(job_id)
    assert stream.subprotocol == TEXT
    assert heard(stream) == {"type": "hello", "version": 1, "job": job_id, "frames": "json"}
    skeleton = heard(stream)
    assert (skeleton["fps"], len(skeleton["names"])) == (30.0, 22)
    assert np.allclose(skeleton["offsets"], own.skeleton.offsets, atol=1e-6)
    motion = heard(stream)
    assert (motion["frames"], motion["prompt"], motion["from"]) == (30, "wave", 0.0)
    ended, frames = until(stream, "ended")
    times = [frame["time"] for frame in frames]
    # A busy machine may miss some; what is shown is a frame of the motion, in order, to the last.
    assert 10 <= len(times) <= 30
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(ended["time"], abs=1e-5)
    shown = np.round(np.array(times) * 30.0).astype(int)
    assert np.allclose(shown / 30.0, times, atol=1e-5)
    sent, made = forward(clip_of(rows(frames), own))[0], forward(own)[0]
    assert np.abs(sent - made[shown]).max() < 1e-3

    packed = watch(job_id, protocols=(PACKED, TEXT))
    assert packed.subprotocol == PACKED
    binary = [
        message
        for message in (packed.recv(timeout=20) for _ in range(6))
        if isinstance(message, bytes)
    ]
    frame = unpacked(binary[0])
    assert len(binary[0]) == 380
    assert (frame.number, frame.time) == (0, 0.0)
    assert np.allclose(frame.turns, rows(frames)[0, 3:], atol=1e-5)


def test_pause_stops_and_seek_lands_exactly(http: httpx.Client, watch: Watch) -> None:
    stream = watch(asked(http, "wave", 10.0))
    until(stream, "frame")
    say(stream, "pause", id="p")
    paused, before = until(stream, "state", id="p")
    assert not paused["playing"]
    if before:
        assert paused["time"] == pytest.approx(before[-1]["time"], abs=1e-5)
    say(stream, "seek", time=4.1, id="s")
    state, between = until(stream, "state", id="s")
    assert not between, "a paused stream shows nothing by itself"
    assert state["time"] == pytest.approx(4.1)
    shown, _ = until(stream, "frame")
    assert shown["time"] == 4.1
    say(stream, "speed", value=2.0)
    say(stream, "play", id="g")
    until(stream, "state", id="g")
    times = [until(stream, "frame")[0]["time"] for _ in range(5)]
    steps = np.diff([4.1, *times]) * 15.0
    assert np.allclose(steps, np.round(steps), atol=1e-3)
    assert steps.min() > 0.9, "twice as fast, two frames a beat"
    say(stream, "loop", on=True)
    say(stream, "seek", time=1e6, id="e")
    state, _ = until(stream, "state", id="e")
    assert state["time"] == pytest.approx(299 / 30)
    until(stream, "frame")
    assert until(stream, "frame")[0]["time"] < 2.0, "the beginning follows the end"


def test_a_conversation_is_one_motion(http: httpx.Client, watch: Watch) -> None:
    first, second = asked(http, "a man walks forward"), asked(http, "a man jumps")
    stream = watch(first)
    say(stream, "next", job=second, id="b")
    say(stream, "next", prompt="wave", duration=1, seed=5, id="c")
    told = [heard(stream)]
    while (told[-1]["type"], told[-1].get("id")) != ("motion", "c"):
        told.append(heard(stream))
    frames = [message for message in told if message["type"] == "frame"]
    third = next(m for m in told if m["type"] == "accepted" and m["id"] == "c")
    said = next(m for m in told if m["type"] == "motion" and m.get("id") == "b")
    assert said["from"] == pytest.approx(1.0)
    last = told[-1]
    assert (last["prompt"], last["job"]) == ("wave", third["job"])
    while frames[-1]["time"] < last["to"] - 1e-3:
        frames.append(until(stream, "frame")[0])
    until(stream, "ended", waiting=0)
    clips = [clip(http, job) for job in (first, second, third["job"])]
    places = forward(clip_of(rows(frames), clips[0]))[0]
    beats = np.round(np.diff([frame["time"] for frame in frames]) * 30.0)
    largest = max(
        np.linalg.norm(np.diff(forward(each)[0], axis=0), axis=-1).max() for each in clips
    )
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1).max(axis=1)
    assert (steps <= beats * (largest + REACH / 30.0) + 1e-3).all()
    assert places[-1, 0, 2] > 0.5, "the last motion goes on where the first has walked to"
    say(stream, "next", prompt="xyzzy plugh", id="d")
    problem, _ = until(stream, "problem", id="d")
    assert problem["problem"]["error_code"] == "PROMPT_NOT_UNDERSTOOD"
    say(stream, "next", job=first, now=True, id="e")
    again, _ = until(stream, "motion", id="e")
    assert again["from"] == pytest.approx(last["to"] + 1 / 30)
    assert until(stream, "frame")[0]["time"] > last["to"]


def test_wrong_messages_are_answered_and_change_nothing(http: httpx.Client, watch: Watch) -> None:
    stream = watch(asked(http, "wave", 10.0))
    for text, code in (
        ("{", "MALFORMED_JSON"),
        ('{"type":"dance","id":"x"}', "INVALID_REQUEST"),
        ('{"type":"seek","time":-1}', "INVALID_REQUEST"),
        ('{"type":"next"}', "INVALID_REQUEST"),
        ('{"type":"speed","value":1000}', "INVALID_REQUEST"),
        ('{"type":"next","job":"NONE"}', "JOB_NOT_FOUND"),
    ):
        stream.send(text)
        problem, _ = until(stream, "problem")
        assert problem["problem"]["error_code"] == code, text
        assert problem.get("id") == ("x" if "dance" in text else None)
    stream.send(b"\x00")
    assert until(stream, "problem")[0]["problem"]["error_code"] == "INVALID_REQUEST"
    say(stream, "pause", id="ok")
    assert until(stream, "state", id="ok")[0]["speed"] == 1.0
    stream.send("x" * 20_000)
    with pytest.raises(ConnectionClosed) as closed:
        until(stream, "never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_stream_ends_with_the_key_that_opened_it(
    http: httpx.Client, watch: Watch, server: ServerProcess, keys: dict[str, str]
) -> None:
    async def lent() -> str:
        async with api_keys(Settings.model_validate({"data": server.data}), SystemClock()) as kept:
            key, keys["lent"] = await kept.create("ada", ["generate"])
        return key.id

    async def revoked(key_id: str) -> None:
        async with api_keys(Settings.model_validate({"data": server.data}), SystemClock()) as kept:
            await kept.revoke(key_id)

    key_id = asyncio.run(lent())
    stream = watch(asked(http, "wave", 30.0), "lent")
    until(stream, "frame")
    page = http.get("/metrics", headers={"X-API-Key": keys["op"]}).text
    assert "kinesphere_live_streams 1.0" in page
    assert 'kinesphere_live_frames_total{outcome="sent"}' in page
    asyncio.run(revoked(key_id))
    with pytest.raises(ConnectionClosed) as closed:
        until(stream, "never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_nobody_watches_who_may_not(
    http: httpx.Client, watch: Watch, server: ServerProcess, keys: dict[str, str]
) -> None:
    job_id = asked(http, "wave")
    assert refusal(lambda: watch(job_id, None))[1]["error_code"] == "UNAUTHENTICATED"
    assert refusal(lambda: watch(job_id, "revoked"))[0] == 401
    assert refusal(lambda: watch(job_id, "bob"))[1]["error_code"] == "JOB_NOT_FOUND"
    bearer = (TEXT, f"bearer.{keys['ada']}")
    assert watch(job_id, None, bearer).subprotocol == TEXT
    assert refusal(lambda: watch(job_id, None, (TEXT, "bearer.nonsense")))[0] == 401
    for origin in ("https://evil.example", "null", server.url + "0"):
        status, document = refusal(lambda origin=origin: watch(job_id, origin=origin))  # type: ignore[misc]
        assert (status, document["error_code"]) == (403, "ORIGIN_FORBIDDEN")
    watch(job_id, origin=server.url)
    watch(job_id, origin=FRIEND)
    status, document = refusal(lambda: watch(job_id))
    assert (status, document["error_code"]) == (429, "TOO_MANY_STREAMS")
    plain = http.get(f"/v1/live/{job_id}")
    assert (plain.status_code, plain.json()["error_code"]) == (426, "UPGRADE_REQUIRED")
    assert keys["ada"].rpartition("_")[2] not in server.log.read_text()


def test_a_job_that_is_not_done_is_waited_for(http: httpx.Client, watch: Watch) -> None:
    body = {"prompt": "a man walks and then dances", "duration": 30}
    job_id = http.post("/v1/motions", json=body).json()["id"]
    stream = watch(job_id)
    assert heard(stream)["type"] == "hello"
    kinds = set()
    while (message := heard(stream))["type"] != "frame":
        kinds.add(message["type"])
        if message["type"] == "waiting":
            assert 0.0 <= message["progress"] <= 1.0
    assert {"skeleton", "motion"} <= kinds <= {"waiting", "skeleton", "motion"}

    job_id = http.post("/v1/motions", json=body | {"seed": 77}).json()["id"]
    stream = watch(job_id)
    if http.delete(f"/v1/jobs/{job_id}").status_code == 200:
        problem, _ = until(stream, "problem")
        assert problem["problem"]["error_code"] == "CANCELLED"
        with pytest.raises(ConnectionClosed) as closed:
            heard(stream)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4409
        assert refusal(lambda: watch(job_id))[1]["error_code"] == "FORMAT_UNAVAILABLE"


async def test_who_does_not_read_is_cut_and_not_stored_up_for() -> None:
    sent, over = 0, asyncio.Event()

    async def flood(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(OSError):
            while True:
                await send({"type": "websocket.send", "bytes": bytes(65_536)})
                sent += 65_536
        over.set()

    terms = ConnectionTerms(10, 8_192, 5.0, 5.0, 0.2, 5.0, str, print)
    server = QuietServer(TermedConfig(flood, terms, log_config=None, lifespan="off"))
    with bind("127.0.0.1", 0) as listener, socket.socket() as deaf:
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.to_thread(deaf.connect, listener.getsockname())
        # The handshake of RFC 6455, 1.2; nothing is read after it.
        deaf.sendall(
            b"GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        async with asyncio.timeout(30.0):
            await over.wait()
        server.should_exit = True
        await serving
    assert 0 < sent < 32_000_000, "what the sockets of the system hold, and no more"


async def test_frames_that_nobody_could_take_are_dropped(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path, "models": ["choreo"]})
    async with embedded(settings) as platform:
        service, caller = platform.service, Caller("ada")
        ask = MotionAsk(prompt="wave", duration=1.0, seed=1)
        job = (await service.intake.motion(ask, caller)).job
        job = await service.jobs.wait(job, caller, 30.0)
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        counted: Counter[str] = Counter()
        over = asyncio.Event()

        async def send(data: str | bytes) -> None:
            told.append(json.loads(data))
            if told[-1].get("number") == 4:
                slow = asyncio.Event()
                loop.call_later(0.3, slow.set)
                await slow.wait()
            if told[-1]["type"] == "ended":
                over.set()

        async def hear() -> str | None:
            await over.wait()
            raise EOFError

        async def admit() -> None:
            raise AssertionError("nothing was asked for")

        line = Line(
            send, hear, admit, None, packed=False, path="/", request_id="",
            count=lambda sent, late: counted.update(sent=sent, late=late),
        )  # fmt: skip
        async with asyncio.timeout(30.0):
            assert await Session(service, caller, line).run(job) == 1000
    frames = [message for message in told if message["type"] == "frame"]
    assert [frame["number"] for frame in frames] == list(range(len(frames)))
    times = np.array([frame["time"] for frame in frames]) * 30.0
    assert np.diff(times).max() > 5.0, "what was late was left out"
    assert counted["sent"] == len(frames)
    assert counted["late"] > 0
    assert times[-1] == pytest.approx(29.0, abs=1e-3)
