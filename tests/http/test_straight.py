"""What is served straight is served as by FastAPI's own way."""

import re
import socket
import time
from collections import Counter

import httpx
import pytest

BODY = {"prompt": "wave", "duration": 1, "seed": 1}


@pytest.mark.parametrize("way", ["/v1/motions", "/v1/motions?by=another"])
def test_a_motion_is_accepted_and_waited_for(http: httpx.Client, way: str) -> None:
    answer = http.post(way, json=BODY, headers={"Prefer": "wait=60", "Idempotency-Key": "straight"})
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    again = http.post(way, json=BODY, headers={"Idempotency-Key": "straight"})
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])


def test_other_methods_are_refused_as_before(http: httpx.Client) -> None:
    answer = http.get("/v1/motions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_it_is_counted_by_its_route(http: httpx.Client) -> None:
    http.post("/v1/motions", content=b"{", headers={"content-type": "application/json"})
    series = 'kinesphere_http_requests_total{method="POST",route="/v1/motions",status="400"}'
    assert series in http.get("/metrics").text


@pytest.mark.parametrize("path", ["/v1/motions", "/v1/meshes"])
def test_who_goes_away_in_the_middle_of_a_body_is_no_fault_of_ours(
    http: httpx.Client, path: str
) -> None:
    before = answers(http, path)
    head = f"POST {path} HTTP/1.1\r\nHost: {http.base_url.host}\r\n"
    fields = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port or 80)) as gone:
        gone.sendall(f'{head}{fields}{{"prompt"'.encode())
    until = time.monotonic() + 10.0
    while (after := answers(http, path)) == before:
        assert time.monotonic() < until, "the request was never counted"
    assert after - before == Counter({"400": 1})


def answers(http: httpx.Client, path: str) -> Counter[str]:
    """How often each status was answered there."""
    series = (
        rf'kinesphere_http_requests_total\{{method="POST",route="{path}",status="(\d+)"\}} (\S+)'
    )
    found = re.findall(series, http.get("/metrics").text)
    return Counter({status: int(float(number)) for status, number in found})
