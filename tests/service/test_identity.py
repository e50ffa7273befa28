"""Keys as they are made and checked, over a real store."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from hmac import compare_digest
from itertools import count
from pathlib import Path

import pytest

from kinesphere.adapters.sql.keys import SqlKeys
from kinesphere.core import identity
from kinesphere.core.failures import Rejected
from kinesphere.core.identity import ApiKey, Principal, Scope
from kinesphere.ports import KeyQuery, LedgerUnavailable, TokenRefused, TokensUnavailable
from kinesphere.service import identity as service
from kinesphere.service.identity import CACHE_SECONDS, TOUCH_SECONDS, ApiKeys, Identity
from tests.clock import VirtualClock
from tests.waiting import wait_until


class CountingKeys(SqlKeys):
    """The real store, which counts what is asked of it."""

    asked: Counter[str]

    async def find(self, key_id: str) -> ApiKey | None:
        self.asked["find"] += 1
        return await super().find(key_id)

    async def touch(self, key_id: str, at: float) -> None:
        self.asked["touch"] += 1
        await super().touch(key_id, at)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingKeys]:
    store = await CountingKeys.open(f"sqlite:///{tmp_path}/ledger.db")
    assert isinstance(store, CountingKeys)
    store.asked = Counter()
    yield store
    await store.close()


@pytest.fixture
async def keys(store: CountingKeys, clock: VirtualClock) -> AsyncIterator[ApiKeys]:
    numbers = count(1)
    keys = ApiKeys(
        store, clock, lambda: f"{next(numbers):026d}", lambda n: next(numbers).to_bytes(n)
    )
    yield keys
    await keys.settle()


async def test_a_key_speaks_for_its_user(keys: ApiKeys) -> None:
    key, text = await keys.create("studio-a", ["generate"], "x")
    assert await keys.verify(text) == Principal("studio-a", frozenset({Scope.GENERATE}), key.id)


@pytest.mark.parametrize(
    "wrong", [("", ["generate"]), ("ada", []), ("ada", ["root"]), ("a b", ["generate"])]
)
async def test_wrong_keys_are_not_made(keys: ApiKeys, wrong: tuple[str, list[str]]) -> None:
    with pytest.raises(Rejected):
        await keys.create(*wrong)
    assert await keys.list(KeyQuery()) == ()


@pytest.mark.parametrize("kind", ["unknown", "wrong secret", "revoked", "expired"])
async def test_the_same_is_done_whatever_is_wrong(
    keys: ApiKeys,
    store: CountingKeys,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    key, text = await keys.create("ada", ["generate"], expires_at=clock.now() + 100)
    if kind == "unknown":
        text = identity.written("0" * 26, bytes(32))
    elif kind == "wrong secret":
        text = identity.written(key.id, bytes(32))
    elif kind == "revoked":
        await keys.revoke(key.id)
    else:
        clock.tick(100)
    done: list[str] = []

    def compared(a: str, b: str) -> bool:
        done.append("compare")
        assert len(a) == len(b) == 64
        return compare_digest(a, b)

    def digested(secret: str) -> str:
        done.append("digest")
        return original(secret)

    original = identity.digest
    monkeypatch.setattr("hmac.compare_digest", compared)
    monkeypatch.setattr(identity, "digest", digested)
    with pytest.raises(TokenRefused):
        await keys.verify(text)
    assert done == ["digest", "compare"]
    assert store.asked == {"find": 1}


async def test_a_right_key_is_not_looked_up_at_every_request(
    keys: ApiKeys, store: CountingKeys, clock: VirtualClock
) -> None:
    _, text = await keys.create("ada", ["generate"])
    for _ in range(10):
        await keys.verify(text)
    assert store.asked["find"] == 1
    clock.tick(CACHE_SECONDS)
    await keys.verify(text)
    assert store.asked["find"] == 2


async def test_a_wrong_secret_finds_nothing_that_a_right_one_left(
    keys: ApiKeys, store: CountingKeys
) -> None:
    key, text = await keys.create("ada", ["generate"])
    await keys.verify(text)
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await keys.verify(identity.written(key.id, bytes(32)))
    assert store.asked["find"] == 4


async def test_a_key_revoked_elsewhere_ends_within_the_documented_time(
    keys: ApiKeys, store: CountingKeys, clock: VirtualClock
) -> None:
    key, text = await keys.create("ada", ["generate"])
    await keys.verify(text)
    await store.revoke(key.id, clock.now())
    clock.tick(CACHE_SECONDS)
    with pytest.raises(TokenRefused):
        await keys.verify(text)


async def test_a_key_revoked_here_ends_at_once(keys: ApiKeys) -> None:
    key, text = await keys.create("ada", ["generate"])
    await keys.verify(text)
    await keys.settle()
    revoked = await keys.revoke(key.id)
    assert await keys.revoke(key.id) == revoked
    with pytest.raises(TokenRefused):
        await keys.verify(text)
    with pytest.raises(Rejected, match="KEY_NOT_FOUND"):
        await keys.revoke("0" * 26)


async def test_a_key_expires_while_it_is_remembered(keys: ApiKeys, clock: VirtualClock) -> None:
    _, text = await keys.create("ada", ["generate"], expires_at=clock.now() + 1)
    await keys.verify(text)
    clock.tick(1)
    with pytest.raises(TokenRefused):
        await keys.verify(text)


async def test_the_last_use_is_written_once_a_minute_and_only_of_right_keys(
    keys: ApiKeys, store: CountingKeys, clock: VirtualClock
) -> None:
    key, text = await keys.create("ada", ["generate"])
    with pytest.raises(TokenRefused):
        await keys.verify(identity.written(key.id, bytes(32)))
    assert store.asked["touch"] == 0
    first = clock.now()
    for _ in range(5):
        await keys.verify(text)
        clock.tick((TOUCH_SECONDS - 1) / 5)
    await keys.settle()
    assert (await store.find(key.id)) == replace(key, used_at=first)
    clock.tick(2)
    await keys.verify(text)
    await keys.settle()
    assert store.asked["touch"] == 2
    assert (await store.find(key.id)) == replace(key, used_at=clock.now())


async def test_a_use_that_cannot_be_written_does_not_matter(
    keys: ApiKeys, store: CountingKeys, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = await keys.create("ada", ["generate"])

    async def failing(key_id: str, at: float) -> None:
        raise LedgerUnavailable("locked")

    store.touch = failing  # type: ignore[method-assign] # a store that cannot be written
    assert (await keys.verify(text)).user == "ada"
    await wait_until(lambda: "could not be written" in caplog.text, "it is logged")


async def test_what_is_remembered_is_bounded(
    keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CACHE_SIZE", 3)
    for _ in range(6):
        _, text = await keys.create("ada", ["generate"])
        await keys.verify(text)
    assert len(keys._verified) == len(keys._touched) == 3


class OneToken:
    """Tokens of which one is good, and one cannot be told."""

    async def verify(self, token: str) -> Principal:
        if token == "down":
            raise TokensUnavailable("no answer", 7.0)
        if token != "good":
            raise TokenRefused("not good")
        return Principal("tom", frozenset())


async def test_a_bearer_token_may_be_a_key_or_a_token(keys: ApiKeys) -> None:
    _, text = await keys.create("ada", ["generate"])
    both = Identity(keys, OneToken())
    assert (await both.of_bearer(text)).user == "ada"
    assert (await both.of_bearer("good")).user == "tom"
    assert (await both.of_key(text)).user == "ada"
    with pytest.raises(Rejected, match="UNAUTHENTICATED"):
        await both.of_key("good")


async def test_what_is_not_configured_lets_nobody_in(keys: ApiKeys) -> None:
    _, text = await keys.create("ada", ["generate"])
    for ways, given in ((Identity(None, OneToken()), text), (Identity(keys, None), "good")):
        with pytest.raises(Rejected, match="UNAUTHENTICATED"):
            await ways.of_bearer(given)


async def test_every_refusal_reads_the_same(keys: ApiKeys, clock: VirtualClock) -> None:
    ways = Identity(keys, OneToken())
    key, text = await keys.create("ada", ["generate"])
    await keys.revoke(key.id)
    told = set()
    for given in (text, identity.written("0" * 26, bytes(32)), "kin_x", "bad", ""):
        with pytest.raises(Rejected) as refusal:
            await ways.of_bearer(given)
        told.add((refusal.value.code, refusal.value.detail, refusal.value.fields))
    assert len(told) == 1


async def test_an_issuer_that_is_down_says_when_to_come_back(keys: ApiKeys) -> None:
    with pytest.raises(Rejected) as refusal:
        await Identity(keys, OneToken()).of_bearer("down")
    assert (refusal.value.code, refusal.value.retry_after) == ("IDENTITY_UNAVAILABLE", 7.0)


async def test_no_secret_is_logged(keys: ApiKeys, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ways = Identity(keys, None)
    key, text = await keys.create("ada", ["generate"])
    await ways.of_bearer(text)
    await keys.revoke(key.id)
    for given in (text, f"{text}x"):
        with pytest.raises(Rejected):
            await ways.of_bearer(given)
    secret = text.rpartition("_")[2]
    said = [str(vars(record)) for record in caplog.records]
    assert any("key.created" in line for line in said)
    assert any("auth.refused" in line and key.id in line for line in said)
    assert not any(secret in line for line in said)


async def test_many_at_once(keys: ApiKeys) -> None:
    made = await asyncio.gather(*(keys.create(f"u{n}", ["generate"]) for n in range(20)))
    found = await asyncio.gather(*(keys.verify(text) for _, text in made for _ in range(3)))
    assert {each.user for each in found} == {f"u{n}" for n in range(20)}
