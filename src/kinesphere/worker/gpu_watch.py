"""Looks at the GPUs that replicas of this process are on, at an even pace."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kinesphere.adapters.metric_gpu import GpuReading
from kinesphere.adapters.nvml import Gpu, Nvml, NvmlUnavailable, Telemetry
from kinesphere.core.idling import IDLE_SHARE, SLOW_SECONDS, idles
from kinesphere.core.replicas import Health, Status
from kinesphere.ports import Clock

WINDOW: Final = 60.0
"""Seconds over which a device is held to idle, or not."""

log = logging.getLogger("kinesphere.gpu")


class GpuWatch:
    """Reads devices every `seconds` and shows what they tell.

    `open_driver` raises NvmlUnavailable where there is none: then nothing is shown, and nothing is
    tried again. `everyone` are the replicas of this process, `latencies` how long the jobs of a
    pool took that ended within some seconds.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        *,
        everyone: Callable[[], Sequence[Status]],
        latencies: Callable[[str, float], Sequence[float]],
        show: Callable[[GpuReading], None],
        open_driver: Callable[[], Nvml] = Nvml,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._everyone = everyone
        self._latencies = latencies
        self._show = show
        self._open = open_driver
        self._busy: defaultdict[str, deque[tuple[float, float | None]]] = defaultdict(deque)
        self._idle: set[tuple[str, str]] = set()
        self._health: Mapping[str, Health] = {}

    def with_health(self, statuses: Sequence[Status]) -> tuple[Status, ...]:
        """The replicas with what their devices told last."""
        return tuple(
            replace(each, health=self._health.get(each.placement.device)) for each in statuses
        )

    async def run(self) -> None:
        """Look for ever, or until it is known that there is nothing to look at."""
        try:
            nvml = await asyncio.to_thread(self._open)
        except NvmlUnavailable as error:
            log.info("GPUs are not read: %s", error, extra={"action": "gpu.no_driver"})
            await asyncio.Event().wait()
            return
        try:
            due = self._clock.monotonic()
            while True:
                await self.look(nvml)
                # From one beginning to the next; a reading that took too long is not made up for.
                now = self._clock.monotonic()
                due = max(now, due + self._seconds)
                await self._clock.sleep(due - now)
        finally:
            nvml.close()

    async def look(self, nvml: Nvml) -> None:
        """Look once."""
        replicas = self._everyone()
        names = sorted({r.placement.device for r in replicas} - {"cpu", "mps"})
        told = await asyncio.to_thread(_read, nvml, names)
        self._health = {name: _health(telemetry) for name, (_, telemetry) in told.items()}
        self._show(GpuReading(dict(told.values()), replicas, self._slow(told)))

    def _slow(self, told: Mapping[str, tuple[Gpu, Telemetry]]) -> Mapping[tuple[str, str], bool]:
        """Whether the pools are slow on devices that idle; what begins or ends is logged."""
        now = self._clock.monotonic()
        for name, (_, telemetry) in told.items():
            seen = self._busy[name]
            seen.append((now, telemetry.busy))
            while seen[0][0] <= now - WINDOW:
                seen.popleft()
        found: dict[tuple[str, str], bool] = {}
        for pool, name in sorted({(r.pool, r.placement.device) for r in self._everyone()}):
            if name not in told:
                continue
            idle = idles(self._latencies(pool, WINDOW), [busy for _, busy in self._busy[name]])
            if idle is not None:
                found[pool, name] = idle
        for pool, name in sorted(set(_true(found)) - self._idle):
            log.warning(
                "jobs take over %g s while the GPU is busy under %.0f %%: look at the host's CPU, "
                "its disk, the batch limit and what runs before and after the model",
                SLOW_SECONDS,
                100.0 * IDLE_SHARE,
                extra={"action": "gpu.idle_while_slow", "pool": pool, "gpu_id": name},
            )
        self._idle = set(_true(found))
        return found


def _health(told: Telemetry) -> Health:
    return Health(
        used=None if told.memory is None else told.memory.used,
        busy=told.busy,
        celsius=told.celsius,
        watts=told.watts,
        throttled=None if told.throttles is None else any(told.throttles.values()),
    )


def _true(found: Mapping[tuple[str, str], bool]) -> list[tuple[str, str]]:
    return [key for key, value in found.items() if value]


def _read(nvml: Nvml, names: Sequence[str]) -> dict[str, tuple[Gpu, Telemetry]]:
    gpus = ((name, nvml.find(name)) for name in names)
    return {name: (gpu, nvml.read(gpu)) for name, gpu in gpus if gpu is not None}
