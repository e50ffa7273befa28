"""`kinesphere live`, heard by a receiver of VMC with another reader of OSC."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import httpx
import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from kinesphere import Client
from kinesphere.formats import npz
from kinesphere.formats.clip import PARENTS, STANDARD, Floats, forward
from kinesphere.formats.frames import BadFrame, Frame, packed, unpacked
from kinesphere.formats.quaternions import matrices
from kinesphere.formats.vmc import BONES, DATAGRAM, Performer
from tests.cli.conftest import Run
from tests.servers import ServerProcess


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5.0)
        yield listening


def messages(datagram: bytes) -> list[OscMessage]:
    assert len(datagram) <= DATAGRAM
    return [each for each in OscBundle(datagram) if isinstance(each, OscMessage)]


def in_unity(told: list[OscMessage]) -> Floats:
    """World positions (22, 3) of our joints, as Unity places bones by their local transforms."""
    root = next(m.params for m in told if m.address == "/VMC/Ext/Root/Pos")
    assert root[0] == "root"
    bones = {m.params[0]: m.params[1:] for m in told if m.address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == set(BONES.values())
    places, turns = np.zeros((22, 3)), np.zeros((22, 3, 3))
    for joint, name in enumerate(STANDARD.names):
        numbers = np.array(bones[BONES[name]], dtype=np.float64)
        # The algebra of quaternions is the same in both; what they turn differs.
        local = matrices(numbers[3:])
        parent = PARENTS[joint]
        above = np.eye(3) if parent < 0 else turns[parent]
        origin = np.array(root[1:4]) if parent < 0 else places[parent]
        places[joint], turns[joint] = origin + above @ numbers[:3], above @ local
    return places


def test_poses_arrive_as_unity_has_them(
    kinesphere: Run, server: ServerProcess, receiver: socket.socket
) -> None:
    with Client(server.url) as client:
        job = client.submit("a man walks and waves", duration=1, seed=1, format="npz", wait=30)
        path = client.download(job, to=Path(server.data) / "live.npz")
    clip = npz.decode(path.read_bytes())
    port = receiver.getsockname()[1]
    done = kinesphere("live", job.id, "--vmc", f"127.0.0.1:{port}", "--url", server.url)
    assert done.returncode == 0, done.stderr
    assert "0.97 s" in done.stdout
    frames: list[list[OscMessage]] = []
    receiver.setblocking(False)
    while True:
        try:
            told = messages(receiver.recv(65_536))
        except BlockingIOError:
            break
        if told[0].address == "/VMC/Ext/OK":
            frames.append([])
            assert told[0].params == [1]
        frames[-1] += told
    assert f"{len(frames)} frames" in done.stdout
    assert len(frames) > 5
    made = forward(clip)[0] * np.array([-1.0, 1.0, 1.0])
    for first in (frames[0], frames[-1]):
        place = in_unity(first)
        nearest = np.abs(made - place).max(axis=(1, 2))
        assert nearest.min() < 1e-4
    assert np.abs(made[-1] - in_unity(frames[-1])).max() < 1e-4
    times = [m.params[0] for told in frames for m in told if m.address == "/VMC/Ext/T"]
    assert times == sorted(times)


def test_a_conversation_is_played_to_its_end(kinesphere: Run, server: ServerProcess) -> None:
    said = ("--say", "wave", "--say", "jump", "-d", "0.5", "--speed", "4")
    done = kinesphere("live", *said, KINESPHERE_URL=server.url)
    assert done.returncode == 0, done.stderr
    # The second begins with the last frame of the first.
    assert f"{28 / 30:.2f} s" in done.stdout
    assert done.stderr.index("wave") < done.stderr.index("jump")


@pytest.mark.slow
def test_a_stream_goes_on_where_its_server_was_killed(
    tmp_path: Path, receiver: socket.socket
) -> None:
    own = ServerProcess(tmp_path / "data", {"KINESPHERE_MODELS": "choreo"}).start()
    own.port = httpx.URL(own.url).port or 0
    with Client(own.url) as client:
        job = client.submit("a man walks and waves", duration=6, seed=1, wait=30)
    command = [sys.executable, "-m", "kinesphere", "live", job.id, "--url", own.url]
    command += ["--vmc", f"127.0.0.1:{receiver.getsockname()[1]}"]
    try:
        with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as playing:
            receiver.settimeout(20.0)
            for _ in range(2 * 60):
                receiver.recv(65_536)
            own.kill()
            own.start(ready=False)
            told, said = playing.communicate(timeout=40.0)
    finally:
        own.kill()
    assert playing.returncode == 0, said
    assert "trying again in 0.5 s" in said
    # Each frame about once: those that were seen before did not come again.
    assert "5.97 s" in told
    assert 120 <= int(told.split()[0]) <= 190, told


def test_what_cannot_be_played_is_told(kinesphere: Run, server: ServerProcess) -> None:
    nobody = kinesphere("live", "01KAZ6T3V9S2Q4W8E0R5Y7T1S3", "--url", server.url)
    assert (nobody.returncode, "JOB_NOT_FOUND" in nobody.stderr) == (2, True)
    assert kinesphere("live").returncode == 2
    assert kinesphere("live", "x", "--vmc", "127.0.0.1:none").returncode == 2
    unsaid = kinesphere("live", "--say", "wave", "--say", "xyzzy plugh", "--url", server.url)
    assert (unsaid.returncode, "PROMPT_NOT_UNDERSTOOD" in unsaid.stderr) == (2, True)


def test_the_t_pose_is_unitys_and_frames_survive_their_bytes() -> None:
    offsets = [(float(x), float(y), float(z)) for x, y, z in STANDARD.offsets]
    rest = Frame(7, 0.25, offsets[0], (0.0, 0.0, 0.0, 1.0) * 22)
    told = [m for d in Performer(STANDARD.names, offsets).datagrams(rest, 1.5) for m in messages(d)]
    places = in_unity(told)
    assert places[STANDARD.names.index("L_Wrist")][0] < -0.5, "Unity's left is at negative x"
    assert places[STANDARD.names.index("L_Foot")][2] > 0.1, "it faces positive z"
    data = packed(7, 0.25, np.array([*rest.root, *rest.turns], dtype="<f4").tobytes())
    again = unpacked(data)
    assert (again.number, again.time, again.turns) == (7, 0.25, rest.turns)
    for wrong in (b"", data[:-1], b"\2" + data[1:], data[:1] + b"\2" + data[2:]):
        with pytest.raises(BadFrame):
            unpacked(wrong)
