"""The only place that chooses adapters: settings in, a running platform out."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from sqlalchemy import URL
from ulid import ULID

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.folder import LEDGER, owned, tell_address
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.job_log import JobLog
from kinesphere.adapters.job_news import JobNews
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.metric_gauges import Reading
from kinesphere.adapters.metrics import Metrics
from kinesphere.adapters.retention import Retention
from kinesphere.adapters.secret import signing_secret
from kinesphere.core.catalog import Catalog
from kinesphere.engines.catalog import discover
from kinesphere.ports import Clock
from kinesphere.service import Service, Terms
from kinesphere.settings import Settings
from kinesphere.worker import supervisor
from kinesphere.worker.fleet import Fleet, Keeper
from kinesphere.worker.holding import Seams
from kinesphere.worker.pools import LocalPools
from kinesphere.worker.process import Launch
from kinesphere.worker.supervisor import Post, Replica

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger("kinesphere.server")


@dataclass(frozen=True, slots=True)
class Platform:
    """A whole embedded system, running."""

    settings: Settings
    clock: Clock
    catalog: Catalog
    service: Service
    fleet: Fleet
    files: LocalArtifacts
    metrics: Metrics

    def app(self) -> "FastAPI":
        """Its HTTP application."""
        # FastAPI is half of the time that a one-shot command would need to start.
        from kinesphere.adapters.fetch import FetchTerms, PictureFetcher  # noqa: PLC0415
        from kinesphere.http.app import create_app  # noqa: PLC0415
        from kinesphere.http.gateway import Gateway  # noqa: PLC0415

        settings = self.settings
        return create_app(
            Gateway(
                service=self.service,
                files=self.files,
                metrics=self.metrics,
                fetcher=PictureFetcher(
                    FetchTerms(
                        settings.picture_limit_bytes, settings.fetch_seconds, settings.fetch_allow
                    )
                ),
                body_limit=settings.body_limit_bytes,
                # Room for a mask, and for what multipart adds.
                file_limit=2 * settings.picture_limit_bytes + 65_536,
                wait_limit=settings.sync_wait_seconds,
                public_url=settings.public_url,
                hosts=_hosts(settings),
                monotonic=self.clock.monotonic,
                new_id=_new_id,
            )
        )

    async def drain(self, grace: float) -> None:
        """Take no more work, and give what runs `grace` seconds; the rest goes back."""
        self.service.intake.closed = True
        await self.fleet.drain(grace)


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncIterator[Platform]:
    """The whole system in this process, its engines in child processes, until the end.

    Raises:
        FolderBusy: another server owns the data folder.
        CatalogError: a model asked for is not installed.
        LedgerUnavailable, OSError: the data folder cannot be used.
    """
    catalog = discover(settings.models)
    clock, feed = SystemClock(), EmbeddedFeed()
    hints = EmbeddedHints(clock)
    async with AsyncExitStack() as stack:
        stack.enter_context(owned(settings.data))
        ledger = await SqlLedger.open(_sqlite(settings.data / LEDGER), clock, feed)
        stack.push_async_callback(ledger.close)
        # We own the folder, so whoever held a job is no more.
        await ledger.recover("")
        artifacts = LocalArtifacts(settings.data / "artifacts", _secret(settings), clock)

        async def read() -> Reading:
            return Reading(
                backlogs=await ledger.backlogs(),
                counts=await ledger.counts(),
                memory=pools.memory(),
            )

        metrics = Metrics(catalog, clock, read)
        seams = Seams(clock, ledger, hints, feed, artifacts, metrics)
        fleet = Fleet(clock, partial(_replica, settings, catalog, seams))
        pools = LocalPools(catalog, fleet, clock)
        service = Service(
            catalog=catalog,
            ledger=ledger,
            hints=hints,
            feed=feed,
            artifacts=artifacts,
            pools=pools,
            clock=clock,
            new_id=_new_id,
            new_seed=lambda: secrets.randbits(32),
            terms=Terms(
                link_seconds=settings.link_seconds,
                max_queue=settings.max_queue,
                picture_bytes=settings.picture_limit_bytes,
                picture_pixels=settings.picture_limit_pixels,
            ),
        )
        teller = JobLog(prompt_text=settings.prompt_log)
        news = JobNews(feed, ledger.get, [teller.tell, metrics.tell])
        keeper = Keeper(clock, ledger, hints, settings.reap_seconds)
        retention = Retention(ledger, artifacts, clock, settings.retention_days)
        running = [asyncio.create_task(_kept(loop, clock)) for loop in (news, keeper, retention)]
        platform = Platform(settings, clock, catalog, service, fleet, artifacts, metrics)
        for pool in catalog.pools():
            fleet.scale(pool, settings.replicas_of(pool), grace=settings.drain_seconds)
        try:
            yield platform
        finally:
            await platform.drain(0.0)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def serve(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve the whole system until SIGINT or SIGTERM, then drain; a second one stops at once.

    Raises AddressInUse, and what `embedded` raises, before anything is served.
    """
    from kinesphere.http.server import Server, address, bind  # noqa: PLC0415 - with FastAPI

    listener = bind(settings.host, settings.port)
    with listener:
        async with embedded(settings) as platform:
            url = address(listener)
            server = Server(platform.app())
            wanted = _Signals()
            serving = asyncio.create_task(server.serve([listener]))
            tell_address(settings.data, url)
            listening(url)
            await _first(serving, wanted.leave)
            draining = asyncio.create_task(platform.drain(settings.drain_seconds))
            await _first(serving, draining, wanted.stop)
            if not draining.done():
                await platform.drain(0.0)
            await draining
            platform.service.jobs.let_go()
            server.should_exit = True
            await _first(serving, wanted.stop)
            server.force_exit = True
            await serving


