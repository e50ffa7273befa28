"""Both clients against a real server."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from kinesphere.client import JobFailed, MotionOptions, NotFound, Rejected
from kinesphere.formats.bvh import decode
from kinesphere.formats.mesh import MESH_FORMATS
from tests import pictures
from tests.client.conftest import Connect
from tests.servers import ServerProcess


def test_a_motion_from_request_to_file(
    connect: Connect, server: ServerProcess, tmp_path: Path
) -> None:
    client = connect(server.url)
    states: list[str] = []
    asked: MotionOptions = {
        "duration": 3, "seed": 7, "format": "bvh", "cache": False, "priority": 8, "wait": 0,
    }  # fmt: skip
    job = client.submit("a man walks, then waves", **asked)
    done = client.wait(job, on_progress=lambda p: states.append(p.state))
    assert done.request["seed"] == 7
    assert states[-1] == "succeeded"
    path = client.download(done, tmp_path, format="bvh")
    assert path == tmp_path / "motion.bvh"
    assert abs(decode(path.read_bytes()).duration - 3.0) < 0.1
    assert client.download(done.artifacts[0]) == path.read_bytes()
    asked["wait"] = 60
    again = client.submit("a man walks, then waves", **asked)
    assert again.id != job.id
    assert again.ended
    assert client.download(again.id) == path.read_bytes()


def test_events_are_all_there_and_can_be_resumed(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    job = client.submit("jump", duration=1, wait=60, cache=False)
    seen = list(client.events(job))
    assert [event.name for event in seen] == ["submitted", "claimed", "succeeded"]
    assert list(client.events(job, after=seen[0].id)) == seen[1:]
    assert list(client.events(job.id, after=seen[-1].id)) == []


def test_one_key_makes_one_job(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    key = f"key-{type(client).__name__}"
    first = client.submit("wave", seed=1, idempotency_key=key)
    assert client.submit("wave", seed=1, idempotency_key=key).id == first.id
    with pytest.raises(Rejected) as caught:
        client.submit("wave", seed=2, idempotency_key=key)
    assert caught.value.error_code == "IDEMPOTENCY_CONFLICT"


def test_a_cancelled_job_fails_who_waits_for_it(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    jobs = [
        client.submit(
            "a man walks in a circle", duration=30, deadline=timedelta(hours=1), cache=False
        )
        for _ in range(20)
    ]
    last = client.cancel(jobs[-1])
    assert last.state == "cancelled"
    assert client.cancel(last.id).state == "cancelled"
    with pytest.raises(JobFailed) as caught:
        client.wait(jobs[-1])
    assert caught.value.error_code == "CANCELLED"
    listed = list(client.jobs(state="cancelled", limit=1))
    assert [job.id for job in listed] == [last.id]
    for job in jobs[:-1]:
        if not client.job(job.id).ended:
            try:
                client.cancel(job)
            except Rejected as error:
                assert error.error_code == "JOB_FINISHED"


def test_what_a_server_says_of_itself(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    assert client.ready().ready
    assert client.warm_up(5).ready
    (model,) = [model for model in client.models() if model.name == "choreo"]
    assert model.default
    assert model.formats[0] == "bvh"
    assert model.max_duration == 30
    (pool,) = [pool for pool in client.pools() if pool.name == "choreo"]
    assert sum(pool.replicas.values()) == 1


def test_refusals(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    with pytest.raises(NotFound):
        client.job("01KAZ6T3V9S2Q4W8E0R5Y7T1J3")
    with pytest.raises(Rejected, match="PROMPT_NOT_UNDERSTOOD"):
        client.submit("zxcvb")
    with pytest.raises(TypeError):
        client.submit("wave", lenght=3)  # type: ignore[call-arg]


def test_one_call_does_it_all(connect: Connect, server: ServerProcess, tmp_path: Path) -> None:
    to = connect(server.url).generate("挥手", duration=1, to=tmp_path / "a" / "wave.npz")
    assert to.read_bytes()[:2] == b"PK"
    assert to == tmp_path / "a" / "wave.npz"


def test_a_mesh_from_picture_to_file(
    connect: Connect, server: ServerProcess, tmp_path: Path
) -> None:
    client = connect(server.url)
    (tmp_path / "mug.jpg").write_bytes(pictures.jpeg())
    to = client.generate_mesh(tmp_path / "mug.jpg", faces=2000, seed=1, to=tmp_path / "mug.obj.zip")
    mesh = MESH_FORMATS["obj"].decode(to.read_bytes())
    assert len(mesh.faces) == pytest.approx(2000, rel=0.05)
    assert mesh.texture is not None

    white = pictures.encoded(pictures.mask())
    job = client.submit_mesh(pictures.png(), mask=white, texture=False, faces=2000, wait=60)
    assert (job.state, job.task, job.stage.count) == ("succeeded", "mesh", 1)
    stl = client.convert(job, "stl", tmp_path)
    assert len(MESH_FORMATS["stl"].decode(stl.read_bytes()).faces) == pytest.approx(2000, rel=0.05)
    report = client.validate(stl)
    assert (report.task, report.file, report.verdict) == ("mesh", stl.name, "pass")
    assert client.validate(job).faces == report.faces
    with pytest.raises(Rejected) as caught:
        client.submit_mesh(b"not a picture")
    assert [field.field for field in caught.value.errors] == ["image"]


def test_a_motion_is_converted_and_judged(
    connect: Connect, server: ServerProcess, tmp_path: Path
) -> None:
    client = connect(server.url)
    job = client.submit("wave", duration=1, seed=1, wait=60)
    for form, start in (("glb", b"glTF"), ("fbx", b"Kaydara"), ("npz", b"PK")):
        path = client.convert(job, form, tmp_path)
        assert path.name == f"motion.{form}"
        assert path.read_bytes().startswith(start)
    report = client.validate(job.id)
    assert report.verdict == client.validate(tmp_path / "motion.glb").verdict != "fail"
    assert report["limit_elbow"].unit == "°"
    with pytest.raises(Rejected, match="FILE_REJECTED"):
        client.validate(tmp_path / "motion.fbx")
    with pytest.raises(Rejected, match="INVALID_REQUEST"):
        client.convert(job, "stl")


def test_importing_the_package_does_not_import_an_http_client() -> None:
    code = "import sys, kinesphere; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
