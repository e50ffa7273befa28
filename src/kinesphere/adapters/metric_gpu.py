"""Gauges of the GPUs that replicas of this process are on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kinesphere.adapters.metric_gauges import Described, Sample
from kinesphere.adapters.nvml import Gpu, Telemetry
from kinesphere.core.replicas import Status

_ABSENT: Final = "Absent where the device does not tell."

GPU_GAUGES: Final = (
    Described(
        "hy_motion_gpu_utilization", "gauge", ("gpu",), "percent",
        "Share of time that the GPU was busy. Absent where no GPU is read.",
    ),
    Described(
        "kinesphere_gpu_info", "gauge", ("gpu", "index", "name"), "",
        "1 for each GPU that replicas here are on. `gpu` is its UUID in all of these.",
    ),
    Described(
        "kinesphere_gpu_memory_total_bytes", "gauge", ("gpu",), "bytes",
        f"Memory of the device. {_ABSENT}",
    ),
    Described(
        "kinesphere_gpu_memory_used_bytes", "gauge", ("gpu",), "bytes",
        "Memory in use, by whomever.",
    ),
    Described(
        "kinesphere_gpu_busy_ratio", "gauge", ("gpu",), "share",
        "Share of time in which some kernel ran, however few of its units that used.",
    ),
    Described(
        "kinesphere_gpu_memory_busy_ratio", "gauge", ("gpu",), "share",
        "Share of time in which the device's memory was read or written.",
    ),
    Described(
        "kinesphere_gpu_sm_activity_ratio", "gauge", ("gpu",), "share",
        f"Share of multiprocessors at work, since the reading before; Hopper on. {_ABSENT}",
    ),
    Described(
        "kinesphere_gpu_temperature_celsius", "gauge", ("gpu",), "°C", "Temperature of the chip."
    ),
    Described("kinesphere_gpu_power_watts", "gauge", ("gpu",), "W", "Power drawn."),
    Described(
        "kinesphere_gpu_throttled", "gauge", ("gpu", "reason"), "",
        "1 while the clocks are held down for this reason.",
    ),
    Described(
        "kinesphere_gpu_pcie_bytes_per_second", "gauge", ("gpu", "direction"), "bytes/s",
        "PCIe traffic; direction is sent or received, from the device's side.",
    ),
    Described(
        "kinesphere_gpu_pcie_link_width", "gauge", ("gpu", "which"), "lanes",
        "Lanes of the PCIe link; which is now or most.",
    ),
    Described(
        "kinesphere_gpu_pcie_link_generation", "gauge", ("gpu", "which"), "",
        "Generation of the PCIe link; which is now or most. It falls while the device rests.",
    ),
    Described(
        "kinesphere_gpu_numa_node", "gauge", ("gpu",), "",
        "Node of main memory that the device is attached to. Absent where there is one only.",
    ),
    Described(
        "kinesphere_gpu_idle_while_slow", "gauge", ("pool", "gpu"), "",
        "1 where jobs of the last minute took over 8 s on average while the GPU was busy under "
        "40 %: then something else is slow. Absent while there is too little to say.",
    ),
    Described(
        "kinesphere_replica_device_bytes", "gauge", ("pool", "gpu", "profile"), "bytes",
        "The most device memory that an engine of the pool took there.",
    ),
    Described(
        "kinesphere_replica_batch_limit", "gauge", ("pool", "gpu", "profile"), "jobs",
        "Jobs at once that were fitted; the least of the pool's replicas there.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What is known at one moment.

    Attributes:
        told: What each device told.
        replicas: Those of this process.
        idle: Whether a pool is slow while its device idles, by pool and device.
    """

    told: Mapping[Gpu, Telemetry] = field(default_factory=dict)
    replicas: Iterable[Status] = ()
    idle: Mapping[tuple[str, str], bool] = field(default_factory=dict)


def gpu_samples(reading: GpuReading) -> dict[str, list[Sample]]:
    """The samples of GPU_GAUGES; what is not known has none."""
    samples: dict[str, list[Sample]] = {one.name: [] for one in GPU_GAUGES}

    def add(name: str, labels: tuple[str, ...], value: float | None) -> None:
        if value is not None:
            samples[name].append((labels, value))

    for gpu, told in reading.told.items():
        own = (gpu.uuid,)
        add("kinesphere_gpu_info", (gpu.uuid, str(gpu.index), gpu.name), 1)
        if told.memory is not None:
            add("kinesphere_gpu_memory_total_bytes", own, told.memory.total)
            add("kinesphere_gpu_memory_used_bytes", own, told.memory.used)
        percent = None if told.busy is None else 100.0 * told.busy
        add("hy_motion_gpu_utilization", own, percent)
        add("kinesphere_gpu_busy_ratio", own, told.busy)
        add("kinesphere_gpu_memory_busy_ratio", own, told.memory_busy)
        add("kinesphere_gpu_sm_activity_ratio", own, told.sm_activity)
        add("kinesphere_gpu_temperature_celsius", own, told.celsius)
        add("kinesphere_gpu_power_watts", own, told.watts)
        add("kinesphere_gpu_numa_node", own, told.numa_node)
        for reason, on in (told.throttles or {}).items():
            add("kinesphere_gpu_throttled", (gpu.uuid, reason), on)
        add("kinesphere_gpu_pcie_bytes_per_second", (gpu.uuid, "sent"), told.sent)
        add("kinesphere_gpu_pcie_bytes_per_second", (gpu.uuid, "received"), told.received)
        if told.link is not None:
            for which, width, generation in (
                ("now", told.link.width, told.link.generation),
                ("most", told.link.width_most, told.link.generation_most),
            ):
                add("kinesphere_gpu_pcie_link_width", (gpu.uuid, which), width)
                add("kinesphere_gpu_pcie_link_generation", (gpu.uuid, which), generation)
    for (pool, device), on in reading.idle.items():
        add("kinesphere_gpu_idle_while_slow", (pool, device), on)
    return samples | _fitted(reading.replicas)


def _fitted(replicas: Iterable[Status]) -> dict[str, list[Sample]]:
    taken: dict[tuple[str, ...], float] = {}
    limits: dict[tuple[str, ...], float] = {}
    for replica in replicas:
        place = replica.placement
        labels = (replica.pool, place.device, place.profile)
        if place.taken is not None:
            taken[labels] = max(place.taken, taken.get(labels, 0))
        if place.profile and place.batch_limit is not None:
            limits[labels] = min(place.batch_limit, limits.get(labels, place.batch_limit))
    return {
        "kinesphere_replica_device_bytes": list(taken.items()),
        "kinesphere_replica_batch_limit": list(limits.items()),
    }
