"""A cluster of processes does for users what one server does."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from deploy.onebox.cluster import Cluster, front

from kinesphere import Client
from kinesphere.adapters.clock import SystemClock
from kinesphere.client import JobFailed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_motion_is_made_and_downloaded_from_the_store(small: Cluster, tmp_path: Path) -> None:
    with Client(small.apis[0].url) as client:
        job = client.wait(client.submit("a man walks", duration=2), timeout=60)
        (made,) = job.artifacts
        assert made.url.startswith(small.s3.endpoint)
        assert client.download(job, to=tmp_path / "walk.bvh").read_bytes().startswith(b"HIERARCHY")
        assert client.convert(job, "glb")[:4] == b"glTF"


def test_what_one_api_accepts_another_shows_and_cancels(small: Cluster) -> None:
    first, second = (api.url for api in small.apis[:2])
    with Client(first) as here, Client(second) as there:
        job = here.submit("she jumps", duration=2, cache=False)
        events = [event.name for event in there.events(job.id)]
        assert events[0] == "submitted"
        assert events[-1] == "succeeded"
        waiting = here.submit("he sits", duration=30, cache=False)
        there.cancel(waiting.id)
        with pytest.raises(JobFailed, match="CANCELLED"):
            here.wait(waiting, timeout=30)


def test_news_of_another_process_come_without_being_asked_for(small: Cluster) -> None:
    first, second = (api.url for api in small.apis[:2])
    late = []
    for number in range(10):
        job = httpx.post(
            first + "/v1/motions",
            json={"prompt": "he waves", "duration": 1, "seed": number, "cache": "no"},
        ).json()
        answer = httpx.get(f"{second}/v1/jobs/{job['id']}/events", timeout=30)
        ended = SystemClock().now()
        assert "event: succeeded" in answer.text
        shown = httpx.get(f"{second}/v1/jobs/{job['id']}").json()
        late.append(ended - _seconds(shown["finished_at"]))
    # Far below the pauses after which anybody looks by himself; benchmarks/cluster.py measures it.
    assert sorted(late)[5] < 1.5


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


def test_an_idempotency_key_is_known_to_every_api(small: Cluster) -> None:
    body = {"prompt": "a man bows", "duration": 1}
    answers = [
        httpx.post(
            small.apis[n % 2].url + "/v1/motions", json=body, headers={"Idempotency-Key": "once"}
        )
        for n in range(6)
    ]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_the_cache_is_shared(small: Cluster) -> None:
    with Client(small.apis[0].url) as here, Client(small.apis[1].url) as there:
        made = here.wait(here.submit("a woman dances", duration=2, seed=77), timeout=60)
        again = there.submit("a woman dances", duration=2, seed=77)
        assert again.state == "succeeded"
        assert again.id != made.id


def test_every_api_knows_the_replicas(small: Cluster) -> None:
    for api in small.apis:
        pools = {p["name"]: p for p in httpx.get(api.url + "/v1/pools").json()["items"]}
        assert sum(pools["choreo"]["replicas"].values()) >= 1


def test_a_worker_answers_probes(small: Cluster) -> None:
    worker = small.worker("choreo")
    worker.stop()
    small.workers.remove(worker)
    probed = subprocess.Popen(
        [sys.executable, "-m", "kinesphere", "worker", "--pool", "choreo", "--probes", "0"],
        env=os.environ | small.settings | {"KINESPHERE_LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert probed.stderr is not None
        line = next(line for line in probed.stderr if '"worker.begun"' in line)
        url = line.split('"url":"')[1].split('"')[0]
        assert httpx.get(url + "/health").status_code == 200
        assert httpx.get(url + "/ready").status_code in (200, 503)
        assert "kinesphere_" in httpx.get(url + "/metrics").text
    finally:
        probed.terminate()
        assert probed.wait(60) == 0
        assert probed.stderr is not None
        probed.stderr.close()


def test_nginx_in_front_passes_events_one_by_one(small: Cluster, tmp_path: Path) -> None:
    proxy = front(small, tmp_path)
    proxy.start()
    try:
        with Client(proxy.url) as client:
            job = client.submit("a man runs in a circle", duration=4, cache=False)
            assert [e.name for e in client.events(job)][-1] == "succeeded"
    finally:
        proxy.kill()


@pytest.mark.parametrize("role", [["api"], ["worker", "--pool", "choreo"], ["sweeper"]])
def test_a_role_without_its_settings_says_which(role: list[str], tmp_path: Path) -> None:
    environ = {n: v for n, v in os.environ.items() if not n.startswith("KINESPHERE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "kinesphere", *role],
        env=environ | {"KINESPHERE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    for name in ("database_url", "redis_url", "broker_url", "artifacts_url", "link_secret"):
        assert name in ended.stderr


def test_a_database_that_was_not_upgraded_is_told(small: Cluster, tmp_path: Path) -> None:
    small.postgres.execute("CREATE DATABASE empty")
    url = small.postgres.url.removesuffix("/postgres") + "/empty"
    ended = subprocess.run(
        [sys.executable, "-m", "kinesphere", "sweeper"],
        env=os.environ | small.settings | {"KINESPHERE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "kinesphere db upgrade" in ended.stderr


def test_serve_is_no_part_of_a_cluster(small: Cluster) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "kinesphere", "serve", "--port", "0"],
        env=os.environ | small.settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "database_url" in ended.stderr
