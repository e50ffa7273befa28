"""A process of the platform, built by its role and settings."""

import asyncio
import os
import secrets
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.errands import WAITING, ChildErrands
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.folder import owned
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.job_log import JobLog
from kinesphere.adapters.job_news import JobNews, Teller
from kinesphere.adapters.ledger_sql import READERS, SqlLedger
from kinesphere.adapters.metric_gauges import WINDOW, Reading
from kinesphere.adapters.metric_replicas import Rent
from kinesphere.adapters.metrics import Metrics
from kinesphere.adapters.retention import Bounds, Retention
from kinesphere.adapters.tracing import TracedBell
from kinesphere.core.catalog import Catalog
from kinesphere.core.replicas import Status
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.elastic.live.scaler import Scaler
from kinesphere.engines.catalog import served
from kinesphere.ports import Artifacts, Bell, Feed, Hints, SignedFiles
from kinesphere.service import Service, Terms
from kinesphere.service.prices import Prices
from kinesphere.settings import Settings
from kinesphere.wiring import devices, parts
from kinesphere.wiring.loops import Led, Loop, kept
from kinesphere.wiring.platform import Platform
from kinesphere.wiring.roles import Role, check
from kinesphere.worker import course
from kinesphere.worker.course import Post
from kinesphere.worker.fleet import Fleet, Keeper
from kinesphere.worker.gpu_watch import GpuWatch
from kinesphere.worker.held import Seams
from kinesphere.worker.pools import ReplicaPools
from kinesphere.worker.presence import Announcer, Watch
from kinesphere.worker.process import Launch
from kinesphere.worker.status import Observer, Observers, Phases
from kinesphere.worker.supervisor import Replica
from kinesphere.worker.turns import Turns

if TYPE_CHECKING:
    pass


@asynccontextmanager
async def embedded(settings: Settings, url: str | None = None) -> AsyncIterator[Platform]:
    """The whole system in this process, its engines in child processes, until the end.

    Webhooks are delivered where there is a `url`, at which their links lead here.

    Raises:
        Incomplete: the settings are those of a cluster.
        FolderBusy: another server owns the data folder.
        CatalogError: a model asked for is not installed.
        LedgerUnavailable, StorageFailed, OSError: a store cannot be used.
    """
    async with platform(settings, Role.SERVE, url=url) as running:
        yield running


