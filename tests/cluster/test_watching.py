"""A cluster as those who watch it see it: the same numbers from every API, one trace a job."""

import httpx
import pytest
from deploy.onebox.cluster import Cluster
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from prometheus_client.parser import text_string_to_metric_families

from tests.observability.receivers import Receiver
from tests.observability.test_tracing import sent, tree, until

pytestmark = pytest.mark.slow

_LEDGER = (
    "hy_motion_queue_length",
    "hy_motion_avg_latency_ms",
    "redis_queue_length",
    "kinesphere_queue_depth",
    "kinesphere_running_jobs",
    "kinesphere_stored_jobs",
    "kinesphere_replicas",
)


def _made(url: str, **headers: str) -> httpx.Response:
    body = {"prompt": "a man stretches", "duration": 2, "model": "choreo", "cache": "no"}
    headers |= {"Prefer": "wait=60"}
    answer = httpx.post(f"{url}/v1/motions", json=body, headers=headers, timeout=90)
    assert answer.status_code == 200, answer.text
    return answer


def _known(url: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    page = httpx.get(f"{url}/metrics", timeout=30).text
    return {
        family.name: {tuple(sorted(s.labels.items())): s.value for s in family.samples}
        for family in text_string_to_metric_families(page)
        if family.name in _LEDGER
    }


def test_every_api_tells_the_same_of_what_the_ledger_knows(small: Cluster) -> None:
    _made(small.apis[0].url)
    # Each looks for replicas once a second by itself.
    until(
        lambda: _known(small.apis[0].url) == _known(small.apis[1].url),
        "the two do not tell the same",
    )
    known = _known(small.apis[1].url)
    assert set(known) == set(_LEDGER)
    assert all(known.values())
    assert known["hy_motion_avg_latency_ms"][()] > 0
    assert known["kinesphere_stored_jobs"][("model", "choreo"), ("state", "succeeded")] > 0
    assert known["kinesphere_replicas"][("pool", "choreo"), ("state", "ready")] == 1


def test_a_job_is_one_trace_through_api_and_worker(small: Cluster, collector: Receiver) -> None:
    trace_id = _made(small.apis[1].url).headers["traceparent"].split("-")[1]

    def own() -> list[tuple[str, Sent]]:
        return [each for each in sent(collector) if each[1].trace_id.hex() == trace_id]

    until(lambda: len(own()) >= 9, "not every span came")
    roles: dict[str, set[str]] = {}
    for role, span in own():
        roles.setdefault(role, set()).add(span.name)
    post = "POST /v1/motions"
    assert roles["api"] == {post, "submit", "hint"}
    attempt = {"wait choreo", "attempt choreo", "engine", "encode", "store"}
    assert roles["worker"] == {"job motion", *attempt}
    found = tree([span for _, span in own()], "nobody")
    assert found["nobody"] == [post]
    assert found["job motion"] == ["wait choreo", "attempt choreo"]
