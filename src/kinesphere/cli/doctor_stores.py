"""What `kinesphere doctor` says of the servers that the settings name: whether they answer."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from kinesphere.cli.findings import Finding
from kinesphere.settings import Settings

PATIENCE: Final = 5
"""Seconds that a server has to answer."""


class _NotYet(Exception):
    """Something is missing that the platform makes by itself."""


def stores(settings: Settings) -> Iterator[Finding]:
    """One finding for each store or broker that is set; nothing there is changed."""
    checks: tuple[tuple[str, object, Callable[[Settings], str], str], ...] = (
        ("database", settings.database_url, _database, "database_url; then kinesphere db upgrade"),
        ("redis", settings.redis_url, _redis, "redis_url and that the server runs"),
        ("broker", settings.broker_url, _broker, "broker_url and that the server runs"),
        ("artifacts", settings.artifacts_url, _artifacts, "artifacts_url and AWS_ACCESS_KEY_ID"),
    )
    for name, value, check, look in checks:
        if value is None:
            continue
        try:
            yield Finding(name, "ok", check(settings))
        except _NotYet as error:
            yield Finding(name, "warn", str(error), "nothing, if the first process may make it")
        except ModuleNotFoundError as error:
            advice = "pip install 'kinesphere[cluster]'"
            yield Finding(name, "fail", f"{error.name} is not installed", advice)
        except Exception as error:
            # Each client has errors of its own. Their first line names the place, and no password.
            lines = str(error).strip().splitlines() or [type(error).__name__]
            yield Finding(name, "fail", lines[0][:200], f"look at {look}")


def _database(settings: Settings) -> str:
    from kinesphere.adapters.clock import SystemClock
    from kinesphere.adapters.feed_embedded import EmbeddedFeed
    from kinesphere.adapters.ledger_sql import SqlLedger
    from kinesphere.wiring import parts

    async def look() -> int:
        url = parts.database(settings)
        ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed(), upgrade=False)
        try:
            return sum((await ledger.counts()).values())
        finally:
            await ledger.close()

    return f"answers, its tables are up to date, {asyncio.run(look()):,} jobs"


def _redis(settings: Settings) -> str:
    import redis

    from kinesphere.wiring.parts import plain

    url = plain(settings.redis_url)
    with redis.Redis.from_url(
        url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE
    ) as client:
        version = client.info("server").get("redis_version", "unknown")
    return f"answers, version {version}"


def _broker(settings: Settings) -> str:
    from kombu import Connection

    from kinesphere.wiring.parts import plain

    with Connection(plain(settings.broker_url), connect_timeout=PATIENCE) as connection:
        connection.ensure_connection(max_retries=1, timeout=PATIENCE)
        return f"answers: {connection.as_uri()}"


def _artifacts(settings: Settings) -> str:
    from kinesphere.adapters.artifacts_s3 import Patience, S3Artifacts
    from kinesphere.adapters.clock import SystemClock
    from kinesphere.adapters.s3_location import Location
    from kinesphere.ports import StorageFailed

    location = Location.parse(settings.artifacts_url or "")
    hurried = Patience(PATIENCE, PATIENCE, PATIENCE, PATIENCE, 1)

    async def look() -> None:
        async for _ in S3Artifacts(location, SystemClock(), patience=hurried).keys():
            return

    try:
        asyncio.run(look())
    except StorageFailed as error:
        if "NoSuchBucket" in str(error):
            raise _NotYet(f"answers; bucket {location.bucket} does not exist yet") from None
        raise
    return f"answers, and bucket {location.bucket} can be listed"