class _Loop(Protocol):
    async def run(self) -> None: ...


async def _kept(loop: _Loop, clock: Clock) -> None:
    """Run a loop for ever: a fault in one of them must not take the server down."""
    while True:
        try:
            await loop.run()
        except Exception:
            name = type(loop).__name__
            _log.exception("%s ended by a fault of ours", name, extra={"action": "loop_failed"})
        await clock.sleep(1.0)


class _Signals:
    """What the operator wants: the first signal means leave, the second stop."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()
        self.stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._received)

    def _received(self) -> None:
        (self.stop if self.leave.is_set() else self.leave).set()


async def _first(*awaitables: asyncio.Task[None] | asyncio.Event) -> None:
    """Return when one is done or set; an error of a task is raised."""
    waits = {
        asyncio.ensure_future(a.wait()) if isinstance(a, asyncio.Event) else a for a in awaitables
    }
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits - set(awaitables):
        task.cancel()
    for task in done:
        task.result()


def _replica(settings: Settings, catalog: Catalog, seams: Seams, pool: str, number: int) -> Replica:
    model, stage = catalog.pools()[pool]
    worker = f"{socket.gethostname()}/{os.getpid()}/{pool}/{number}"
    terms = supervisor.Terms(
        lease=settings.lease_seconds,
        poll=settings.poll_seconds,
        cancel_grace=settings.cancel_grace_seconds,
    )
    launch = Launch(threads=settings.threads_per_replica)
    formats = model.formats if model.task == "motion" else ()
    return Replica(seams, Post(pool, model.name, stage, worker, formats), launch, terms)


def _sqlite(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def _secret(settings: Settings) -> bytes:
    if settings.link_secret is not None:
        return settings.link_secret.get_secret_value().encode()
    return signing_secret(settings.data)


def _hosts(settings: Settings) -> frozenset[str]:
    """Names under which a server that listens on loopback may be asked."""
    names = {"localhost", "127.0.0.1", "[::1]", settings.host, f"[{settings.host}]"}
    public = urlsplit(settings.public_url or "").hostname
    return frozenset(names | ({public} if public else set()))


def _new_id() -> str:
    return str(ULID())
