"""The S3 store beyond its contract: links, large files, buckets, and a server in trouble."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest
from deploy.onebox.nginx import nginx
from deploy.onebox.s3_server import CREDENTIALS, S3Server, s3_server

from kinesphere.adapters.artifacts_s3 import RENEWAL, SINGLE_LIMIT, Patience, S3Artifacts
from kinesphere.adapters.cdn import CdnLinks
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.s3_bucket import Rules
from kinesphere.adapters.s3_location import Credentials, Location
from kinesphere.core.jobs import ArtifactRef
from kinesphere.ports import ArtifactMissing, StorageFailed
from tests.clock import VirtualClock
from tests.waiting import wait_until

KEY = "01J8ZQ4Y8N0000000000000000/3/shape.glb"
LARGE = bytes(range(256)) * ((SINGLE_LIMIT + 8 * 2**20) // 256)
HASTY = Patience(connect=1.0, silence=0.5, retrying=1.0, retries=1)

_numbers = count()


def artifact(key: str = KEY) -> ArtifactRef:
    return ArtifactRef(key=key, name="shape.glb", media_type="", size=1, digest="0" * 64)


def store(url: str, **options: object) -> S3Artifacts:
    given = {"credentials": CREDENTIALS, "patience": Patience(retrying=2.0), **options}
    return S3Artifacts(Location.parse(url), SystemClock(), **given)  # type: ignore[arg-type]


def somewhere(server: S3Server, bucket: str = "assets") -> str:
    return server.url(bucket, f"tests/{next(_numbers)}")


async def subresource(url: str, name: str) -> str:
    """What the bucket says about its lifecycle or its uploads."""
    async with httpx.AsyncClient(timeout=10) as client:
        rules = Rules(Location.parse(url), CREDENTIALS, client)
        return (await rules.send("GET", name, b"", SystemClock().now())).text


async def kept(artifacts: S3Artifacts) -> set[str]:
    listing = artifacts.keys()
    return {key async for key, _ in listing}


async def unfinished(url: str) -> list[str]:
    """Keys of uploads that were begun and neither completed nor aborted."""
    return re.findall(r"<Key>(.*?)</Key>", await subresource(url, "uploads"))


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as started:
        for bucket in ("assets", "public"):
            asyncio.run(store(started.url(bucket)).prepare())
        yield started


pytestmark = pytest.mark.slow


# ---------------------------------------------------------------------------------- downloads


async def test_a_link_downloads_the_file_as_what_it_is(server: S3Server) -> None:
    artifacts = store(somewhere(server))
    await artifacts.put(KEY, b"glTF", "model/gltf-binary")
    link = artifacts.link(artifact(), SystemClock().now() + 60)
    async with httpx.AsyncClient() as client:
        answer = await client.get(link)
        part = await client.get(link, headers={"Range": "bytes=1-2"})
        foreign = await client.get(link.replace("shape.glb", "other.glb"))
    assert (answer.status_code, answer.content) == (200, b"glTF")
    assert answer.headers["content-type"] == "model/gltf-binary"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-disposition"] == 'attachment; filename="shape.glb"'
    assert (part.status_code, part.content) == (206, b"lT")
    assert foreign.status_code == 403


async def test_a_link_expires(server: S3Server) -> None:
    artifacts = store(somewhere(server))
    await artifacts.put(KEY, b"x")
    now = SystemClock().now()
    for expires in (now - 60, now):
        assert httpx.get(artifacts.link(artifact(), expires)).status_code in (400, 403)
    far = artifacts.link(artifact(), now + 1e9)
    assert "X-Amz-Expires=604800" in far
    assert httpx.get(far).status_code == 200


async def test_links_of_a_cdn_expire_and_cannot_be_forged(server: S3Server) -> None:
    secret = "s" * 40
    checks = f"""
        location / {{
            secure_link $arg_md5,$arg_expires;
            secure_link_md5 "$secure_link_expires$uri {secret}";
            if ($secure_link = "") {{ return 403; }}
            if ($secure_link = "0") {{ return 410; }}
            rewrite ^/cdn/(.*)$ /public/tests/cdn/$1 break;
            proxy_pass {server.endpoint};
            proxy_cache assets;
            proxy_cache_key $uri;
            add_header X-Cache $upstream_cache_status;
        }}"""
    with nginx(checks, "proxy_cache_path cached keys_zone=assets:1m;") as network:
        links = CdnLinks(network.url + "/cdn", secret.encode())
        artifacts = store(server.url("public", "tests/cdn"), links=links)
        await artifacts.put(KEY, b"glTF", "model/gltf-binary")
        now = SystemClock().now()
        link = artifacts.link(artifact(), now + 60)
        first, second = httpx.get(link), httpx.get(artifacts.link(artifact(), now + 90))
        assert (first.status_code, first.content) == (200, b"glTF")
        assert [answer.headers["x-cache"] for answer in (first, second)] == ["MISS", "HIT"]
        assert httpx.get(artifacts.link(artifact(), now - 1)).status_code == 410
        later = re.sub(r"expires=\d+", f"expires={int(now) + 999}", link)
        for forged in (later, link.replace("shape", "other"), link.split("?")[0]):
            assert httpx.get(forged).status_code == 403


def test_a_secret_of_a_cdn_is_long() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        CdnLinks("https://cdn.example", b"short")


# -------------------------------------------------------------------------------- large files


async def test_a_large_file_is_stored_in_parts(server: S3Server) -> None:
    url = somewhere(server)
    artifacts = store(url)
    await artifacts.put(KEY, LARGE, "model/gltf-binary")
    assert await artifacts.read(KEY) == LARGE
    await artifacts.put(KEY, LARGE)
    with pytest.raises(StorageFailed, match="other content"):
        await artifacts.put(KEY, LARGE[:-1] + b"!")
    assert await unfinished(url) == []
    head = httpx.get(
        artifacts.link(artifact(), SystemClock().now() + 60), headers={"Range": "bytes=0-0"}
    )
    assert head.headers["content-type"] == "model/gltf-binary"


async def test_a_part_that_is_refused_leaves_nothing_behind(server: S3Server) -> None:
    url = somewhere(server)
    refusing = f"""
        location / {{
            if ($arg_partNumber = 3) {{ return 403; }}
            proxy_pass {server.endpoint};
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
        }}"""
    with nginx(refusing) as proxy:
        artifacts = store(url.replace(server.endpoint, proxy.url))
        with pytest.raises(StorageFailed, match=r"shape\.glb could not be stored"):
            await artifacts.put(KEY, LARGE)
    assert await unfinished(url) == []
    with pytest.raises(ArtifactMissing):
        await store(url).read(KEY)


async def test_a_server_killed_in_the_middle_of_an_upload() -> None:
    with s3_server() as server:
        url = server.url()
        artifacts = store(url)
        await artifacts.prepare()
        await artifacts.put("a/1/kept", b"kept")
        putting = asyncio.create_task(artifacts.put(KEY, LARGE))

        async def begun() -> bool:
            return await unfinished(url) != []

        await wait_until(begun, "an upload is under way")
        server.kill()
        with pytest.raises(StorageFailed):
            await putting
        with pytest.raises(StorageFailed):
            await artifacts.read("a/1/kept")
        server.restart()

        async def back() -> bool:
            try:
                return await artifacts.read("a/1/kept") == b"kept"
            except StorageFailed:
                return False

        await wait_until(back, "the store has its files again", 60)
        assert await kept(artifacts) == {"a/1/kept"}
        await artifacts.put(KEY, LARGE)
        assert await artifacts.read(KEY) == LARGE

        server.restart(empty=True)
        with pytest.raises(StorageFailed):
            await artifacts.put("b/1/x", b"x")
        with pytest.raises(StorageFailed):
            await artifacts.read("a/1/kept")
        await artifacts.prepare()
        with pytest.raises(ArtifactMissing):
            await artifacts.read("a/1/kept")


# ------------------------------------------------------------------------------------- faults


async def test_a_server_that_does_not_answer_blocks_nobody(server: S3Server) -> None:
    url = somewhere(server)
    artifacts = store(url)
    await artifacts.put(KEY, b"x")
    server.pause()
    try:
        late = 0.0
        reading = asyncio.create_task(store(url, patience=HASTY).read(KEY))
        while not reading.done():
            before = time.monotonic()
            await asyncio.sleep(0)
            late = max(late, time.monotonic() - before)
        with pytest.raises(StorageFailed):
            await reading
        # A try lasts half a second.
        assert late < 0.4
    finally:
        server.resume()
    assert await artifacts.read(KEY) == b"x"


async def test_a_server_that_is_not_there() -> None:
    with s3_server(started=False) as server:
        artifacts = store(server.url())
        with pytest.raises(
            StorageFailed, match=r"the store at http://127\.0\.0\.1:\d+/assets fails"
        ):
            await artifacts.prepare()
        with pytest.raises(StorageFailed):
            await artifacts.put(KEY, b"x")
        with pytest.raises(StorageFailed):
            await artifacts.delete(KEY)
        with pytest.raises(StorageFailed):
            await kept(artifacts)
        server.start()
        await artifacts.prepare()
        await artifacts.put(KEY, b"x")
        assert await artifacts.read(KEY) == b"x"


async def test_of_puts_at_the_same_time_one_is_stored(server: S3Server) -> None:
    artifacts = store(somewhere(server))
    contents = [bytes([number]) * 1000 for number in range(16)]
    puts = [artifacts.put(KEY, content) for content in contents]
    results = await asyncio.gather(*puts, return_exceptions=True)
    (won,) = (number for number, result in enumerate(results) if result is None)
    assert await artifacts.read(KEY) == contents[won]
    assert all(isinstance(result, StorageFailed) for result in results if result is not None)
    await asyncio.gather(*(artifacts.put(KEY, contents[won]) for _ in range(16)))


async def test_keys_come_in_pages_and_only_ours(server: S3Server) -> None:
    url = somewhere(server)
    artifacts = store(url)
    keys = {f"job/{number}/x.bvh" for number in range(1_005)}
    await asyncio.gather(*(artifacts.put(key, b"") for key in keys))
    neighbour = store(url.replace("?", "-neighbour?"))
    await neighbour.put(KEY, b"x")
    signed = artifacts.link(artifact("job/1/x.bvh"), SystemClock().now() + 60)
    assert httpx.get(signed).status_code == 200
    assert await kept(artifacts) == keys
    assert await kept(neighbour) == {KEY}


# ------------------------------------------------------------------------------------ buckets


async def test_a_bucket_is_made_and_aborts_stale_uploads(server: S3Server) -> None:
    url = server.url("made-by-us", "some/prefix")
    await asyncio.gather(*(store(url).prepare() for _ in range(4)))
    rules = await subresource(url, "lifecycle")
    assert "<AbortIncompleteMultipartUpload>" in rules
    assert "<DaysAfterInitiation>1</DaysAfterInitiation>" in rules
    assert "some/prefix/" in rules
    await store(url).put(KEY, b"x")


async def test_rules_that_a_bucket_has_are_kept(
    server: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url("has-rules")
    await store(url).prepare()
    theirs = (
        b"<LifecycleConfiguration><Rule><ID>theirs</ID><Filter><Prefix>logs/</Prefix></Filter>"
        b"<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
        b"</LifecycleConfiguration>"
    )
    async with httpx.AsyncClient() as client:
        rules = Rules(Location.parse(url), CREDENTIALS, client)
        answer = await rules.send("PUT", "lifecycle", theirs, SystemClock().now())
        assert answer.status_code == 200
    with caplog.at_level(logging.WARNING):
        await store(url).prepare()
    assert "has other rules" in caplog.text
    after = await subresource(url, "lifecycle")
    assert "logs/" in after
    assert "AbortIncomplete" not in after


@pytest.mark.parametrize("bucket", ["assets", "not-made-yet"])
async def test_wrong_credentials_are_told_without_telling_them(
    server: S3Server, caplog: pytest.LogCaptureFixture, bucket: str
) -> None:
    wrong = Credentials("testkey", "not-the-secret", "lent-token")
    artifacts = store(server.url(bucket), credentials=wrong)
    said = [repr(wrong)]
    with caplog.at_level(logging.DEBUG):
        for operation in (artifacts.prepare(), artifacts.put(KEY, b"x"), artifacts.read(KEY)):
            with pytest.raises(StorageFailed) as failed:
                await operation
            said += [str(failed.value), repr(failed.value.__cause__)]
    text = caplog.text + "".join(said)
    assert "not-the-secret" not in text
    assert "lent-token" not in text
    assert "X-Amz-Signature" not in text
    assert "may not be used with these credentials" in text


async def test_credentials_that_are_lent_are_renewed_before_a_link_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends = datetime.fromtimestamp(SystemClock().now() + 240, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lent = {"AccessKeyId": "lent", "SecretAccessKey": "s", "Token": "t", "Expiration": ends}
    (tmp_path / "token").write_text("of the pod")
    lending = f"location = /lend {{ return 200 '{json.dumps(lent)}'; }}"
    clock = VirtualClock()
    with nginx(lending) as lender:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{lender.url}/lend")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        artifacts = S3Artifacts(Location.parse("s3://assets"), clock, patience=HASTY)
        renewing = asyncio.create_task(artifacts.run())

        async def asked_twice() -> bool:
            await clock.advance(RENEWAL)
            return len(lender.log_lines()) >= 2

        await wait_until(asked_twice, "they are asked for each time")
        link = artifacts.link(artifact(), clock.now() + 60)
        assert "X-Amz-Credential=lent%2F" in link
        lender.kill()

        async def told() -> bool:
            await clock.advance(RENEWAL)
            return "were not renewed" in caplog.text

        await wait_until(told, "the trouble is told")
        assert "X-Amz" not in caplog.text
        renewing.cancel()


# ------------------------------------------------------------------------------------ address


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("s3://assets", {}, Location("assets", "", "us-east-1", None)),
        (
            "s3://assets/a/b/?region=eu-west-1",
            {"AWS_REGION": "us-west-2"},
            Location("assets", "a/b", "eu-west-1", None),
        ),
        (
            "s3://assets?endpoint=https://s3.example:9000/",
            {"AWS_DEFAULT_REGION": "eu-west-3"},
            Location("assets", "", "eu-west-3", "https://s3.example:9000"),
        ),
        (
            "s3://assets",
            {"AWS_ENDPOINT_URL": "http://minio:9000"},
            Location("assets", "", "us-east-1", "http://minio:9000"),
        ),
    ],
)
def test_addresses(url: str, environment: dict[str, str], expected: Location) -> None:
    location = Location.parse(url, environment)
    assert location == expected
    assert location.key(location.path(KEY)) == KEY


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://assets",
        "s3://",
        "s3://UPPER",
        "s3://key:topsecret@assets",
        "s3://assets/../up",
        "s3://assets/.hidden",
        "s3://assets/a b",
        "s3://assets?endpoint=ftp://x",
        "s3://assets?endpoint=https://me:topsecret@x",
        "s3://assets?endpoint=https://x/path",
        "s3://assets?secret=topsecret",
        "s3://assets#x",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        Location.parse(url, {})
    assert "topsecret" not in str(refused.value)


def test_credentials_of_the_environment() -> None:
    both = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert Credentials.from_environment(both) == Credentials("id", "secret")
    lent = Credentials.from_environment({**both, "AWS_SESSION_TOKEN": "token"})
    assert lent == Credentials("id", "secret", "token")
    assert Credentials.from_environment({"AWS_ACCESS_KEY_ID": "id"}) is None
