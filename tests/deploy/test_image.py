"""The image, built from a plain Debian root and started."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from deploy.onebox.debian import install

from kinesphere import Client
from tests.deploy.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a Debian root and enters it"),
]

BASE, IMAGE = "localhost/plain-debian", "localhost/kinesphere:cpu"
INSIDE = "python3,python3-venv,ca-certificates"


@dataclass(frozen=True)
class Store:
    """Images and containers in a folder of their own."""

    folder: Path

    def command(self, *words: str | Path) -> list[str]:
        own = ["--root", self.folder / "root", "--runroot", self.folder / "run"]
        return [str(word) for word in ("buildah", *own, "--storage-driver", "overlay", *words)]

    def __call__(self, *words: str | Path) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout.strip()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the image of the target `cpu`."""
    install("buildah", "buildah")
    folder = tmp_path_factory.mktemp("images")
    root = folder / "debian.tar"
    words = ["--variant=minbase", f"--include={INSIDE}", "bookworm", str(root)]
    subprocess.run([install("mmdebstrap", "mmdebstrap"), *words], check=True, capture_output=True)
    # It is taken along as it lies there. Its build heeds no options of the make that tests.
    plain_environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(
        ["make", "studio"], cwd=ROOT, env=plain_environment, check=True, capture_output=True
    )
    made = Store(folder)
    plain = made("from", "scratch")
    made("add", "-q", plain, root, "/")
    made("commit", "-q", "--rm", plain, BASE)
    # What this machine trusts and where its packages come from is its own, and not the image's.
    (folder / "uv.toml").write_text("system-certs = true\n")
    mounts = ["-v", "/etc/ssl/certs:/etc/ssl/certs:ro"]
    mounts += ["-v", f"{folder / 'uv.toml'}:/etc/uv/uv.toml:ro"]
    if Path("/etc/pip.conf").exists():
        mounts += ["-v", "/etc/pip.conf:/etc/pip.conf:ro"]
    made(
        *("bud", "--isolation", "chroot", "--network", "host", "--pull-never", *mounts),
        *("--build-arg", f"BASE={BASE}", "--build-arg", "COMPILE=0"),
        *("--target", "cpu", "-f", ROOT / "deploy" / "docker" / "Dockerfile", "-t", IMAGE, ROOT),
    )
    yield made
    made("rm", "--all")
    made("rmi", "--all", "--force")


def test_it_says_what_it_is(store: Store) -> None:
    config = json.loads(store("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["kinesphere"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert list(config["Volumes"]) == ["/data"]


def test_it_serves_a_motion_and_leaves_when_told(store: Store, tmp_path: Path) -> None:
    container = store("from", "--pull-never", IMAGE)
    inside = ("run", "--isolation", "chroot", "--network", "host", container, "--")
    assert store(*inside, "id", "-u") == "10001"
    bill = json.loads(store(*inside, "cat", "/opt/kinesphere/sbom.cdx.json"))
    assert {"kinesphere", "fastapi", "celery", "psycopg"} <= {c["name"] for c in bill["components"]}
    # The shell tells its number, which is then the server's: a group would be signalled twice, by
    # us and by who started it.
    words = "echo $$; exec kinesphere serve --port 0 --log-format json"
    serving = store.command(*inside, "sh", "-c", words)
    with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        server = int(process.stdout.readline())
        try:
            lines = (json.loads(line) for line in process.stderr if line.startswith(b"{"))
            url = next(line["url"] for line in lines if line.get("action") == "server.listening")
            assert '<div id="app">' in httpx.get(url).text
            with Client(url) as client:
                job = client.wait(client.submit("a man walks", duration=2), timeout=120)
                assert client.download(job, to=tmp_path / "w.bvh").stat().st_size > 10_000
        finally:
            os.kill(server, signal.SIGTERM)
        assert process.wait(60) == 0
