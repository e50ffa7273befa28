"""Processes from their start to their end: signals, draining, listening."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from kinesphere.adapters.folder import tell_address
from kinesphere.settings import Settings
from kinesphere.wiring.building import platform
from kinesphere.wiring.loops import Signals, first
from kinesphere.wiring.platform import Platform
from kinesphere.wiring.roles import Role


async def serve(
    settings: Settings, listening: Callable[[str], None], role: Role = Role.SERVE
) -> None:
    """Answer requests until SIGINT or SIGTERM, then drain; a second one stops at once.

    Raises AddressInUse, and what `platform` raises, before anything is served.
    """
    from kinesphere.http.server import (  # noqa: PLC0415 - with FastAPI
        Server,
        address,
        bind,
        connections_within,
        raise_descriptor_limit,
    )

    most = connections_within(raise_descriptor_limit(), settings.max_connections)
    listener = bind(settings.host, settings.port)
    with listener:
        url = address(listener)
        async with platform(settings, role, url=url) as running:
            # In a thread, so that replicas start meanwhile.
            app = await asyncio.to_thread(running.app)
            server = Server(app, running.connection_terms(most), settings.trusted_proxies)
            wanted = Signals()
            serving = asyncio.create_task(server.serve([listener]))
            if role is Role.SERVE:
                tell_address(settings.data, url)
            listening(url)
            await first(serving, wanted.leave)
            await _drained(running, settings.drain_seconds, wanted, serving)
            running.service.jobs.let_go()
            server.should_exit = True
            await first(serving, wanted.stop)
            server.force_exit = True
            await serving


async def work(
    settings: Settings,
    role: Role,
    *,
    pool: str | None = None,
    probes: int | None = None,
    begun: Callable[[str], None],
) -> None:
    """Be a worker of `pool`, or a sweeper, until SIGINT or SIGTERM, then drain.

    With `probes`, a port on all addresses answers `/health`, `/ready` and `/metrics`.
    """
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(platform(settings, role, pool=pool))
        wanted = Signals()
        url = ""
        if probes is not None:
            from kinesphere.http.probes import probing  # noqa: PLC0415 - with Starlette

            url = await stack.enter_async_context(
                probing(settings.probe_host, probes, running.metrics, lambda: _unready(running))
            )
        begun(url)
        await wanted.leave.wait()
        await _drained(running, settings.drain_seconds, wanted)


def _unready(running: Platform) -> str:
    """Why the replicas here cannot work; "" when they can, and where there are none."""
    replicas = running.fleet.statuses()
    serving = [r for r in replicas if r.state.value in ("ready", "busy")]
    if serving or not replicas:
        return ""
    return "; ".join(r.last_error or r.state.value for r in replicas)


async def _drained(
    running: Platform, grace: float, wanted: Signals, *others: "asyncio.Task[None]"
) -> None:
    draining = asyncio.create_task(running.drain(grace))
    await first(draining, wanted.stop, *others)
    if not draining.done():
        await running.drain(0.0)
    await draining
