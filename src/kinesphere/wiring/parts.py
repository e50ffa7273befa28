"""Adapters by the settings that name them."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import URL
from ulid import ULID

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.folder import LEDGER
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.limits_memory import MemoryLimits
from kinesphere.adapters.metrics import Metrics
from kinesphere.adapters.secret import signing_secret
from kinesphere.core.catalog import Catalog
from kinesphere.core.scaling.plan import Policy
from kinesphere.core.webhooks import Schedule, key_of
from kinesphere.elastic.policies import FileInvalid, PolicyFile, read
from kinesphere.ports import Clock, Feed, Ledger, Limits
from kinesphere.service import Service
from kinesphere.service.identity import ApiKeys, Identity
from kinesphere.settings import Settings
from kinesphere.settings.identity import loopback
from kinesphere.wiring.roles import Incomplete

if TYPE_CHECKING:
    from kinesphere.adapters.artifacts_s3 import S3Artifacts
    from kinesphere.adapters.feed_redis import RedisFeed
    from kinesphere.adapters.oidc import OidcTokens
    from kinesphere.adapters.webhooks import Deliverer
    from kinesphere.http.limits import Rates


def new_id() -> str:
    """A ULID."""
    return str(ULID())


def plain(secret: SecretStr | None) -> str:
    """What a setting that is not shown says; "" where it is not set."""
    return "" if secret is None else secret.get_secret_value()


def database(settings: Settings) -> str:
    """The ledger's SQLAlchemy URL."""
    path = settings.data / LEDGER
    return plain(settings.database_url) or _sqlite(path)


