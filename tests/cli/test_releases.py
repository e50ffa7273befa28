"""`kinesphere release`, and the client's methods, by a real server."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.client import AsyncClient, Client, NotFound, Rejected, Release
from tests.cli.conftest import Run
from tests.servers import ServerProcess

MODELS = [
    {
        "name": name,
        "rank": rank,
        "payload": 64,
        "stages": [{"fixed": 0.01, "device_mb": device_mb}],
    }
    for name, rank, device_mb in (("old", 9, 1_000), ("new", 0, 1_000), ("fat", -1, 3_000))
]


@pytest.fixture
def released(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of simulated models that had no release."""
    environment = {"KINESPHERE_SIMULATED": json.dumps(MODELS), "KINESPHERE_MODELS": "old,new,fat"}
    running = ServerProcess(tmp_path / "data", environment)
    try:
        yield running.start(ready=False)
        assert running.stop() == 0
    finally:
        running.kill()


@pytest.mark.slow
def test_a_release_from_the_command_line(kinesphere: Run, released: ServerProcess) -> None:
    url = ("--url", released.url)
    assert kinesphere("release", "show", *url).stdout == "no releases\n"
    assert kinesphere("release", "show", "motion", *url).returncode != 0
    for wrong in (("--steps", "ten"), ("--hold", "long"), ("--steps", "50,10")):
        done = kinesphere("release", "start", "motion", "--canary", "new", *wrong, *url)
        assert done.returncode == 2, done.stderr
    begun = kinesphere(
        *("release", "start", "motion", "--canary", "new", "--steps", "10,50", "--hold", "2h"), *url
    )
    assert begun.returncode == 0, begun.stderr
    assert "new, 10 % of the traffic" in begun.stdout
    assert "10 %" in kinesphere("release", "show", *url).stdout
    for order, state in (
        ("pause", "paused"), ("resume", "running"), ("promote", "promoted"),
    ):  # fmt: skip
        done = kinesphere("release", order, "motion", "--json", *url)
        assert json.loads(done.stdout)["state"] == state
    assert kinesphere("release", "abort", "motion", *url).returncode != 0
    told = [entry["what"] for entry in json.loads(
        kinesphere("release", "show", "motion", "--json", *url).stdout
    )["record"]]  # fmt: skip
    assert told == ["started", "paused", "resumed", "promoted"]
    with Client(released.url) as client:
        assert client.submit("wave").routed == "release"
        assert [model.name for model in client.models() if model.default] == ["new"]
        client.warm_up(60.0)
        client.start_release("motion", "fat")
        until = time.monotonic() + 30.0
        while not (found := client.release("motion")).over and time.monotonic() < until:
            time.sleep(0.1)
    assert found.state == "rolled_back"
    assert found.figures["device_bytes"] == {"stable": 1e9, "canary": 3e9}
    assert "3.00 GB of its device's memory" in kinesphere("release", "show", *url, "motion").stdout


@pytest.mark.slow
def test_a_release_by_both_clients(released: ServerProcess) -> None:
    with Client(released.url) as client:
        with pytest.raises(NotFound):
            client.release("mesh")
        with pytest.raises(Rejected):
            client.start_release("motion", "nobody")
        answering = client.submit("wave").model.name
        canary = "old" if answering == "new" else "new"
        begun = client.start_release("motion", canary, steps=[20.0], hold_seconds=60.0)
        assert (begun.state, begun.stable, begun.over) == ("running", answering, False)
        assert begun.terms["hold_seconds"] == 60.0
        assert client.releases() == (client.release("motion"),)
        assert client.pause_release("motion").state == "paused"

    async def rest() -> list[Release]:
        async with AsyncClient(released.url) as other:
            return [
                await other.resume_release("motion"),
                await other.abort_release("motion"),
                await other.release("motion"),
                *await other.releases(),
                await other.start_release("motion", canary),
                await other.pause_release("motion"),
                await other.promote_release("motion"),
            ]

    states = [each.state for each in asyncio.run(rest())]
    assert states == [
        *("running", "aborted", "aborted", "aborted", "running", "paused", "promoted")
    ]  # fmt: skip
