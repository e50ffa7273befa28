"""The cluster: PostgreSQL, Redis, an S3 server, APIs, workers, sweepers, and nginx in front.

    python -m deploy.onebox.cluster [--apis 2] [--workers choreo=2,relief.shape=1,relief.texture=1]

starts all of it on loopback with its data under `out/cluster`, makes a motion and a mesh through
nginx, and stops. With `--stay` it goes on until Ctrl-C.
"""

import argparse
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.onebox.nginx import Nginx
from deploy.onebox.postgres_server import PostgresServer, postgres_server
from deploy.onebox.processes import Api, Process
from deploy.onebox.redis_server import RedisServer, redis_server
from deploy.onebox.s3_server import CREDENTIALS, S3Server, s3_server

WORKERS = {"choreo": 1, "relief.shape": 1, "relief.texture": 1}

_FRONT = Path(__file__).parents[1] / "nginx" / "kinesphere.conf"


@dataclass
class Cluster:
    """Everything that runs. Its parts may be killed, stopped and started one by one.

    Attributes:
        settings: KINESPHERE_* variables of every process; parts that are started later see changes.
    """

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    s3: S3Server
    settings: dict[str, str]
    apis: list[Api] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    sweepers: list[Process] = field(default_factory=list)

    def api(self, **settings: str) -> Api:
        """One more API, answering."""
        name = f"api-{len(self.apis) + 1}"
        made = Api(name, ["api", "--port", "0"], self.folder, self.settings | settings)
        self.apis.append(made)
        made.start()
        return made

    def worker(self, pool: str, **settings: str) -> Process:
        """One more worker of a pool, begun."""
        name = f"worker-{pool}-{len(self.workers) + 1}"
        words = ["worker", "--pool", pool]
        made = Process(name, words, self.folder, self.settings | settings)
        self.workers.append(made)
        made.start()
        return made

    def sweeper(self, **settings: str) -> Process:
        """One more sweeper, begun."""
        name = f"sweeper-{len(self.sweepers) + 1}"
        made = Process(name, ["sweeper"], self.folder, self.settings | settings)
        self.sweepers.append(made)
        made.start()
        return made

    @property
    def processes(self) -> list[Process]:
        """Every process of Kinesphere."""
        return [*self.apis, *self.workers, *self.sweepers]

    def ready(self, seconds: float = 90.0) -> None:
        """Return when every worker's replica is loaded and known to the first API."""
        for worker in self.workers:
            worker.said("replica_ready", seconds)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            pools = httpx.get(self.apis[0].url + "/v1/pools", timeout=10).json()["items"]
            seen = sum(n for p in pools for s, n in p["replicas"].items() if s in ("ready", "busy"))
            if seen >= len(self.workers):
                return
            time.sleep(0.1)
        raise AssertionError("the API does not see every worker")

    def close(self) -> None:
        """End every process of Kinesphere without a word."""
        for process in self.processes:
            process.kill()


@contextmanager
def cluster(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """PostgreSQL, Redis and S3, their tables and bucket made; processes are added by the caller."""
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        redis = stack.enter_context(redis_server())
        s3 = stack.enter_context(s3_server())
        shared = {
            "KINESPHERE_DATABASE_URL": postgres.url,
            "KINESPHERE_REDIS_URL": redis.url,
            "KINESPHERE_BROKER_URL": redis.url,
            "KINESPHERE_ARTIFACTS_URL": s3.url("kinesphere"),
            "KINESPHERE_LINK_SECRET": secrets.token_hex(32),
            "KINESPHERE_DATA": str(folder / "data"),
            "AWS_ACCESS_KEY_ID": CREDENTIALS.key_id,
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret,
        }
        made = Cluster(folder, postgres, redis, s3, shared | dict(settings or {}))
        upgrade = Process("upgrade", ["db", "upgrade"], folder, made.settings)
        upgrade.start()
        if upgrade.wait() != 0:
            raise AssertionError(upgrade.log.read_text())
        try:
            yield made
        finally:
            made.close()


def front(made: Cluster, folder: Path) -> Nginx:
    """Nginx before the APIs of a cluster, configured as deploy/nginx does it; not yet started."""
    lines = [
        f"server {api.url.removeprefix('http://')} weight=1 max_fails=2 fail_timeout=5s;"
        for api in made.apis
    ]
    before, _, server = _FRONT.read_text().partition("\nserver {\n")
    http = re.sub(r"server 127\.0\.0\.1:8000 .*;", "\n".join(lines), before)
    # The listening address is the instance's own.
    server = re.sub(r"listen .*;", "", server.rstrip().removesuffix("}"))
    return Nginx(folder, server, http)


def main() -> None:
    """Start it, use it, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--apis", type=int, default=2)
    parser.add_argument("--workers", default=",".join(f"{p}={n}" for p, n in WORKERS.items()))
    parser.add_argument("--stay", action="store_true", help="go on until Ctrl-C")
    given = parser.parse_args()
    out = Path("out/cluster").absolute()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with cluster(out) as made:
        for _ in range(given.apis):
            made.api()
        made.sweeper()
        for item in given.workers.split(","):
            pool, _, number = item.partition("=")
            for _ in range(int(number or 1)):
                made.worker(pool)
        made.ready()
        with tempfile.TemporaryDirectory(prefix="knginx") as folder:
            proxy = front(made, Path(folder))
            proxy.start()
            try:
                print(f"a cluster is ready at {proxy.url} after {time.monotonic() - began:.1f} s")
                print(
                    f"  {len(made.apis)} APIs, {len(made.workers)} workers, 1 sweeper; logs: {out}"
                )
                _demonstrate(proxy.url, out)
                if given.stay:
                    print("Ctrl-C stops it")
                    _until_interrupted()
            finally:
                proxy.kill()
    print("stopped")


def _demonstrate(url: str, out: Path) -> None:
    # The client is what a user would write; imported here, as it must not slow the start.
    from kinesphere import Client

    with Client(url) as client:
        path = out / "motion.bvh"
        began = time.monotonic()
        job = client.submit("a man walks in a circle, then waves", duration=4, cache=False)
        job = client.wait(job, timeout=60)
        client.download(job, to=path)
        print(f"  a motion in {time.monotonic() - began:.2f} s: {path}")


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print(file=sys.stderr)


if __name__ == "__main__":
    os.umask(0o077)
    main()