@asynccontextmanager
async def platform(
    settings: Settings, role: Role, *, pool: str | None = None, url: str | None = None
) -> AsyncIterator[Platform]:
    """One process of the platform, until the end. `pool` is that of a worker.

    Raises what `embedded` does.
    """
    check(role, settings)
    catalog = served(settings)
    async with AsyncExitStack() as stack:
        built = _Building(settings, role, catalog, stack, pool)
        running = await built.platform()
        loops = built.loops(running, url)
        tasks = [asyncio.create_task(kept(loop, running.clock)) for loop in loops]
        for name in built.served:
            grace = settings.drain_seconds
            running.fleet.scale(name, built.replicas_at_first(name), grace=grace)
        try:
            yield running
        finally:
            await running.drain(0.0)
            if built.announcer is not None:
                await built.announcer.leave()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Building:
    """The adapters of one process, chosen by its role and settings, and what stands on them."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        catalog: Catalog,
        stack: AsyncExitStack,
        pool: str | None,
    ) -> None:
        self.settings = settings
        self.role = role
        self.catalog = catalog
        self.clock = SystemClock()
        self.stack = stack
        self.alone = role is Role.SERVE
        self.name = f"{socket.gethostname()}/{os.getpid()}"
        self.served = tuple(catalog.pools()) if self.alone else (pool,) if pool else ()
        self.policies = parts.policies(settings, catalog)
        self.hardware = parts.hardware(settings, catalog, self.served)
        self.devices = devices.handed_out(settings, catalog) if self.served else ()
        self.announcer: Announcer | None = None
        self.gpus: GpuWatch | None = None
        self.ledger: SqlLedger
        self.artifacts: Artifacts
        self.fleet: Fleet
        self._more: list[Loop] = []
        self._turns: defaultdict[str, Turns] = defaultdict(Turns)

    async def platform(self) -> Platform:
        """Everything, opened but for its loops."""
        settings, clock, stack = self.settings, self.clock, self.stack
        if self.alone:
            stack.enter_context(owned(settings.data))
        self.tracing = parts.tracing(settings, clock, self.role, self.name, stack)
        feed = self._feed()
        # Of workers there are many, each of which reads next to nothing.
        readers = 1 if self.role is Role.WORKER else READERS
        self.ledger = await parts.ledger(settings, clock, feed, readers)
        stack.push_async_callback(self.ledger.close)
        if self.alone:
            # We own the folder, so whoever held a job is no more.
            await self.ledger.recover("")
            await self.ledger.outbox.release()
        self.artifacts, files = await self._artifacts()
        metrics = Metrics(self.catalog, clock, self._read, self._rent())
        self.metrics = metrics
        limits = parts.limits(settings, clock, metrics)
        stack.push_async_callback(limits.close)
        self.hint_depth = parts.hint_depth(settings, self.catalog)
        if self.hint_depth is not None:
            stack.push_async_callback(self.hint_depth.close)
        bell, hints = self._hints()
        observer: Observer = metrics
        if self.tracing is not None:
            bell = TracedBell(bell, self.tracing)
            observer = Observers(metrics, Phases(self.tracing.phase_ended))
        seams = Seams(clock, self.ledger, hints, feed, self.artifacts, observer)
        self.bell, self.feed = bell, feed
        fleet = Fleet(clock, partial(self._replica, seams), settings.asleep_replicas)
        self.fleet = fleet
        if any(device not in devices.NO_GPU for device in self.devices):
            self.gpus = self._gpu_watch()
            self._more.append(self.gpus)
        everyone = self._everyone()
        self.everyone = everyone
        asleep = [pool for pool, policy in self.policies.items() if not policy.limits.minimum]
        # Only this policy orders by deadlines.
        growing = {
            pool: (policy.limits.maximum, policy.interval)
            for pool, policy in self.policies.items()
            if policy.name == LookAhead.name
        }
        self.pools = ReplicaPools(self.catalog, everyone, clock, asleep, growing)
        service = Service(
            catalog=self.catalog,
            ledger=self.ledger,
            hints=bell,
            feed=feed,
            artifacts=self.artifacts,
            pools=self.pools,
            plans=self.ledger.plans,
            releases=self.ledger.releases,
            clock=clock,
            new_id=parts.new_id,
            new_seed=lambda: secrets.randbits(32),
            terms=_terms(settings),
            errands=self._errands(),
            # One at a time: a simulation takes a CPU for seconds.
            player=self._errands(waiting=0),
            prices=Prices(self.hardware, parts.currency(settings)),
            policies=parts.scaling(settings, self.catalog),
            replicas=everyone,
            verdicts=metrics,
        )
        identity = None
        if self.role in (Role.SERVE, Role.API):
            identity = await stack.enter_async_context(parts.identity(settings, clock))
        return Platform(
            settings=settings,
            clock=clock,
            catalog=self.catalog,
            service=service,
            fleet=fleet,
            artifacts=self.artifacts,
            files=files,
            metrics=metrics,
            limits=limits,
            identity=identity,
            tracing=self.tracing,
        )

    def loops(self, running: Platform, url: str | None) -> list[Loop]:
        """What runs as long as the process does."""
        settings, clock = self.settings, self.clock
        told: list[Teller] = [JobLog(prompt_text=settings.prompt_log).tell, running.metrics.tell]
        if running.tracing is not None:
            told.append(running.tracing.tell)
        sweeps: list[Loop] = []
        if self.role in (Role.SERVE, Role.SWEEPER):
            bounds = Bounds(settings.retention_days, settings.store_limit_bytes)
            sweeps += [
                Keeper(clock, self.ledger, self.bell, settings.reap_seconds),
                Retention(self.ledger, self.artifacts, clock, bounds),
                running.service.releases,
            ]
            tellers: list[Teller] = []
            if self.policies:
                scaler = self._scaler(running.fleet)
                sweeps.append(scaler)
                tellers.append(scaler.tell)
            base = settings.public_url or url
            if base is not None or not self.alone:
                deliverer = parts.deliverer(
                    settings, running.service, self.ledger, running.metrics, base or ""
                )
                sweeps.append(deliverer)
                tellers.append(deliverer.tell)
            if self.alone:
                told += tellers
            else:
                # They mind what others commit; what those log, they log themselves.
                self._more.append(JobNews(self.feed, self.ledger.get, tellers))
        if self.alone:
            return [JobNews(self.feed, self.ledger.get, told), *sweeps, *self._more]
        own = JobNews(self._own, self.ledger.get, told)
        if sweeps:
            self._more.append(Led(self.ledger.presence, clock, self.name, sweeps))
        return [own, *self._more]

    def replicas_at_first(self, pool: str) -> int:
        """How many replicas a pool of this process begins with."""
        policy = self.policies.get(pool)
        if policy is None or not self.alone:
            return self.settings.replicas_of(pool)
        return policy.limits.minimum

    def _scaler(self, fleet: Fleet) -> Scaler:
        hands = None
        if self.alone:
            hands = _Hands(fleet, self.settings.tier, self.settings.drain_seconds)
        return Scaler(
            catalog=self.catalog,
            policies=self.policies,
            ledger=self.ledger,
            plans=self.ledger.plans,
            pools=self.pools,
            everyone=self.everyone,
            clock=self.clock,
            hands=hands,
            hardware=self.hardware,
        )

    # ------------------------------------------------------------------------------- adapters

    def _feed(self) -> Feed:
        if self.alone:
            return EmbeddedFeed()
        shared = parts.shared_feed(
            self.settings,
            self.clock,
            lambda: self.ledger,
            cancelled_only=self.role is Role.WORKER,
        )
        self._more.append(shared)
        self._own = shared.own
        for pool in self.served:
            self._turns[pool] = parts.shared_turns(shared, self.clock, pool, self.name)
        return shared

    async def _artifacts(self) -> tuple[Artifacts, SignedFiles | None]:
        if self.settings.artifacts_url is None:
            local = parts.local_artifacts(self.settings, self.clock)
            return local, local
        store = await parts.shared_artifacts(self.settings, self.clock)
        self._more.append(store)
        return store, None

    def _errands(self, waiting: int = WAITING) -> ChildErrands:
        errands = ChildErrands(self.clock, waiting=waiting)
        self.stack.push_async_callback(errands.close)
        return errands

    def _hints(self) -> tuple[Bell, Hints]:
        if self.alone:
            local = EmbeddedHints(self.clock)
            return local, local
        # Celery takes a tenth of a second to import, and a server alone does without.
        from kinesphere.adapters.hints_celery import (  # noqa: PLC0415
            CeleryBell,
            CeleryHints,
            create_celery,
        )

        celery = create_celery(parts.plain(self.settings.broker_url), self.catalog.pools())
        if self.served:
            hints = CeleryHints(celery, self.served[0], self.clock)
            self.stack.push_async_callback(hints.close)
            return hints, hints
        bell = CeleryBell(celery)
        self.stack.push_async_callback(asyncio.to_thread, bell.close)
        # Nobody waits in this process.
        return bell, EmbeddedHints(self.clock)

    def _own_replicas(self) -> tuple[Status, ...]:
        """The replicas of this process."""
        statuses = self.fleet.statuses()
        return statuses if self.gpus is None else self.gpus.with_health(statuses)

    def _everyone(self) -> Callable[[], Sequence[Status]]:
        """How replicas are known: our own, or also those of other processes."""
        if self.alone:
            return self._own_replicas
        presence = self.ledger.presence
        if self.role is Role.WORKER:
            self.announcer = Announcer(presence, self.clock, self._own_replicas)
            self._more.append(self.announcer)
            cost = parts.pod_cost(self.settings, self.clock, self.fleet.statuses)
            self._more += [] if cost is None else [cost]
            return self._own_replicas
        watch = Watch(presence, self.clock)
        self._more.append(watch)
        return watch.statuses

    def _rent(self) -> Rent:
        """What the replicas of this process cost, as far as the policy names prices."""
        tier = self.settings.tier
        prices = {
            pool: each.price
            for pool, choice in self.hardware.items()
            for each in choice.tiers
            if each.name == tier
        }
        return Rent(tier, prices)

    async def _read(self) -> Reading:
        return Reading(
            backlogs=await self.ledger.backlogs(),
            counts=await self.ledger.counts(),
            ended=await self.ledger.ended(self.clock.now() - WINDOW),
            replicas=Counter((each.pool, each.state.value) for each in self.everyone()),
            redis_queue=None if self.hint_depth is None else await self.hint_depth.length(),
            releases=await self.ledger.releases.current(),
            memory=self.pools.memory(),
            plans={
                (pool, tier): replicas
                for pool, planned in (await self.ledger.plans.latest()).items()
                for tier, replicas in (planned.tiers or {"": planned.replicas}).items()
            },
        )

    def _gpu_watch(self) -> GpuWatch:
        return GpuWatch(
            self.clock,
            self.settings.telemetry_seconds,
            everyone=self.fleet.statuses,
            latencies=self.metrics.latencies,
            show=self.metrics.show_gpus,
        )

    def _replica(self, seams: Seams, pool: str, number: int) -> Replica:
        settings = self.settings
        model, stage = self.catalog.pools()[pool]
        terms = course.Terms(
            lease=settings.lease_seconds,
            poll=settings.poll_seconds,
            cancel_grace=settings.cancel_grace_seconds,
        )
        launch = Launch(
            threads=settings.threads_per_replica,
            python=settings.interpreter_of(model.name, pool),
        )
        launch = devices.placed(launch, model, self.devices, self.fleet.statuses())
        formats = model.formats if model.task == "motion" and not model.finished else ()
        worker = f"{self.name}/{pool}/{number}"
        post = Post(pool, model.name, stage, worker, formats, settings.tier)
        return Replica(seams, post, launch, terms, self._turns[pool])


@dataclass(frozen=True, slots=True)
class _Hands:
    """Starts and drains replicas of this process as the plan says for its own tier."""

    fleet: Fleet
    tier: str
    grace: float

    def resize(self, pool: str, tier: str, replicas: int, drain: Sequence[str] | None) -> None:
        if tier in {"", self.tier}:
            self.fleet.resize(pool, replicas, drain, self.grace)


def _terms(settings: Settings) -> Terms:
    return Terms(
        link_seconds=settings.link_seconds,
        max_queue=settings.max_queue,
        user_queue=settings.user_queue_limit,
        max_wait=settings.max_wait_seconds,
        cache_share=settings.cache_share,
        picture_bytes=settings.picture_limit_bytes,
        picture_pixels=settings.picture_limit_pixels,
        lite_wait=settings.lite_wait_seconds,
    )
