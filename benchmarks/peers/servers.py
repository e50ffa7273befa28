"""The servers that targets need, real and of their own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.target import Servers
from deploy.onebox.postgres_server import postgres_server
from deploy.onebox.redis_server import redis_server
from deploy.onebox.s3_server import CREDENTIALS, s3_server


@contextmanager
def redis() -> Iterator[Servers]:
    """A Redis that keeps nothing on disk."""
    with redis_server() as server:
        yield Servers({"PEERS_REDIS": server.url}, (server.pid,))


@contextmanager
def cluster() -> Iterator[Servers]:
    """What a cluster of Kinesphere shares: PostgreSQL, that Redis, and an S3 server."""
    with postgres_server() as postgres, redis_server() as redis, s3_server() as s3:
        upgrade = [sys.executable, "-m", "kinesphere", "db", "upgrade"]
        own = {**os.environ, "KINESPHERE_DATABASE_URL": postgres.url}
        subprocess.run(upgrade, env=own, check=True, stdout=subprocess.DEVNULL)
        yield Servers(
            {
                "KINESPHERE_DATABASE_URL": postgres.url,
                "KINESPHERE_REDIS_URL": redis.url,
                "KINESPHERE_BROKER_URL": redis.url,
                "KINESPHERE_ARTIFACTS_URL": s3.url("kinesphere"),
                "KINESPHERE_LINK_SECRET": secrets.token_hex(32),
                "AWS_ACCESS_KEY_ID": CREDENTIALS.key_id,
                "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret,
            },
            (postgres.pid, redis.pid, s3.pid),
        )
