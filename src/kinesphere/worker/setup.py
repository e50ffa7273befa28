"""Bringing an engine up in the child: room, profile, loading, warming, and what was measured."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from kinesphere.core.fitting import Fitted, Option, Profile, Unfit, fit
from kinesphere.ports import LOAD_PHASES, Engine, SetUp, Sleeps, TellsMemory, TellsSetUp
from kinesphere.worker.messages import Load, Placed, Ready
from kinesphere.worker.room import Device, Room, peak_memory

SHORTEST_PHASE: Final = 1e-6
"""Seconds below which the rest of a phase is rounding."""


LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the memory while batches are short."""

LONG_BATCH: Final = 0.05
"""Seconds of a batch after which a look at the memory, a fraction of a millisecond, is nothing."""


class NoProfileFits(Exception):
    """None of the engine's profiles fits the device, and why not, for each."""


class Usage:
    """What an engine takes: after each batch if it tells by itself, else often enough.

    Attributes:
        resident: Bytes of this process in main memory at the last look.
    """

    def __init__(self, engine: Engine, device: Device) -> None:
        self.resident = resident_memory()
        self._told = engine.peak_device_bytes if isinstance(engine, TellsMemory) else None
        self._device = device
        self._looked = time.monotonic()

    def taken(self, seconds: float | None = None) -> int | None:
        """Bytes taken on the device at their peak, by a batch of so many seconds if one is given.

        None where nobody tells, and where the driver has to be asked and was asked just now.
        """
        now = time.monotonic()
        look = seconds is None or seconds >= LONG_BATCH or now - self._looked >= LOOK_EVERY
        if look:
            self.resident, self._looked = resident_memory(), now
        told = self._told() if self._told is not None else self._device.taken() if look else None
        # Whoever has nothing to tell says 0, and no engine takes that little.
        return told or None


@dataclass(frozen=True, slots=True)
class Brought:
    """An engine that is loaded and warm, what it takes, and what to say of it."""

    engine: Engine
    usage: Usage
    ready: Ready


def bring_up(order: Load, open_device: Callable[[str], Device] = Device.open) -> Brought:
    """Choose a profile, import, construct, load and warm the engine. Raises whatever it does.

    Raises NoProfileFits before anything of the engine is imported.
    """
    began = time.monotonic()
    device = open_device(order.device)
    fitted = chosen(order, device.room)
    profile = None if fitted is None else fitted.profile
    looked = time.monotonic()
    module, _, name = order.engine.partition(":")
    make: Callable[..., Engine] = getattr(import_module(module), name)
    options: Mapping[str, Option] = {} if profile is None else profile.options
    engine = make(**{**order.options, **options})
    imported = time.monotonic()
    engine.load(order.device)
    loaded = time.monotonic()
    engine.warm_up()
    if order.formats:
        import_module("kinesphere.worker.clips").warm_up(order.formats)
    warm = time.monotonic()
    usage = Usage(engine, device)
    told = engine.set_up() if isinstance(engine, TellsSetUp) else SetUp()
    room = device.room
    ready = Ready(
        load_seconds=loaded - began,
        warm_seconds=warm - loaded,
        memory=usage.resident,
        phases={
            "look": looked - began,
            "import": imported - looked,
            **_parts(told.phases, loaded - imported, warm - loaded),
        },
        run_seconds=told.run_seconds,
        placed=Placed(
            profile=profile,
            batch_limit=order.batch_limit if fitted is None else fitted.batch_limit,
            name=room.name,
            total=room.total,
            free=room.free,
            unified=room.unified,
            taken=usage.taken(),
            host_peak=peak_memory() or None,
        ),
        sleeps=isinstance(engine, Sleeps),
    )
    return Brought(engine, usage, ready)


def chosen(order: Load, room: Room) -> Fitted | None:
    """The profile for this room; None for an engine that has none. Raises NoProfileFits."""
    if not order.profiles:
        return None
    found = fit(
        order.profiles,
        room.host if room.unified else room.free,
        room.host,
        order.batch_limit,
        measured=order.measured,
        unified=room.unified,
    )
    if isinstance(found, Unfit):
        raise NoProfileFits(f"no profile fits {room.name or order.device}: {found}")
    _say(found.profile, found.batch_limit, room)
    return found


def resident_memory() -> int:
    """Bytes of this process in main memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _parts(told: Mapping[str, float], load: float, warm: float) -> dict[str, float]:
    """Loading and warming by what the engine timed of them; what it did not is the rest.

    Compiling may be part of either, so it is taken from warming as far as that is long enough.
    """
    parts = {name: max(0.0, told[name]) for name in LOAD_PHASES if name in told}
    compiled = parts.get("compile", 0.0)
    in_warm = min(compiled, warm)
    in_load = sum(parts.values()) - in_warm
    rest = {"load": load - in_load, "warm_up": warm - in_warm}
    return parts | {name: left for name, left in rest.items() if left > SHORTEST_PHASE}


def _say(profile: Profile, batch_limit: int, room: Room) -> None:
    free = "unknown" if room.free is None else f"{room.free / 1e9:.1f} GB"
    sys.stderr.write(
        f"profile {profile.name} ({profile.source}), batches of {batch_limit} at most; "
        f"{room.name or 'device'}: {free} free\n"
    )
