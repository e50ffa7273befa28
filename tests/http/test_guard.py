"""The layer that lets callers in, by itself: what a real server shows only in bad times."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.sql.keys import SqlKeys
from kinesphere.core import identity
from kinesphere.http.auth import Guard
from kinesphere.http.gateway import Gateway
from kinesphere.service.identity import ApiKeys, Identity

KEY = identity.written("0" * 26, bytes(32))


class Inside:
    """An application that keeps what reached it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


async def passed(way: Identity | None, **scope: Any) -> tuple[Inside, list[Message]]:
    """What a guard lets through, and what it answers itself."""
    inside, sent = Inside(), []

    async def receive() -> Message:
        raise AssertionError("nothing is read of a request before its caller is known")

    async def send(message: Message) -> None:
        sent.append(message)

    gateway = cast(Gateway, SimpleNamespace(identity=way, metrics_open=False))
    given = {"type": "http", "method": "GET", "path": "/v1/jobs", "headers": [], **scope}
    await Guard(inside, gateway)(given, receive, send)
    return inside, sent


@pytest.fixture
async def closed(tmp_path: Path) -> Identity:
    """Keys whose store does not answer."""
    store = await SqlKeys.open(f"sqlite:///{tmp_path}/ledger.db")
    await store.close()
    return Identity(ApiKeys(store, SystemClock(), str, bytes), None)


async def test_a_store_that_does_not_answer_lets_nobody_in(closed: Identity) -> None:
    inside, sent = await passed(closed, headers=[(b"x-api-key", KEY.encode())])
    assert inside.scopes == []
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["error_code"] == "LEDGER_UNAVAILABLE"


async def test_it_does_not_matter_to_what_is_open(closed: Identity) -> None:
    headers = [(b"x-api-key", KEY.encode())]
    inside, sent = await passed(closed, path="/health", headers=headers)
    assert len(inside.scopes) == 1
    assert not sent
    assert "caller" not in inside.scopes[0]


async def test_a_websocket_of_a_stranger_is_not_opened(closed: Identity) -> None:
    inside, sent = await passed(closed, type="websocket", path="/v1/live/x")
    assert inside.scopes == []
    assert [each["type"] for each in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == 401


async def test_without_authentication_everybody_is_local_and_may_operate() -> None:
    inside, _ = await passed(None)
    caller = inside.scopes[0]["caller"]
    assert (caller.user, caller.operator) == ("local", True)


async def test_a_header_that_is_no_text_is_no_key(closed: Identity) -> None:
    inside, sent = await passed(closed, headers=[(b"authorization", b"Bearer \xff\xfe")])
    assert inside.scopes == []
    assert sent[0]["status"] == 401


@pytest.mark.slow
def test_without_tokens_no_cryptography_is_imported() -> None:
    code = "import kinesphere.wiring, kinesphere.http.app, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jwt", "cryptography"} & set(done.stdout.split())
