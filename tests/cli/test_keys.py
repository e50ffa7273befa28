"""`kinesphere keys` on a data folder and by a server, and the key that other commands send."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kinesphere.client import AsyncClient, Client, Key, NotFound, Rejected
from tests.cli.conftest import Run
from tests.servers import ServerProcess


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for keys."""
    running = ServerProcess(
        tmp_path_factory.mktemp("keys") / "data", {"KINESPHERE_AUTHENTICATION": "keys"}
    ).start(ready=False)
    yield running
    assert running.stop() == 0


def test_the_first_key_is_made_before_there_is_a_server(kinesphere: Run, tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    done = kinesphere(
        *("keys", "create", "--user", "ada", "--scope", "generate", "--scope", "operate"),
        *("--label", "my first", "--expires", "90d", "--data", data),
    )
    assert done.returncode == 0, done.stderr
    key = done.stdout.strip()
    key_id = key.split("_")[1]
    assert key.startswith("kin_") and key not in done.stderr
    assert key_id in done.stderr and "this once" in done.stderr
    assert data.stat().st_mode & 0o077 == 0
    (listed,) = json.loads(kinesphere("keys", "list", "--data", data, "--json").stdout)
    assert (listed["id"], listed["user"], listed["label"]) == (key_id, "ada", "my first")
    assert (listed["scopes"], listed["key"]) == (["generate", "operate"], None)
    assert "my first" in kinesphere("keys", "list", "--data", data, "--user", "ada").stdout
    assert kinesphere("keys", "list", "--data", data, "--user", "bob").stdout == "no keys\n"
    assert kinesphere("keys", "revoke", key_id, "--data", data).returncode == 0
    assert "revoked" in kinesphere("keys", "list", "--data", data).stdout
    assert kinesphere("keys", "revoke", "0" * 26, "--data", data).returncode == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("--user", "a b", "--scope", "generate"),
        ("--user", "ada", "--scope", "root"),
        ("--user", "ada"),
        ("--scope", "generate"),
        ("--user", "ada", "--scope", "generate", "--expires", "soon"),
        ("--user", "ada", "--scope", "generate", "--expires", "0d"),
    ],
)
def test_wrong_keys_are_not_made(kinesphere: Run, tmp_path: Path, wrong: tuple[str, ...]) -> None:
    done = kinesphere("keys", "create", *wrong, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_key_made_while_the_server_runs_works_with_every_command(
    kinesphere: Run, guarded: ServerProcess, tmp_path: Path
) -> None:
    made = kinesphere(
        "keys", "create", "--user", "op", "--scope", "operate", "--data", guarded.data
    )
    path = tmp_path / "key"
    path.write_text(made.stdout)
    key = made.stdout.strip()
    refused = kinesphere("pools", KINESPHERE_URL=guarded.url)
    assert refused.returncode == 2
    assert "UNAUTHENTICATED" in refused.stderr
    for environment in ({"KINESPHERE_API_KEY": key}, {"KINESPHERE_API_KEY_FILE": str(path)}):
        for command in (("pools",), ("jobs",), ("models",), ("keys", "list")):
            done = kinesphere(*command, "--url", guarded.url, **environment)
            assert done.returncode == 0, (command, done.stderr)
    done = kinesphere("--key-file", path, "pools", "--url", guarded.url)
    assert done.returncode == 0, done.stderr
    missing = kinesphere("--key-file", tmp_path / "none", "pools", "--url", guarded.url)
    assert missing.returncode == 1
    by_server = kinesphere(
        *("keys", "create", "--user", "eve", "--scope", "generate", "--expires", "12h", "--json"),
        *("--url", guarded.url),
        KINESPHERE_API_KEY=key,
    )
    eve = json.loads(by_server.stdout)
    headers = {"X-API-Key": eve["key"]}
    assert httpx.get(f"{guarded.url}/v1/models", headers=headers).status_code == 200
    ended = kinesphere("keys", "revoke", eve["id"], "--url", guarded.url, KINESPHERE_API_KEY=key)
    assert ended.returncode == 0
    assert httpx.get(f"{guarded.url}/v1/models", headers=headers).status_code == 401
    assert key.rpartition("_")[2] not in guarded.log.read_text()


@pytest.fixture(scope="module")
def operators_key(guarded: ServerProcess) -> str:
    from kinesphere.adapters.clock import SystemClock
    from kinesphere.settings import Settings
    from kinesphere.wiring import api_keys

    async def make() -> str:
        settings = Settings.model_validate({"data": guarded.data})
        async with api_keys(settings, SystemClock()) as keys:
            return (await keys.create("op", ["operate"]))[1]

    return asyncio.run(make())


def test_the_client_makes_lists_and_revokes_keys(
    guarded: ServerProcess, operators_key: str
) -> None:
    with Client(guarded.url, api_key=operators_key) as client:
        made = [client.create_key("zoe", label=str(number)) for number in range(3)]
        assert all(key.key and key.key not in repr(key) for key in made)
        assert [key.label for key in client.keys(user="zoe")] == ["2", "1", "0"]
        assert len(list(client.keys(user="zoe", limit=2))) == 2
        assert client.revoke_key(made[0]).revoked_at is not None
        with pytest.raises(NotFound):
            client.revoke_key("0" * 26)
        with pytest.raises(Rejected):
            client.create_key("a b")
    with Client(guarded.url, api_key=made[1].key) as zoe, pytest.raises(Rejected) as refusal:
        list(zoe.keys())
    assert refusal.value.error_code == "FORBIDDEN"


async def test_the_asynchronous_client_does_too(guarded: ServerProcess, operators_key: str) -> None:
    async with AsyncClient(guarded.url, api_key=operators_key) as client:
        made = await client.create_key("yan", ["generate", "operate"])
        listed: list[Key] = [key async for key in client.keys(user="yan")]
        assert [key.id for key in listed] == [made.id]
        assert (await client.revoke_key(made.id)).revoked_at is not None


def test_the_key_of_the_environment_is_sent_unless_told_otherwise(
    guarded: ServerProcess, operators_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KINESPHERE_API_KEY", operators_key)
    with Client(guarded.url) as client, Client(guarded.url, api_key="") as nobody:
        assert client.pools()
        with pytest.raises(Rejected):
            nobody.pools()
    monkeypatch.delenv("KINESPHERE_API_KEY")
    (tmp_path / "key").write_text(f"{operators_key}\n")
    monkeypatch.setenv("KINESPHERE_API_KEY_FILE", str(tmp_path / "key"))
    with Client(guarded.url) as client:
        assert client.pools()


@pytest.mark.parametrize("key", ["a\r\nX: y", "two words", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as refusal:
        Client("http://127.0.0.1:1", api_key=key)
    assert key not in str(refusal.value)
