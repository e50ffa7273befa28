"""Another policy on the server's own past: the numbers that the command tells, over HTTP."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from kinesphere.cli.simulate import Outputs, Source, run
from tests.servers import ServerProcess
from tests.waiting import wait_until

POLICY = {"policy": "keda-queue", "minimum": 1, "maximum": 3}


def ask(http: httpx.Client, **changes: Any) -> httpx.Response:
    body = {"pool": "sim", "hours": 1, "policy": POLICY, **changes}
    return http.post("/v1/simulations", json=body)


@pytest.mark.slow
def test_a_policy_is_played_on_the_past_and_beside_the_one_that_runs(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'policy = "static"\nminimum = 2\nmaximum = 2\ncurrency = "EUR"\n'
        'tiers = [{ name = "l4", price = 3.6 }]\n'
    )
    environment = {
        "KINESPHERE_MODELS": '["sim"]',
        "KINESPHERE_SIMULATED": '[{"name": "sim", "stages": [{"fixed": 0.05, "per_job": 0.05}]}]',
        "KINESPHERE_SCALING_POLICY": str(file),
        "KINESPHERE_TIER": "l4",
    }
    server = ServerProcess(tmp_path / "data", environment).start()
    with httpx.Client(base_url=server.url, timeout=60.0) as http:
        empty = ask(http)
        assert (empty.status_code, empty.json()["error_code"]) == (409, "HISTORY_EMPTY")
        wait = {"Prefer": "wait=20"}
        with ThreadPoolExecutor(6) as many:
            answers = many.map(
                lambda seed: http.post(
                    "/v1/motions", json={"prompt": "wave", "seed": seed}, headers=wait
                ),
                range(12),
            )
            assert {answer.status_code for answer in answers} == {200}
        # What the last batch says of the pool's speed is known when its replica is free.
        asyncio.run(wait_until(lambda: _free(http), "every replica is free", pause=0.05))
        played = ask(http)
        assert played.status_code == 200, played.text
        found = played.json()
        preview = http.post("/v1/motions/preview", json={"prompt": "wave"}).json()
        (pool,) = http.get("/v1/pools").json()["items"]
    assert server.stop() == 0

    assert (found["jobs"], found["cut"], found["currency"]) == (12, False, "EUR")
    assert found["running"]["policy"] == "static"
    told = _command(tmp_path, pool, server.data)
    for name in ("wait_mean", "wait_p95", "met", "starts", "cost", "replicas_max", "busy"):
        # What the pool tells is rounded.
        assert found["asked"][name] == pytest.approx(told[name], rel=0.05, abs=1e-3), name
    curve = found["running"]["curve"]
    assert len(curve["at"]) == len(curve["waiting"]) == 120
    assert max(curve["paid"]) == 2.0

    assert preview["cost"]["currency"] == "EUR"
    # One euro for a thousand seconds.
    expected = (pool["batch_seconds"]) / 1000.0
    assert preview["cost"]["amount"] <= expected * 1.01
    assert preview["understood"] is None
    assert pool["cost"]["hour"] == pytest.approx(2 * 3.6)
    assert pool["recent"]["succeeded"] == 12
    assert pool["cost"]["asset"] == pytest.approx(2 * 3.6 * 300 / 3600 / 12)
    assert 0.05 < pool["recent"]["p50"] <= pool["recent"]["p95"] < 20.0
    assert pool["plan"]["reason"]
    assert {member["tier"] for member in pool["members"]} == {"l4"}


def _free(http: httpx.Client) -> bool:
    (pool,) = http.get("/v1/pools").json()["items"]
    return {member["state"] for member in pool["members"]} == {"ready"}


def _command(folder: Path, pool: dict[str, Any], data: Path) -> dict[str, Any]:
    """What `kinesphere simulate --from-ledger` tells of the same."""
    starts = [sum(member["start_seconds"].values()) for member in pool["members"]]
    assert len(starts) == 2
    pools, policy = folder / "pools.toml", folder / "asked.toml"
    pools.write_text(
        f'[[pools]]\nname = "sim"\nfixed = {pool["service"]["fixed_seconds"]}\n'
        f"per_job = {pool['service']['job_seconds']}\nbatch_limit = {pool['batch_limit']}\n"
        f"cold_start = {sum(starts) / 2}\nreplicas = 2\n"
        'tiers = [{ name = "l4", price = 3.6 }]\n'
    )
    policy.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in POLICY.items()))
    out = folder / "told.json"
    run(Source(None, data), policy, pools, False, Outputs(out, None, None))
    (line,) = json.loads(out.read_text())
    found: dict[str, Any] = line
    return found


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"pool": "nobody"}, 404, "POOL_NOT_FOUND"),
        ({"hours": 0}, 422, "INVALID_REQUEST"),
        ({"hours": 10_000}, 422, "INVALID_REQUEST"),
        ({"policy": {"policy": "nobody"}}, 422, "INVALID_REQUEST"),
        ({"policy": {"minimum": 3, "maximum": 2}}, 422, "INVALID_REQUEST"),
        ({"policy": {"settings": {"interval": 1e-9}}}, 422, "INVALID_REQUEST"),
        ({"policy": {"settings": {"nothing": 1}}}, 422, "INVALID_REQUEST"),
        ({"policy": {"tiers": []}}, 422, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_played_is_refused(
    http: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(http, **changes)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
