"""A server that asks who is there: every route, with every kind of caller."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.settings import Settings
from kinesphere.wiring import api_keys
from tests import issuer as issuing
from tests.issuer import Issuer
from tests.servers import ServerProcess

NOBODYS: Final = "01KAZ6T3V9S2Q4W8E0R5Y7T1S3"
WAVE: Final = {"prompt": "wave", "duration": 1, "seed": 1}

OPEN, GENERATE, OPERATE = "open", "generate", "operate"
NEEDS: Final = {
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /v1/artifacts/{key}": OPEN,
    "HEAD /v1/artifacts/{key}": OPEN,
    "POST /v1/motions": GENERATE,
    "POST /generate": GENERATE,
    "POST /v1/meshes": GENERATE,
    "POST /generate/3d": GENERATE,
    "GET /tasks/{task_id}": GENERATE,
    "GET /v1/jobs": GENERATE,
    "GET /v1/jobs/{job_id}": GENERATE,
    "DELETE /v1/jobs/{job_id}": GENERATE,
    "POST /v1/jobs/{job_id}/forget": GENERATE,
    "GET /v1/jobs/{job_id}/events": GENERATE,
    "GET /v1/jobs/{job_id}/artifacts/{format}": GENERATE,
    "GET /v1/live/{job_id}": GENERATE,
    "POST /validate": GENERATE,
    "POST /warmup": GENERATE,
    "GET /v1/models": GENERATE,
    "GET /v1/webhooks/secret": GENERATE,
    "GET /metrics": OPERATE,
    "GET /v1/pools": OPERATE,
    "GET /v1/pools/{pool}": OPERATE,
    "GET /v1/pools/{pool}/plan": OPERATE,
    "POST /v1/jobs/{job_id}/revive": OPERATE,
    "GET /v1/releases": OPERATE,
    "GET /v1/releases/{task}": OPERATE,
    "PUT /v1/releases/{task}": OPERATE,
    "POST /v1/releases/{task}/pause": OPERATE,
    "POST /v1/releases/{task}/resume": OPERATE,
    "POST /v1/releases/{task}/promote": OPERATE,
    "POST /v1/releases/{task}/abort": OPERATE,
    "POST /v1/releases/{task}/ratings": OPERATE,
    "GET /v1/keys": OPERATE,
    "POST /v1/keys": OPERATE,
    "DELETE /v1/keys/{key_id}": OPERATE,
    "POST /v1/motions/preview": GENERATE,
    "POST /v1/meshes/preview": GENERATE,
    "POST /v1/simulations": OPERATE,
}
"""What every route needs. A new route is not done before it is here."""


@dataclass
class House:
    """A server with keys and an issuer, and the keys of those who use it."""

    server: ServerProcess
    issuer: Issuer
    keys: dict[str, str]

    def client(self, who: str | None = None, **headers: str) -> httpx.Client:
        if who is not None:
            headers["Authorization"] = f"Bearer {self.keys[who]}"
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=60.0)


async def made_keys(data: Path) -> dict[str, str]:
    settings = Settings.model_validate({"data": data})
    made = {}
    async with api_keys(settings, SystemClock()) as keys:
        for name, user, scopes in (
            ("ada", "ada", ["generate"]),
            ("bob", "bob", ["generate"]),
            ("op", "olga", ["operate"]),
            ("revoked", "ada", ["generate", "operate"]),
        ):
            key, made[name] = await keys.create(user, scopes)
            if name == "revoked":
                await keys.revoke(key.id)
    return made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("auth") / "data"
    keys = asyncio.run(made_keys(data))
    with issuing.issuer() as issuer:
        server = ServerProcess(
            data,
            {
                "KINESPHERE_AUTHENTICATION": "keys,oidc",
                "KINESPHERE_OIDC_ISSUER": issuer.url,
                "KINESPHERE_OIDC_AUDIENCE": issuing.AUDIENCE,
                "KINESPHERE_RATE_LIMIT": "0",
                "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
            },
        ).start(ready=False)
        found = House(server, issuer, keys)
        with found.client("op") as client:
            assert client.post("/warmup", params={"wait": 60}).status_code == 200
        yield found
        assert server.stop() == 0


@pytest.fixture(scope="module")
def bobs_job(house: House) -> str:
    with house.client("bob") as bob:
        answer = bob.post("/v1/motions", json=WAVE, headers={"Prefer": "wait=60"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def routes(house: House) -> dict[str, dict[str, Any]]:
    """Every operation of the OpenAPI document."""
    with house.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, item in paths.items()
        for method, operation in item.items()
    }


def asked(client: httpx.Client, route: str, job_id: str = NOBODYS) -> httpx.Response:
    """A request for a route, with something in the place of each parameter."""
    method, _, path = route.partition(" ")
    values = {"job_id": job_id, "task_id": job_id, "key_id": NOBODYS, "format": "glb"}
    path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "x"), path)
    if method == "POST":
        return client.post(path, json={"job_id": job_id})
    return client.request(method, path)


def problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code
    return document


def same_for_all(answer: httpx.Response) -> dict[str, Any]:
    """A refusal without what differs from request to request."""
    passing = ("date", "x-request-id", "traceparent")
    document = {name: value for name, value in problem(answer).items() if name != "request_id"}
    headers = {name: value for name, value in answer.headers.items() if name not in passing}
    return {"document": document, "headers": headers}


# ------------------------------------------------------------------------------------- every route


def test_every_route_says_what_it_needs(routes: dict[str, dict[str, Any]]) -> None:
    assert {route: _documented(operation) for route, operation in routes.items()} == NEEDS


def _documented(operation: dict[str, Any]) -> str:
    needs = operation["security"]
    if not needs:
        return OPEN
    assert [list(each) for each in needs] == [["bearer"], ["key"]]
    assert {"401", "403"} <= set(operation["responses"])
    return str(needs[0]["bearer"][0])


@pytest.mark.parametrize("route", NEEDS)
def test_without_credentials_nothing_but_the_open_routes_answers(house: House, route: str) -> None:
    with house.client() as client:
        answer = asked(client, route)
    if NEEDS[route] == OPEN:
        assert answer.status_code not in (401, 500)
        return
    assert answer.status_code == 401
    assert problem(answer)["error_code"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", [route for route in NEEDS if NEEDS[route] != OPEN])
def test_who_may_generate_may_not_operate(house: House, route: str) -> None:
    with house.client("ada") as ada:
        answer = asked(ada, route)
    if NEEDS[route] == OPERATE:
        assert answer.status_code == 403
        assert problem(answer)["error_code"] == "FORBIDDEN"
        assert "insufficient_scope" in answer.headers["www-authenticate"]
    else:
        assert answer.status_code not in (401, 403, 500)


@pytest.mark.parametrize("route", [route for route in NEEDS if NEEDS[route] != OPEN])
def test_who_may_operate_may_do_everything(house: House, route: str) -> None:
    with house.client("op") as op:
        assert asked(op, route).status_code not in (401, 403, 500)


FORGET: Final = "POST /v1/jobs/{job_id}/forget"
OF_ONE_JOB: Final = [
    r
    for r in NEEDS
    if NEEDS[r] == GENERATE and ("{job_id}" in r or "{task_id}" in r or r == "POST /validate")
]


@pytest.mark.parametrize("route", OF_ONE_JOB)
def test_anothers_job_is_as_one_that_is_not_there(house: House, bobs_job: str, route: str) -> None:
    with house.client("ada") as ada:
        anothers, nobodys = asked(ada, route, bobs_job), asked(ada, route)
    if route == FORGET:
        # Nothing is told; to delete what is not there is to have deleted it.
        assert (anothers.status_code, nobodys.status_code) == (204, 204)
        with house.client("bob") as bob:
            assert bob.get(f"/v1/jobs/{bobs_job}").status_code == 200
        return
    assert anothers.status_code == nobodys.status_code == 404
    assert problem(anothers)["error_code"] == "JOB_NOT_FOUND"
    told = json.dumps(same_for_all(anothers)).replace(bobs_job, NOBODYS)
    assert told == json.dumps(same_for_all(nobodys))


def test_a_user_sees_their_own_jobs_and_an_operator_all(house: House, bobs_job: str) -> None:
    with house.client("ada") as ada, house.client("bob") as bob, house.client("op") as op:
        mine = ada.post("/v1/motions", json=WAVE).json()["id"]
        seen = {
            name: {job["id"] for job in client.get("/v1/jobs").json()["items"]}
            for name, client in (("ada", ada), ("bob", bob), ("op", op))
        }
        assert op.get(f"/v1/jobs/{bobs_job}").status_code == 200
    assert bobs_job in seen["bob"] and bobs_job not in seen["ada"]
    assert mine in seen["ada"] and mine not in seen["bob"]
    assert {mine, bobs_job} <= seen["op"]


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/v1/pools/", "/v1/pools%0A", "//v1/pools", "/metrics%0A", "/v1/../metrics", "//",
     "/v1/artifacts", "/docs/x", "/V1/pools", "/v1/artifacts%2F..%2Fpools"],
)  # fmt: skip
def test_other_spellings_open_no_door(house: House, path: str) -> None:
    with house.client() as client, house.client("ada") as ada:
        request = client.build_request("GET", house.server.url + path)
        assert client.send(request).status_code in (401, 403, 404)
        assert b"kinesphere_" not in client.send(request).content
        answer = ada.send(ada.build_request("GET", house.server.url + path))
    assert answer.status_code in (403, 404), answer.text


def test_nothing_is_read_or_fetched_for_a_stranger(house: House) -> None:
    host = house.server.url.removeprefix("http://")
    name, _, port = host.rpartition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        head = f"POST /v1/meshes HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 5000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


# ------------------------------------------------------------------------------------- credentials


def test_a_key_is_taken_in_either_header(house: House) -> None:
    key = house.keys["ada"]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key}"},
        {"X-API-Key": key},
        {"X-API-Key": key, "Authorization": "Basic cHJveHk6eA=="},
    ):
        with house.client(**headers) as client:
            assert client.get("/v1/models").status_code == 200, headers


def test_every_refusal_has_the_same_shape(house: House) -> None:
    key = house.keys["ada"]
    wrong_secret = key[:-8] + ("00000000" if not key.endswith("0" * 8) else "11111111")
    unknown = key.replace(key.split("_")[1], "0" * 26)
    given = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {key}"},
        {"Authorization": key},
        {"X-API-Key": ""},
        {"X-API-Key": issuer_token(house)},
        {"X-API-Key": "nonsense", "Authorization": f"Bearer {key}"},
        *({"Authorization": f"Bearer {text}"} for text in (wrong_secret, unknown, "x", "a.b.c")),
        *({"X-API-Key": text} for text in (wrong_secret, unknown, house.keys["revoked"])),
        {"Authorization": f"Bearer {issuer_token(house, exp=1)}"},
    ]
    told = []
    for headers in given:
        with house.client(**headers) as client:
            answer = client.get("/v1/models")
        assert answer.status_code == 401, headers
        told.append(same_for_all(answer))
    assert all(each == told[0] for each in told)


def test_two_keys_at_once_are_none(house: House) -> None:
    both = [("X-API-Key", house.keys["ada"]), ("X-API-Key", house.keys["bob"])]
    assert httpx.get(f"{house.server.url}/v1/models", headers=both).status_code == 401


def issuer_token(house: House, **claims: Any) -> str:
    return house.issuer.token("rsa", **claims)


def test_tokens_of_the_issuer_are_taken(house: House) -> None:
    for kid in ("rsa", "ec"):
        token = house.issuer.token(kid, sub="carl")
        with house.client(Authorization=f"Bearer {token}") as carl:
            made = carl.post("/v1/motions", json=WAVE)
            assert made.status_code in (200, 202)
            ids = [job["id"] for job in carl.get("/v1/jobs").json()["items"]]
            assert made.json()["id"] in ids
            assert carl.get("/v1/pools").status_code == 403
    token = issuer_token(house, sub="otto", scope="operate")
    with house.client(Authorization=f"Bearer {token}") as otto:
        assert otto.get("/v1/pools").status_code == 200


@pytest.mark.parametrize("kind", ["none", "confused", "issuer", "audience", "expired", "later"])
def test_wrong_tokens_are_refused(house: House, kind: str) -> None:
    token = {
        "none": issuing.unsigned({"alg": "none", "kid": "rsa"}, house.issuer.claims()),
        "confused": issuing.confused(house.issuer, "rsa"),
        "issuer": issuer_token(house, iss="https://evil.example"),
        "audience": issuer_token(house, aud="another"),
        "expired": issuer_token(house, exp=1_000_000_000),
        "later": issuer_token(house, nbf=4_000_000_000),
    }[kind]
    with house.client(Authorization=f"Bearer {token}") as client:
        assert client.get("/v1/jobs").status_code == 401


def test_a_token_without_scopes_may_do_nothing(house: House) -> None:
    with house.client(Authorization=f"Bearer {issuer_token(house, scope='openid')}") as client:
        answer = client.get("/v1/models")
    assert answer.status_code == 403
    assert problem(answer)["error_code"] == "FORBIDDEN"


# --------------------------------------------------------------------------------- what is allowed


def test_a_signed_link_needs_no_credentials(house: House, bobs_job: str) -> None:
    with house.client("bob") as bob, house.client() as anybody:
        url = bob.get(f"/v1/jobs/{bobs_job}").json()["artifacts"][-1]["url"]
        assert anybody.get(url).status_code == 200
        assert anybody.get(url.partition("?")[0]).status_code == 403


def test_nobody_asks_for_another(house: House) -> None:
    body = {"image_url": "https://localhost/x.png", "user_id": "bob"}
    with house.client("ada") as ada, house.client("op") as op:
        answer = ada.post("/generate/3d", json=body)
        assert answer.status_code == 403
        assert problem(answer)["errors"][0]["field"] == "user_id"
        for client, user in ((ada, "ada"), (op, "bob")):
            answer = client.post("/generate/3d", json={**body, "user_id": user})
            assert problem(answer)["error_code"] == "IMAGE_URL_FORBIDDEN"


def test_the_life_of_a_key(house: House) -> None:
    with house.client("op") as op:
        body = {"user": "eve", "scopes": ["generate"], "label": "build"}
        answer = op.post("/v1/keys", json=body)
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        made = answer.json()
        assert made["key"].startswith(f"kin_{made['id']}_")
        assert (made["user"], made["label"], made["last_used_at"]) == ("eve", "build", None)
        eve = {"X-API-Key": made["key"]}
        assert httpx.get(f"{house.server.url}/v1/models", headers=eve).status_code == 200
        (listed,) = op.get("/v1/keys", params={"user": "eve"}).json()["items"]
        assert "key" not in listed and listed["id"] == made["id"]
        revoked = op.delete(f"/v1/keys/{made['id']}").json()
        assert revoked["revoked_at"] is not None
        assert op.delete(f"/v1/keys/{made['id']}").json() == {**revoked, **op_used(op, made["id"])}
        assert httpx.get(f"{house.server.url}/v1/models", headers=eve).status_code == 401
        assert problem(op.delete(f"/v1/keys/{NOBODYS}"))["error_code"] == "KEY_NOT_FOUND"


def op_used(op: httpx.Client, key_id: str) -> dict[str, Any]:
    """When a key was last used, which may be written at any moment."""
    items = op.get("/v1/keys").json()["items"]
    return {"last_used_at": next(k["last_used_at"] for k in items if k["id"] == key_id)}


def test_keys_are_paged(house: House) -> None:
    with house.client("op") as op:
        for number in range(5):
            op.post(
                "/v1/keys", json={"user": "pages", "scopes": ["generate"], "label": str(number)}
            )
        found, cursor = [], None
        while True:
            query = {"user": "pages", "limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = op.get("/v1/keys", params=query).json()
            found += [key["label"] for key in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert found == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user": "", "scopes": ["generate"]}, "user"),
        ({"user": "a b", "scopes": ["generate"]}, "user"),
        ({"user": "ada", "scopes": []}, "scopes"),
        ({"user": "ada", "scopes": ["root"]}, "scopes.0"),
        (
            {"user": "ada", "scopes": ["generate"], "expires_at": "2001-01-01T00:00:00Z"},
            "expires_at",
        ),
        ({"user": "ada", "scopes": ["generate"], "secret": "mine"}, "secret"),
        ({"user": "ada", "scopes": ["generate"], "label": "a\nb"}, "label"),
    ],
)
def test_wrong_keys_are_not_made(house: House, body: dict[str, Any], field: str) -> None:
    with house.client("op") as op:
        answer = op.post("/v1/keys", json=body)
    assert answer.status_code == 422
    assert problem(answer)["errors"][0]["field"] == field


def test_the_log_has_users_and_no_secrets(house: House) -> None:
    token = issuer_token(house, sub="log-reader")
    with house.client(Authorization=f"Bearer {token}") as client:
        client.get("/v1/models")
        client.get(f"/v1/{house.keys['ada']}/{token}")
        client.get("/v1/jobs", headers={"Authorization": f"Bearer {house.keys['ada']}x"})
    log = house.server.log.read_text()
    assert '"action":"auth.refused"' in log
    assert '"user":"log-reader"' in log
    for secret in [key.rpartition("_")[2] for key in house.keys.values()] + [token]:
        assert secret not in log


# ------------------------------------------------------------------------------ other arrangements


@pytest.mark.slow
def test_beyond_loopback_with_open_metrics_and_a_silent_issuer(
    house: House, tmp_path: Path
) -> None:
    server = ServerProcess(
        tmp_path / "data",
        {
            "KINESPHERE_AUTHENTICATION": "keys,oidc",
            "KINESPHERE_OIDC_ISSUER": "http://127.0.0.1:1",
            "KINESPHERE_OIDC_AUDIENCE": issuing.AUDIENCE,
            "KINESPHERE_HOST": "0.0.0.0",
            "KINESPHERE_METRICS_OPEN": "true",
        },
    ).start(ready=False)
    try:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/metrics").status_code == 200
        assert httpx.get(f"{url}/v1/jobs", headers={"Host": "any.example"}).status_code == 401
        assert httpx.get(f"{url}/health", headers={"Host": "any.example"}).status_code == 200
        header = {"Authorization": f"Bearer {house.issuer.token('rsa')}"}
        silent = httpx.get(f"{url}/v1/jobs", headers=header)
        assert silent.status_code == 503
        assert problem(silent)["error_code"] == "IDENTITY_UNAVAILABLE"
        assert 1 <= int(silent.headers["retry-after"]) <= 10
    finally:
        assert server.stop() == 0


def test_without_authentication_no_key_can_be_made(http: httpx.Client) -> None:
    body = {"user": "me", "scopes": ["operate"]}
    for answer in (http.get("/v1/keys"), http.post("/v1/keys", json=body)):
        assert answer.status_code == 404
        assert "authentication" in problem(answer)["detail"]
