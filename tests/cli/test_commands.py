"""The commands, as processes, against real servers and without one."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere.cli.console import file_name
from kinesphere.formats.bvh import decode
from tests.cli.conftest import Run, plain_environment, until
from tests.client.faults import answer, events, faulty_server, pings
from tests.client.test_faults import JOB, SUBMITTED, job
from tests.servers import ServerProcess

PNG = b"\x89PNG"


def test_a_motion_without_a_server(kinesphere: Run, tmp_path: Path) -> None:
    done = kinesphere(
        "generate", "a man walks gracefully, then waves at the zorble", "-d", "2", "--seed", "3",
        "-o", "made/here.bvh", "--preview", "made/here.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert abs(decode((tmp_path / "made/here.bvh").read_bytes()).duration - 2.0) < 0.1
    assert (tmp_path / "made/here.png").read_bytes().startswith(PNG)
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert "walks" in told["understood"]
    assert "zorble" in told["ignored"]
    assert told["model"] == "choreo 1"
    assert told["seed"] == "3"
    assert told["file"].startswith("made/here.bvh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]


def test_the_same_motion_by_a_server(
    kinesphere: Run, tmp_path: Path, server: ServerProcess
) -> None:
    for place in ((), ("--url", server.url)):
        done = kinesphere("generate", "挥手", "-d", "1", "--seed", "5", *place)
        assert done.returncode == 0, done.stderr
        (tmp_path / "挥手.bvh").rename(tmp_path / f"{len(place)}.bvh")
    assert (tmp_path / "0.bvh").read_bytes() == (tmp_path / "2.bvh").read_bytes()


def test_formats_and_places(kinesphere: Run, tmp_path: Path, server: ServerProcess) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "w.npz").write_bytes(b"old")
    for arguments, made in (
        (("-o", "w.npz"), "w.npz"),
        (("-f", "npz"), "wave-twice.npz"),
        (("-o", "folder"), "folder/wave-twice.bvh"),
        (("-f", "npz", "-o", "odd.bin"), "odd.bin"),
    ):
        done = kinesphere(
            "generate", "wave, twice", "-d", "1", *arguments, KINESPHERE_URL=server.url
        )
        assert done.returncode == 0, done.stderr
        zipped = (tmp_path / made).read_bytes().startswith(b"PK")
        assert zipped is ("bvh" not in made)


@pytest.mark.parametrize("where", ["here", "server"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wave", "-d", "99"), "0.5 to 30 seconds"),
        (("wave", "-f", "doc"), "bvh, fbx, glb, npz"),
        (("wave", "-o", "x.doc", "--preview", "x.png"), "--preview cannot draw doc"),
        (("zxcvb qwrtp",), "PROMPT_NOT_UNDERSTOOD"),
    ],
)
def test_a_refused_request_exits_2(
    kinesphere: Run,
    server: ServerProcess,
    tmp_path: Path,
    where: str,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    place = ("--url", server.url) if where == "server" else ()
    done = kinesphere("generate", *arguments, *place)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_exits_2(kinesphere: Run, server: ServerProcess) -> None:
    for place in ((), ("--url", server.url)):
        done = kinesphere("generate", "wave", "--model", "nosuch", *place)
        assert done.returncode == 2
        assert "nosuch" in done.stderr


def test_ctrl_c_cancels_the_job(tmp_path: Path) -> None:
    with faulty_server() as faulty:
        faulty.on("POST /v1/motions", answer(job(), 202))
        faulty.on(f"GET /v1/jobs/{JOB}/events", events(SUBMITTED, then=pings))
        faulty.on(f"DELETE /v1/jobs/{JOB}", answer(job("cancelled")))
        process = subprocess.Popen(
            [sys.executable, "-m", "kinesphere", "generate", "wave", "--url", faulty.url],
            cwd=tmp_path,
            env=plain_environment(),
            stderr=subprocess.PIPE,
        )
        with process:
            until(
                lambda: bool(faulty.requests(f"GET /v1/jobs/{JOB}/events")), "events are followed"
            )
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        assert len(faulty.requests(f"DELETE /v1/jobs/{JOB}")) == 1


def test_ctrl_c_without_a_server(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kinesphere", "generate", "a man walks", "-d", "30"],
        cwd=tmp_path,
        env=plain_environment(TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE,
    )
    with process:
        until(lambda: bool(list(tmp_path.glob("kinesphere-*/ledger.db"))), "it runs")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_fails_exits_1(kinesphere: Run) -> None:
    error = {"error_code": "ENGINE_CRASHED", "detail": "It died."}
    with faulty_server() as faulty:
        faulty.on("POST /v1/motions", answer(job(), 202))
        faulty.on(f"GET /v1/jobs/{JOB}/events", events(("failed", 2, {})))
        faulty.on(f"GET /v1/jobs/{JOB}", answer(job("failed", error=error)))
        done = kinesphere("generate", "wave", "--url", faulty.url)
    assert done.returncode == 1
    assert "ENGINE_CRASHED: It died." in done.stderr


def test_looking_after_a_server(kinesphere: Run, server: ServerProcess) -> None:
    place = ("--url", server.url)
    made = kinesphere("generate", "bow", "-d", "1", *place)
    assert made.returncode == 0
    listed = json.loads(kinesphere("jobs", "--json", "--limit", "1", *place).stdout)
    assert [each["request"]["prompt"] for each in listed] == ["bow"]
    number = listed[0]["id"]
    table = kinesphere("jobs", "--state", "succeeded", *place).stdout
    assert number in table
    assert json.loads(kinesphere("show", number, "--json", *place).stdout)["id"] == number
    shown = kinesphere("show", number, *place).stdout
    assert "succeeded" in shown
    assert f"{server.url}/v1/artifacts/" in shown
    again = kinesphere("cancel", number, *place)
    assert again.returncode == 2
    assert "JOB_FINISHED" in again.stderr
    missing = kinesphere("show", "01KAZ6T3V9S2Q4W8E0R5Y7T1J3", *place)
    assert missing.returncode == 2
    assert "JOB_NOT_FOUND" in missing.stderr
    for command in ("models", "pools"):
        assert "choreo" in kinesphere(command, *place).stdout
        found = json.loads(kinesphere(command, "--json", *place).stdout)
        assert found[0]["name"] == "choreo"


def test_cancelling_a_job(kinesphere: Run) -> None:
    with faulty_server() as faulty:
        faulty.on(f"DELETE /v1/jobs/{JOB}", answer(job("cancelled")))
        done = kinesphere("cancel", JOB, "--url", faulty.url)
    assert done.returncode == 0
    assert "cancelled" in done.stdout


def test_reviving_a_job(kinesphere: Run) -> None:
    with faulty_server() as faulty:
        faulty.on(f"POST /v1/jobs/{JOB}/revive", answer(job("queued")))
        done = kinesphere("revive", JOB, "--url", faulty.url)
    assert done.returncode == 0
    assert "queued" in done.stdout


def test_the_demonstration_works_again_and_again(kinesphere: Run, tmp_path: Path) -> None:
    for _ in range(2):
        done = kinesphere("demo", "--out", "out", KINESPHERE_PORT="not for the demonstration")
        assert done.returncode == 0, done.stderr
        assert abs(decode((tmp_path / "out/motion.bvh").read_bytes()).duration - 5.0) < 0.1
        assert (tmp_path / "out/motion.png").read_bytes().startswith(PNG)
        assert "单膝跪地" in done.stdout
        assert "curl" in done.stdout
        # A server that drained took back what says where it listens.
        assert not (tmp_path / "out/data/server.json").exists()


def test_a_demonstration_that_cannot_start_says_why(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/data").write_text("not a folder")
    done = kinesphere("demo", "--out", "out")
    assert done.returncode == 1
    assert "the server ended with 1" in done.stderr


def test_ctrl_c_in_the_demonstration_stops_its_server(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kinesphere", "demo", "--out", "out"],
        cwd=tmp_path,
        env=plain_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = tmp_path / "out/data/server.json"
    with process:
        until(address.exists, "its server listens")
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 130
    assert not address.exists()


def test_serving_tells_where_in_both_formats(tmp_path: Path) -> None:
    for form in ("json", "console"):
        server = ServerProcess(tmp_path / form, {"KINESPHERE_LOG_FORMAT": form}).start(ready=False)
        assert server.stop() == 0
        printed = server.log.read_text()
        if form == "json":
            (line,) = [e for e in server.logged() if e["action"] == "server.listening"]
            assert line["url"] == server.url
            assert line["data"] == str(server.data)
        else:
            assert f"Kinesphere listens on {server.url}" in printed
            assert f"{server.url}/docs" in printed
            assert str(server.data) in printed


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A man walks, then waves!", "a-man-walks-then-waves.bvh"),
        ("一个舞者旋转", "一个舞者旋转.bvh"),
        ("../../etc/passwd", "etc-passwd.bvh"),
        ("...", "01K.bvh"),
        ("walk " * 60, "walk-" * 15 + "walk.bvh"),
    ],
)
def test_files_named_after_prompts(prompt: str, name: str) -> None:
    assert file_name(prompt, ".bvh", "01K") == name
