"""What every artifact store promises; see `kinesphere.ports.Artifacts` and `SignedFiles`."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from deploy.onebox.s3_server import CREDENTIALS, s3_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.artifacts_s3 import S3Artifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.s3_location import Location
from kinesphere.core.jobs import ArtifactRef
from kinesphere.ports import (
    ArtifactMissing,
    Artifacts,
    Clock,
    LinkExpired,
    LinkInvalid,
    SignedFiles,
    StorageFailed,
)
from tests.clock import VirtualClock


class SigningStore(Artifacts, SignedFiles, Protocol):
    """A store that serves its own links."""


def local(folder: Path, clock: Clock) -> LocalArtifacts:
    return LocalArtifacts(folder, b"k" * 32, clock)


SIGNING: list[Callable[[Path, Clock], SigningStore]] = [local]

KEY = "01J8ZQ4Y8N0000000000000000/3/motion.bvh"
SEGMENT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
KEYS = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)
BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "a//b",
    "a/",
    "..",
    "a/../b",
    "../a",
    "./a",
    ".hidden/a",
    "a\\b",
    "a b",
    "a@b",
    "ключ",
    "a\n",
    "a\0b",
    "a?b",
    "a%2e%2e",
    "k" * 241,
]
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]


def artifact(key: str = KEY, name: str = "motion.bvh") -> ArtifactRef:
    return ArtifactRef(key=key, name=name, media_type="model/bvh", size=1, digest="0" * 64)


async def kept(store: Artifacts) -> dict[str, float]:
    listing = store.keys()
    return {key: written async for key, written in listing}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Callable[[], S3Artifacts]]:
    """Makes empty stores, each in a prefix of its own."""
    numbers = count()
    with s3_server() as server:

        def empty() -> S3Artifacts:
            location = Location.parse(server.url(prefix=f"tests/{next(numbers)}"))
            return S3Artifacts(location, SystemClock(), CREDENTIALS)

        asyncio.run(empty().prepare())
        yield empty


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def make(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    clock: VirtualClock,
) -> Callable[[], Artifacts]:
    """Makes empty stores of one kind."""
    if request.param == "s3":
        empty: Callable[[], S3Artifacts] = request.getfixturevalue("bucket")
        return empty
    return lambda: local(tmp_path_factory.mktemp("store"), clock)


@pytest.fixture
def store(make: Callable[[], Artifacts]) -> Artifacts:
    return make()


@pytest.fixture(params=SIGNING)
def signing(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> SigningStore:
    made: SigningStore = request.param(tmp_path, clock)
    return made


@pytest.mark.parametrize("data", [b"", b"one", bytes(range(256)) * 5000])
async def test_what_is_put_is_read(store: Artifacts, data: bytes) -> None:
    await store.put(KEY, data)
    assert await store.read(KEY) == data


async def test_keys_come_with_the_time_they_were_written(
    store: Artifacts, clock: VirtualClock
) -> None:
    # A bucket has a clock of its own.
    now = clock.now if isinstance(store, LocalArtifacts) else SystemClock().now
    written = {}
    for key in ("a/1/x.bvh", "a/2/x.bvh"):
        written[key] = now()
        await store.put(key, b"1")
        await clock.advance(60)
    assert await kept(store) == pytest.approx(written, abs=2)


@settings(max_examples=30, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(files=st.dictionaries(KEYS, st.binary(max_size=64), max_size=8), data=st.data())
def test_any_keys_side_by_side(
    make: Callable[[], Artifacts], files: dict[str, bytes], data: st.DataObject
) -> None:
    async def scenario() -> None:
        store = make()
        for key, content in files.items():
            await store.put(key, content)
        gone = data.draw(st.sets(st.sampled_from(sorted(files)))) if files else set()
        for key in gone:
            await store.delete(key)
        assert set(await kept(store)) == set(files) - gone
        for key, content in files.items():
            if key in gone:
                with pytest.raises(ArtifactMissing):
                    await store.read(key)
            else:
                assert await store.read(key) == content

    asyncio.run(scenario())


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_what_is_no_key_is_never_stored(store: Artifacts, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await store.put(key, b"x")
    with pytest.raises(ValueError, match="not a key"):
        store.link(artifact(key), 0)
    with pytest.raises(ArtifactMissing):
        await store.read(key)
    await store.delete(key)
    assert await kept(store) == {}


async def test_reading_what_is_not_there(store: Artifacts) -> None:
    with pytest.raises(ArtifactMissing):
        await store.read(KEY)


async def test_what_exists(store: Artifacts) -> None:
    assert not await store.exists(KEY)
    await store.put(KEY, b"")
    assert await store.exists(KEY)
    for key in (KEY + "x", KEY.rpartition("/")[0], *BAD_KEYS):
        assert not await store.exists(key)
    await store.delete(KEY)
    assert not await store.exists(KEY)


async def test_deleting_twice_is_deleting_once(store: Artifacts) -> None:
    await store.put(KEY, b"x")
    await store.delete(KEY)
    await store.delete(KEY)
    assert await kept(store) == {}


async def test_a_key_is_written_once(store: Artifacts) -> None:
    await store.put(KEY, b"first")
    await store.put(KEY, b"first")
    with pytest.raises(StorageFailed):
        await store.put(KEY, b"second")
    assert await store.read(KEY) == b"first"


async def test_puts_reads_and_deletes_at_the_same_time(store: Artifacts) -> None:
    async def life(number: int) -> None:
        key = f"{number}/1/x.bvh"
        for _ in range(5):
            await store.put(key, key.encode())
            assert await store.read(key) == key.encode()
            await store.delete(key)

    await asyncio.gather(*(life(number) for number in range(40)))
    assert await kept(store) == {}


# --------------------------------------------------------------------------------- signed links


def taken_apart(link: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(link)
    assert parts.path.startswith("/v1/artifacts/")
    return unquote(parts.path.removeprefix("/v1/artifacts/")), dict(
        parse_qsl(parts.query, keep_blank_values=True)
    )


@pytest.mark.parametrize("name", ["motion.bvh", "a man walks & waves?.glb", "走路=1#.bvh", ""])
async def test_a_link_leads_to_the_file(
    signing: SigningStore, clock: VirtualClock, name: str
) -> None:
    await signing.put(KEY, b"content")
    key, query = taken_apart(signing.link(artifact(name=name), clock.now() + 60))
    assert key == KEY
    path, saved_as = signing.locate(key, query)
    assert path.read_bytes() == b"content"
    assert saved_as == name


async def test_a_link_expires_to_the_second(signing: SigningStore, clock: VirtualClock) -> None:
    await signing.put(KEY, b"x")
    key, query = taken_apart(signing.link(artifact(), clock.now() + 60))
    await clock.advance(59.999)
    signing.locate(key, query)
    await clock.advance(0.001)
    with pytest.raises(LinkExpired):
        signing.locate(key, query)


async def test_a_link_never_lives_longer_than_asked(
    signing: SigningStore, clock: VirtualClock
) -> None:
    await signing.put(KEY, b"x")
    key, query = taken_apart(signing.link(artifact(), clock.now() + 0.9))
    with pytest.raises(LinkExpired):
        signing.locate(key, query)


async def test_who_did_not_sign_learns_nothing(signing: SigningStore, clock: VirtualClock) -> None:
    await signing.put(KEY, b"x")
    valid = taken_apart(signing.link(artifact(), clock.now() + 60))[1]
    missing, late = taken_apart(signing.link(artifact("other/1/x"), clock.now() - 60))
    for key in (KEY, "other/1/x", *BAD_KEYS):
        for query in ({}, {**valid, "Signature": "A" * 43}, {**late, "Expires": valid["Expires"]}):
            with pytest.raises(LinkInvalid):
                signing.locate(key, query)
    with pytest.raises(LinkExpired):
        signing.locate(missing, late)
    missing, query = taken_apart(signing.link(artifact("other/1/x"), clock.now() + 60))
    with pytest.raises(ArtifactMissing):
        signing.locate(missing, query)


@pytest.mark.parametrize("make", SIGNING)
@settings(max_examples=200, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(
    name=st.text(max_size=12),
    part=st.sampled_from(["key", "Expires", "Name", "Signature"]),
    data=st.data(),
)
def test_any_changed_character_is_refused(
    make: Callable[[Path, Clock], SigningStore],
    tmp_path: Path,
    name: str,
    part: str,
    data: st.DataObject,
) -> None:
    clock = VirtualClock()
    store = make(tmp_path, clock)
    key, query = taken_apart(store.link(artifact(name=name), clock.now() + 60))
    signed = {"key": key, **query}
    text = signed[part]
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 2)))
    forged = text[:at] + data.draw(st.text(st.characters(), max_size=2)) + text[end:]
    if forged != text:
        changed = signed | {part: forged}
        with pytest.raises(LinkInvalid):
            store.locate(changed.pop("key"), changed)


async def test_parts_of_a_link_cannot_be_shifted_into_each_other(
    signing: SigningStore, clock: VirtualClock
) -> None:
    key, query = taken_apart(signing.link(artifact("a/1/x", "1"), clock.now() + 60))
    digit = query["Expires"][0]
    shifted = {**query, "Expires": query["Expires"][1:]}
    with pytest.raises(LinkInvalid):
        signing.locate(key + digit, shifted)
    with pytest.raises(LinkInvalid):
        signing.locate(key, {**query, "Expires": query["Expires"] + "1", "Name": ""})


async def test_each_store_has_its_own_signature(tmp_path: Path, clock: VirtualClock) -> None:
    one = LocalArtifacts(tmp_path, b"1" * 32, clock)
    two = LocalArtifacts(tmp_path, b"2" * 32, clock)
    await one.put(KEY, b"x")
    with pytest.raises(LinkInvalid):
        two.locate(*taken_apart(one.link(artifact(), clock.now() + 60)))