def _sqlite(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


async def ledger(settings: Settings, clock: Clock, announce: Feed) -> SqlLedger:
    """The ledger. A database of our own is brought up to date; one that is shared must be.

    Raises LedgerUnavailable.
    """
    return await SqlLedger.open(
        database(settings),
        clock,
        announce,
        key_seconds=settings.idempotency_hours * 3_600.0,
        upgrade=settings.database_url is None,
    )


async def upgrade_database(settings: Settings) -> str:
    """Bring the database up to date, and tell its revision. Raises LedgerUnavailable."""
    opened = await SqlLedger.open(database(settings), SystemClock(), EmbeddedFeed(), upgrade=True)
    await opened.close()
    from kinesphere.adapters import migrations  # noqa: PLC0415 - with the ledger

    return migrations.HEAD


def shared_feed(settings: Settings, clock: Clock, past: Callable[[], Ledger]) -> "RedisFeed":
    """News between processes; `past` gives the ledger, which is made with the feed."""
    from kinesphere.adapters.feed_redis import RedisFeed  # noqa: PLC0415 - where there is Redis

    return RedisFeed(
        plain(settings.redis_url),
        clock,
        lambda after, limit: past().events(after, limit=limit),
    )


async def shared_artifacts(settings: Settings, clock: Clock) -> "S3Artifacts":
    """The S3 store, its bucket there. Raises StorageFailed, ValueError."""
    from kinesphere.adapters.artifacts_s3 import S3Artifacts  # noqa: PLC0415 - where there is S3
    from kinesphere.adapters.cdn import CdnLinks  # noqa: PLC0415
    from kinesphere.adapters.s3_location import Location  # noqa: PLC0415

    links = None
    if settings.cdn_url is not None:
        links = CdnLinks(settings.cdn_url, plain(settings.cdn_secret).encode())
    store = S3Artifacts(Location.parse(settings.artifacts_url or ""), clock, None, links)
    await store.prepare()
    return store


def local_artifacts(settings: Settings, clock: Clock) -> LocalArtifacts:
    """The store in the data folder."""
    return LocalArtifacts(settings.data / "artifacts", secret(settings), clock)


def limits(settings: Settings, clock: Clock, metrics: Metrics) -> Limits:
    """Counts of requests, in memory or in Redis."""
    if settings.redis_url is None:
        return MemoryLimits(clock)
    # The library and the client of Redis, which most servers do not need.
    from kinesphere.adapters.limits_redis import RedisLimits  # noqa: PLC0415

    return RedisLimits(plain(settings.redis_url), clock, metrics.limit_fallback)


def policies(settings: Settings, catalog: Catalog) -> Mapping[str, Policy]:
    """The scaling policy of each pool, or none. Raises Incomplete for a file that is not right."""
    if settings.scaling_policy is None:
        return {}
    try:
        table = read(settings.scaling_policy, PolicyFile)
    except FileInvalid as error:
        raise Incomplete(str(error)) from None
    unknown = sorted(set(table.pools) - set(catalog.pools()))
    if unknown:
        known = ", ".join(catalog.pools())
        raise Incomplete(f"{settings.scaling_policy}: no pool {unknown[0]!r}; there are {known}")
    return {pool: table.of(pool).made(0.0) for pool in catalog.pools()}


def rates(settings: Settings) -> "Rates":
    """How many requests are too many."""
    from kinesphere.http.limits import Rates, quota  # noqa: PLC0415 - with FastAPI

    seconds = settings.rate_burst_seconds
    return Rates(
        user=quota(settings.rate_limit, seconds),
        routes={r: quota(n, seconds) for r, n in settings.rate_limit_routes.items()},
        address=quota(settings.rate_limit_address, seconds),
    )


def secret(settings: Settings) -> bytes:
    """What links and webhooks are signed with."""
    if settings.link_secret is not None:
        return plain(settings.link_secret).encode()
    return signing_secret(settings.data)


def hosts(settings: Settings) -> frozenset[str] | None:
    """Names under which a server that listens on loopback may be asked; None for any other.

    Beyond loopback there are credentials, which a page on another site does not have.
    """
    if not loopback(settings.host):
        return None
    names = {"localhost", "127.0.0.1", "[::1]", settings.host, f"[{settings.host}]"}
    public = urlsplit(settings.public_url or "").hostname
    return frozenset(names | ({public} if public else set()))


def deliverer(
    settings: Settings, service: Service, ledger: Ledger, metrics: Metrics, base: str
) -> "Deliverer":
    """Whoever posts webhooks; links in them that lead to this platform begin with `base`."""
    # With the HTTP application, whose views webhooks show.
    from kinesphere.adapters.webhooks import Deliverer, Poster, WebhookTerms  # noqa: PLC0415
    from kinesphere.http.views import webhook_body  # noqa: PLC0415

    schedule = Schedule(settings.webhook_retry_seconds, settings.webhook_attempts)
    terms = WebhookTerms(settings.webhook_seconds, schedule, settings.webhook_allow)
    return Deliverer(
        ledger=ledger,
        clock=SystemClock(),
        poster=Poster(terms),
        keys=webhook_keys(settings),
        body=partial(webhook_body, service, base),
        outcome=metrics.webhook,
        terms=terms,
    )


def webhook_keys(settings: Settings) -> Callable[[str], Sequence[bytes]]:
    """The keys that sign a user's webhooks, the one to use first."""
    given = [s for s in (settings.webhook_secret, settings.webhook_secret_previous) if s]
    roots = [plain(each).encode() for each in given]
    if settings.webhook_secret is None:
        roots.insert(0, secret(settings))

    def keys(user: str) -> Sequence[bytes]:
        return [key_of(root, user) for root in roots]

    return keys


@asynccontextmanager
async def api_keys(settings: Settings, clock: Clock) -> AsyncIterator[ApiKeys]:
    """The API keys beside the ledger, whether or not a server runs.

    Raises LedgerUnavailable, and OSError when the data folder cannot be used.
    """
    from kinesphere.adapters.sql.keys import SqlKeys  # noqa: PLC0415 - where keys are in use

    if settings.database_url is None:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = await SqlKeys.open(database(settings))
    keys = ApiKeys(store, clock, new_id, secrets.token_bytes)
    try:
        yield keys
    finally:
        await keys.settle()
        await store.close()


@asynccontextmanager
async def identity(settings: Settings, clock: Clock) -> AsyncIterator[Identity | None]:
    """Who may ask, as configured; None for everybody who reaches us."""
    if not settings.authentication:
        yield None
        return
    async with AsyncExitStack() as stack:
        keys = tokens = None
        if "keys" in settings.authentication:
            keys = await stack.enter_async_context(api_keys(settings, clock))
        if "oidc" in settings.authentication:
            tokens = _tokens(settings, clock)
            stack.push_async_callback(tokens.close)
        yield Identity(keys, tokens)


def _tokens(settings: Settings, clock: Clock) -> "OidcTokens":
    # Cryptography is slow to import, and most servers check no signatures.
    from kinesphere.adapters import oidc  # noqa: PLC0415
    from kinesphere.adapters.issuer import Issuer  # noqa: PLC0415

    terms = oidc.Terms(
        audience=settings.oidc_audience,
        user_claim=settings.oidc_user_claim,
        user_prefix=settings.oidc_user_prefix,
        scope_claim=settings.oidc_scope_claim,
        scope_prefix=settings.oidc_scope_prefix,
        leeway=settings.oidc_leeway_seconds,
    )
    issuer = Issuer(settings.oidc_issuer or "", settings.oidc_allow_http)
    return oidc.OidcTokens(issuer, terms, clock)
