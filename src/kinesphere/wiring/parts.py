"""Adapters by the settings that name them."""

import asyncio
import logging
import os
import secrets
import socket
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
from kinesphere.adapters.tracing import Tracing
from kinesphere.core.catalog import Catalog
from kinesphere.core.replicas import Status
from kinesphere.core.scaling.division import Hardware
from kinesphere.core.scaling.plan import Policy
from kinesphere.core.webhooks import Schedule, key_of
from kinesphere.elastic.policies import FileInvalid, PolicyFile, PolicyTable, read
from kinesphere.ports import Clock, Feed, Ledger, Limits
from kinesphere.service import Service
from kinesphere.service.identity import ApiKeys, Identity
from kinesphere.settings import Settings
from kinesphere.settings.identity import loopback
from kinesphere.wiring.roles import Incomplete, Role
from kinesphere.worker.turns import Turns

if TYPE_CHECKING:
    from kinesphere.adapters.artifacts_s3 import S3Artifacts
    from kinesphere.adapters.feed_redis import RedisFeed
    from kinesphere.adapters.hint_depth import HintDepth
    from kinesphere.adapters.oidc import OidcTokens
    from kinesphere.adapters.pod_cost import PodCost
    from kinesphere.adapters.webhooks import Deliverer
    from kinesphere.http.limits import Rates


_log = logging.getLogger("kinesphere.server")


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


async def ledger(settings: Settings, clock: Clock, announce: Feed, readers: int) -> SqlLedger:
    """The ledger. A database of our own is brought up to date; one that is shared must be.

    `readers` is how much it may read at once. Raises LedgerUnavailable.
    """
    return await SqlLedger.open(
        database(settings),
        clock,
        announce,
        key_seconds=settings.idempotency_hours * 3_600.0,
        upgrade=settings.database_url is None,
        readers=readers,
    )


async def upgrade_database(settings: Settings) -> str:
    """Bring the database up to date, and tell its revision. Raises LedgerUnavailable."""
    opened = await SqlLedger.open(database(settings), SystemClock(), EmbeddedFeed(), upgrade=True)
    await opened.close()
    from kinesphere.adapters import migrations  # noqa: PLC0415 - with the ledger

    return migrations.HEAD


def shared_feed(
    settings: Settings, clock: Clock, past: Callable[[], Ledger], *, cancelled_only: bool
) -> "RedisFeed":
    """News between processes; `past` gives the ledger, which is made with the feed."""
    from kinesphere.adapters.feed_redis import RedisFeed  # noqa: PLC0415 - where there is Redis

    return RedisFeed(
        plain(settings.redis_url),
        clock,
        lambda after, limit: past().events(after, limit=limit),
        cancelled_only=cancelled_only,
    )


def shared_turns(feed: "RedisFeed", clock: Clock, pool: str, name: str) -> Turns:
    """The turns of a pool that processes share; `name` is that of this one."""
    from kinesphere.adapters.turns_redis import RedisTurns  # noqa: PLC0415 - where there is Redis

    news = RedisTurns(feed, pool)
    turns = Turns(name, news.tell)
    news.hear(lambda turn: turns.heard(clock.monotonic(), turn))
    return turns


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


def tracing(
    settings: Settings, clock: Clock, role: Role, instance: str, stack: AsyncExitStack
) -> Tracing | None:
    """Who makes spans, where they are wanted; what is left is sent at the end of `stack`.

    Raises Incomplete where OpenTelemetry is not installed.
    """
    if settings.otlp_endpoint is None:
        return None
    try:
        from kinesphere.adapters.tracing_otlp import OtlpSpans  # noqa: PLC0415 - optional, slow
    except ModuleNotFoundError as error:
        raise Incomplete(
            f"otlp_endpoint is set, and {error.name} is missing: install kinesphere[tracing]"
        ) from None
    spans = OtlpSpans(settings.otlp_endpoint, role.value, instance)
    stack.push_async_callback(asyncio.to_thread, spans.close)
    return Tracing(clock, spans.tell)


def hint_depth(settings: Settings, catalog: Catalog) -> "HintDepth | None":
    """Who counts the hints that wait, where the broker is Redis."""
    url = plain(settings.broker_url)
    if not url.startswith(("redis://", "rediss://")):
        return None
    from kinesphere.adapters.hint_depth import HintDepth  # noqa: PLC0415 - where there is Redis

    return HintDepth(url, catalog.pools())


def policies(settings: Settings, catalog: Catalog) -> Mapping[str, Policy]:
    """The scaling policy of each pool, or none. Raises Incomplete for a file that is not right."""
    return {pool: table.made(0.0) for pool, table in scaling(settings, catalog).items()}


def hardware(settings: Settings, catalog: Catalog, served: Sequence[str]) -> Mapping[str, Hardware]:
    """What replicas may be on, of each pool that has a choice.

    Raises Incomplete where the policy declares tiers for a pool that is served here, and this
    process does not say on which of them it is.
    """
    found = {
        pool: choice
        for pool, table in scaling(settings, catalog).items()
        if (choice := table.hardware()) is not None
    }
    for pool in served:
        names = [tier.name for tier in found[pool].tiers] if pool in found else [settings.tier]
        if settings.tier not in names:
            raise Incomplete(
                f"tier is {settings.tier!r}, and {settings.scaling_policy} has for the pool "
                f"{pool} only {', '.join(names)}"
            )
    return found


def currency(settings: Settings) -> str:
    """What the policy file says that its prices are in, or "". Raises Incomplete."""
    return "" if (file := _policy_file(settings)) is None else file.currency


def _policy_file(settings: Settings) -> PolicyFile | None:
    if settings.scaling_policy is None:
        return None
    try:
        return read(settings.scaling_policy, PolicyFile)
    except FileInvalid as error:
        raise Incomplete(str(error)) from None


def scaling(settings: Settings, catalog: Catalog) -> Mapping[str, PolicyTable]:
    """The policy file's table for each pool, or none. Raises Incomplete."""
    table = _policy_file(settings)
    if table is None:
        return {}
    unknown = sorted(set(table.pools) - set(catalog.pools()))
    if unknown:
        known = ", ".join(catalog.pools())
        raise Incomplete(f"{settings.scaling_policy}: no pool {unknown[0]!r}; there are {known}")
    return {pool: table.of(pool) for pool in catalog.pools()}


def pod_cost(
    settings: Settings, clock: Clock, everyone: Callable[[], Sequence[Status]]
) -> "PodCost | None":
    """Who tells Kubernetes what the end of this pod would cost, where that is wanted."""
    if not settings.pod_deletion_cost:
        return None
    from kinesphere.adapters.pod_cost import Pod, PodCost  # noqa: PLC0415 - in a pod only

    pod = Pod.here(os.environ, settings.pod_name or socket.gethostname())
    if pod is None:
        _log.warning("not in a pod: no deletion cost is told", extra={"action": "pod_cost_off"})
        return None
    return PodCost(pod, clock, everyone)


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


def artifact_origins(settings: Settings) -> tuple[str, ...]:
    """Where links to artifacts lead: this server's public address, or the store's, or the CDN's."""
    if settings.cdn_url is not None:
        link = settings.cdn_url
    elif settings.artifacts_url is not None:
        from kinesphere.adapters.s3_location import Location  # noqa: PLC0415 - where there is S3

        link = Location.parse(settings.artifacts_url).address
    else:
        link = settings.public_url or ""
    parts = urlsplit(link)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


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
