"""NVIDIA devices by the driver's management library, NVML.

Every question stands alone: a device that does not offer a reading, or a driver that fails one,
answers None to that one and the rest is told all the same.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_PCI: Final = Path("/sys/bus/pci/devices")
_KILO: Final = 1_000.0
_Answer = TypeVar("_Answer")

THROTTLES: Final[Mapping[str, int]] = {
    "application_clocks": 0x2,
    "power_cap": 0x4,
    "hardware_slowdown": 0x8,
    "sync_boost": 0x10,
    "software_thermal": 0x20,
    "hardware_thermal": 0x40,
    "power_brake": 0x80,
    "display_clocks": 0x100,
}
"""Bits of `nvmlDeviceGetCurrentClocksEventReasons` that slow a device; idling is none of them."""

log = logging.getLogger("kinesphere.gpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device: NVML's own handle on it, and its names."""

    handle: Any = field(compare=False)
    index: int
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a device's own memory."""

    total: int
    free: int
    used: int


@dataclass(frozen=True, slots=True)
class Link:
    """A device's PCIe link as it is now and at its best. A link may rest while the device does."""

    generation: int
    width: int
    generation_most: int
    width_most: int


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a device tells at one moment; None is what it does not tell.

    Attributes:
        memory: Of its own.
        busy: Share of time in which some kernel ran, 0 to 1.
        memory_busy: Share of time in which its memory was read or written, 0 to 1.
        sm_activity: Mean share of multiprocessors at work since the last look, 0 to 1 (Hopper on).
        celsius: Temperature of the chip.
        watts: Power drawn.
        throttles: By name of THROTTLES, whether it is slowed for that reason.
        sent: PCIe bytes a second, from the device.
        received: PCIe bytes a second, to the device.
        link: Its PCIe link.
        numa_node: The node of main memory that it is attached to.
    """

    memory: Memory | None = None
    busy: float | None = None
    memory_busy: float | None = None
    sm_activity: float | None = None
    celsius: float | None = None
    watts: float | None = None
    throttles: Mapping[str, bool] | None = None
    sent: float | None = None
    received: float | None = None
    link: Link | None = None
    numa_node: int | None = None


class NvmlUnavailable(Exception):
    """There is no NVML here, and why: no driver, or one that does not answer."""


class Nvml:
    """NVML, opened. Not for two threads at once; `close` when done.

    `library` is the module `pynvml`, or one like it; `pci` the folder of the PCI devices.
    """

    def __init__(self, library: Any = None, pci: Path = _PCI) -> None:
        """Raises NvmlUnavailable."""
        try:
            self._library = import_module("pynvml") if library is None else library
            self._library.nvmlInit()
        except Exception as error:
            # The binding raises its own errors, those of ctypes, and ImportError without it.
            raise NvmlUnavailable(f"{type(error).__name__}: {error}") from error
        self._pci = pci
        self._samples: dict[str, Any] = {}
        self._no_activity: set[str] = set()
        self._failed: set[str] = set()

    def close(self) -> None:
        """Let go of the driver."""
        with suppress(self._library.NVMLError):
            for sample in self._samples.values():
                self._library.nvmlGpmSampleFree(sample)
            self._library.nvmlShutdown()
        self._samples.clear()

    # ------------------------------------------------------------------------------ which there are

    def driver(self) -> str | None:
        """The driver's version."""
        return self._ask("driver", lambda: _text(self._library.nvmlSystemGetDriverVersion()))

    def gpus(self) -> tuple[Gpu, ...]:
        """Every device that answers to its name."""
        count = self._ask("count", self._library.nvmlDeviceGetCount) or 0
        found = (self._gpu(index) for index in range(count))
        return tuple(gpu for gpu in found if gpu is not None)

    def find(self, name: str) -> Gpu | None:
        """The device of this index or (beginning of a) UUID, as CUDA_VISIBLE_DEVICES names it."""
        if name.startswith("MIG-"):
            handle = self._ask(name, lambda: self._library.nvmlDeviceGetHandleByUUID(name))
            return None if handle is None else Gpu(handle, -1, name, "MIG")
        for gpu in self.gpus():
            if name == str(gpu.index) or (len(name) > 4 and gpu.uuid.startswith(name)):
                return gpu
        return None

    def _gpu(self, index: int) -> Gpu | None:
        library = self._library

        def look() -> Gpu:
            handle = library.nvmlDeviceGetHandleByIndex(index)
            uuid = _text(library.nvmlDeviceGetUUID(handle))
            return Gpu(handle, index, uuid, _text(library.nvmlDeviceGetName(handle)))

        return self._ask(f"device {index}", look)

    # ----------------------------------------------------------------------------- what they tell

    def memory(self, gpu: Gpu) -> Memory | None:
        """Of the device's own; None where it has none and shares the host's."""
        told = self._of(gpu, "memory", lambda: self._library.nvmlDeviceGetMemoryInfo(gpu.handle))
        return None if told is None else Memory(told.total, told.free, told.used)

    def used_by(self, gpu: Gpu, pid: int) -> int | None:
        """Bytes of the device that a process uses; None where the driver cannot tell.

        In a container the driver knows processes by numbers that are not ours.
        """
        running = self._of(
            gpu,
            "processes",
            lambda: self._library.nvmlDeviceGetComputeRunningProcesses(gpu.handle),
        )
        for process in running or ():
            if process.pid == pid and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory)
        return None

    def numa_node(self, gpu: Gpu) -> int | None:
        """The node of main memory that the device is attached to; None where there is one only."""
        told = self._of(
            gpu, "pci", lambda: _text(self._library.nvmlDeviceGetPciInfo(gpu.handle).busId)
        )
        if told is None:
            return None
        # NVML says 00000000:3B:00.0 where the kernel says 0000:3b:00.0.
        domain, _, rest = told.lower().partition(":")
        try:
            node = int((self._pci / f"{domain[-4:]}:{rest}" / "numa_node").read_text())
        except (OSError, ValueError):
            return None
        return node if node >= 0 else None

    def link(self, gpu: Gpu) -> Link | None:
        """The device's PCIe link."""
        library, handle = self._library, gpu.handle
        return self._of(
            gpu,
            "link",
            lambda: Link(
                library.nvmlDeviceGetCurrPcieLinkGeneration(handle),
                library.nvmlDeviceGetCurrPcieLinkWidth(handle),
                library.nvmlDeviceGetMaxPcieLinkGeneration(handle),
                library.nvmlDeviceGetMaxPcieLinkWidth(handle),
            ),
        )

    def read(self, gpu: Gpu) -> Telemetry:
        """Everything; takes some 40 ms, in which NVML counts PCIe packets."""
        library, handle = self._library, gpu.handle
        rates = self._of(gpu, "busy", lambda: library.nvmlDeviceGetUtilizationRates(handle))
        sensor = library.NVML_TEMPERATURE_GPU
        return Telemetry(
            memory=self.memory(gpu),
            busy=None if rates is None else rates.gpu / 100.0,
            memory_busy=None if rates is None else rates.memory / 100.0,
            sm_activity=self._activity(gpu),
            celsius=self._of(
                gpu, "celsius", lambda: float(library.nvmlDeviceGetTemperature(handle, sensor))
            ),
            watts=self._of(gpu, "watts", lambda: library.nvmlDeviceGetPowerUsage(handle) / _KILO),
            throttles=self._throttles(gpu),
            sent=self._throughput(gpu, "sent", library.NVML_PCIE_UTIL_TX_BYTES),
            received=self._throughput(gpu, "received", library.NVML_PCIE_UTIL_RX_BYTES),
            link=self.link(gpu),
            numa_node=self.numa_node(gpu),
        )

    def _throttles(self, gpu: Gpu) -> Mapping[str, bool] | None:
        mask = self._of(
            gpu,
            "throttles",
            lambda: int(self._library.nvmlDeviceGetCurrentClocksEventReasons(gpu.handle)),
        )
        return None if mask is None else {name: bool(mask & bit) for name, bit in THROTTLES.items()}

    def _throughput(self, gpu: Gpu, name: str, counter: int) -> float | None:
        """Bytes a second; NVML tells KB."""
        return self._of(
            gpu,
            name,
            lambda: _KILO * self._library.nvmlDeviceGetPcieThroughput(gpu.handle, counter),
        )

    def _activity(self, gpu: Gpu) -> float | None:
        """From two samples of the performance counters, this look's and the last one's."""
        if gpu.uuid in self._no_activity:
            return None
        library = self._library
        before = self._samples.pop(gpu.uuid, None)
        after = self._of(gpu, "sm_activity", lambda: self._sample(gpu))
        if after is None:
            self._no_activity.add(gpu.uuid)
        else:
            self._samples[gpu.uuid] = after
        if before is None:
            return None
        try:
            if after is None:
                return None
            return self._of(gpu, "sm_activity", lambda: self._busy_share(before, after))
        finally:
            with suppress(library.NVMLError):
                library.nvmlGpmSampleFree(before)

    def _sample(self, gpu: Gpu) -> Any | None:
        library = self._library
        if not library.nvmlGpmQueryDeviceSupport(gpu.handle).isSupportedDevice:
            return None
        sample = library.nvmlGpmSampleAlloc()
        try:
            return library.nvmlGpmSampleGet(gpu.handle, sample)
        except library.NVMLError:
            library.nvmlGpmSampleFree(sample)
            raise

    def _busy_share(self, before: Any, after: Any) -> float:
        library = self._library
        asked = library.c_nvmlGpmMetricsGet_t()
        asked.version = library.NVML_GPM_METRICS_GET_VERSION
        asked.numMetrics = 1
        asked.sample1, asked.sample2 = before, after
        asked.metrics[0].metricId = library.NVML_GPM_METRIC_SM_UTIL
        told = library.nvmlGpmMetricsGet(asked)
        return float(told.metrics[0].value) / 100.0

    # -------------------------------------------------------------------------------- how it asks

    def _of(self, gpu: Gpu, what: str, question: Callable[[], _Answer]) -> _Answer | None:
        return self._ask(f"{what} of {gpu.uuid}", question)

    def _ask(self, what: str, question: Callable[[], _Answer]) -> _Answer | None:
        """The answer, or None. Why there is none is logged the first time."""
        try:
            return question()
        except (self._library.NVMLError, AttributeError) as error:
            # AttributeError: a binding that is older than the question.
            if what not in self._failed:
                self._failed.add(what)
                log.info("not read: %s: %s", what, error, extra={"action": "gpu.not_read"})
            return None


def visible(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """The devices that a process may use, as its environment names them; None for all."""
    named = environ.get(VISIBLE)
    if named is None:
        return None
    return tuple(part for part in map(str.strip, named.split(",")) if part and part != "-1")


def present(nvml: Nvml | None, environ: Mapping[str, str], dev: Path = Path("/dev")) -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES of the devices that this process may hand out.

    By the driver where it answers, else by the device files, which are in containers too.
    """
    named = visible(environ)
    if nvml is not None:
        if named is None:
            return [gpu.uuid for gpu in nvml.gpus()]
        found = [nvml.find(name) for name in named]
        return [gpu.uuid for gpu in found if gpu is not None]
    return list(_files(dev)) if named is None else list(named)


def _files(dev: Path) -> Iterator[str]:
    numbers = (path.name.removeprefix("nvidia") for path in dev.glob("nvidia[0-9]*"))
    return iter(sorted((n for n in numbers if n.isdigit()), key=int))


def _text(told: str | bytes) -> str:
    return told.decode() if isinstance(told, bytes) else told
