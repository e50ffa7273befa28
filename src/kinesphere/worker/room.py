"""How much memory there is for an engine, on its device and in the host."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kinesphere.adapters.nvml import Gpu, Nvml, NvmlUnavailable, visible

CPU: Final = "cpu"
_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Room:
    """Memory before anything is loaded, in bytes. None is what is not known.

    Attributes:
        name: Of the device, such as "NVIDIA L4"; "cpu"; or "" where nobody tells.
        total: Of the device.
        free: Of the device.
        host: Available in the host, or in what a container may use of it.
        unified: Whether the device's memory is the host's.
    """

    name: str
    total: int | None
    free: int | None
    host: int | None
    unified: bool


class Device:
    """The device of one engine, as the driver sees it.

    `device` is an engine's word for it: "cpu", "cuda:0". `nvml` is None where there is no driver.
    """

    def __init__(
        self, device: str, nvml: Nvml | None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._nvml = nvml
        self._gpu = None if nvml is None else _found(device, nvml, environ)
        self._cpu = device.partition(":")[0] == CPU
        memory = None if nvml is None or self._gpu is None else nvml.memory(self._gpu)
        self._used = 0 if memory is None else memory.used
        host = host_memory()
        # A device that answers but has no memory to tell of uses the host's, as on a Grace or Orin.
        unified = self._cpu or (self._gpu is not None and memory is None)
        self.room = Room(
            name=CPU if self._cpu else "" if self._gpu is None else self._gpu.name,
            total=None if memory is None else memory.total,
            free=None if memory is None else memory.free,
            host=host,
            unified=unified,
        )

    @classmethod
    def open(cls, device: str) -> "Device":
        """Of this process, with the driver where there is one."""
        if device.partition(":")[0] == CPU:
            return cls(device, None)
        try:
            return cls(device, Nvml())
        except NvmlUnavailable:
            return cls(device, None)

    def taken(self) -> int | None:
        """Bytes of the device that this process uses now; None where nobody tells.

        Where the driver does not know our process number, what the device has used up since the
        start is ours: a replica is meant to have its device for itself.
        """
        if self._nvml is None or self._gpu is None:
            return None
        own = self._nvml.used_by(self._gpu, os.getpid())
        if own is not None:
            return own
        memory = self._nvml.memory(self._gpu)
        return None if memory is None else max(0, memory.used - self._used)


def host_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Bytes of main memory that this process may still take; None where the system does not say."""
    known = [free for free in (_available(meminfo), _allowed(cgroup)) if free is not None]
    return min(known, default=None)


def peak_memory() -> int:
    """The most bytes of main memory that this process ever had; 0 where the system is silent."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - there is none on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _available(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def _allowed(cgroup: Path) -> int | None:
    """What a container's limit leaves, by control groups version 2; cached files count as free."""
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, limit - used + int(stat.get("inactive_file", 0)))


def _found(device: str, nvml: Nvml, environ: Mapping[str, str]) -> Gpu | None:
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        return None
    index, named = int(number or 0), visible(environ)
    if named is None:
        return nvml.find(str(index))
    return nvml.find(named[index]) if index < len(named) else None
