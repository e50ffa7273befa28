"""What `kinesphere doctor` says of GPUs: which there are, how they are attached, what fits them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kinesphere.adapters import topology
from kinesphere.adapters.nvml import Gpu, Nvml, NvmlUnavailable, Telemetry, present
from kinesphere.cli.findings import Finding
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.fitting import Unfit, fit
from kinesphere.worker.room import Device, Room

HOT: Final = 85.0
"""Degrees Celsius from which most data-centre cards slow down or soon will."""

_SLOWED: Final = frozenset({"hardware_slowdown", "hardware_thermal", "power_brake"})
"""Reasons that speak of the machine, not of the work; a power cap is ordinary under load."""


def gpus() -> Iterator[Finding]:
    """The driver, each device, and the replicas that run on them now."""
    try:
        nvml = Nvml()
    except NvmlUnavailable as error:
        yield _no_driver(str(error))
        return
    try:
        found = nvml.gpus()
        driver = nvml.driver() or "of unknown version"
        names = "; ".join(f"{gpu.index}: {gpu.name}" for gpu in found) or "none"
        yield Finding("gpus", "ok", f"{names} (driver {driver})")
        nodes = topology.nodes()
        for gpu in found:
            yield _device(gpu, nvml.read(gpu))
            yield from _near(gpu, nvml.numa_node(gpu), nodes)
        yield from _replicas(nvml, nodes)
    finally:
        nvml.close()


def fits(catalog: Catalog, devices: Sequence[str]) -> Iterator[Finding]:
    """For each pool with profiles and each device: which profile it gets, or why none."""
    pools = {pool: both for pool, both in catalog.pools().items() if both[1].profiles}
    if not pools:
        return
    try:
        nvml = Nvml()
    except NvmlUnavailable:
        nvml = None
    try:
        for name in devices:
            room = _room(name, nvml)
            for pool, (model, stage) in pools.items():
                yield _fit(pool, model, stage, name, room)
    finally:
        if nvml is not None:
            nvml.close()


def _room(device: str, nvml: Nvml | None) -> Room:
    if device in ("cpu", "mps"):
        return Device(device, None).room
    return Device("cuda:0", nvml, {"CUDA_VISIBLE_DEVICES": device}).room


def _fit(pool: str, model: Model, stage: Stage, device: str, room: Room) -> Finding:
    where = room.name or device
    free = room.host if room.unified else room.free
    found = fit(stage.profiles, free, room.host, stage.batch_limit, unified=room.unified)
    if isinstance(found, Unfit):
        used = (
            f"; {(room.total - room.free) / 1e9:.1f} GB of it are in use"
            if room.total is not None and room.free is not None and room.free < 0.9 * room.total
            else ""
        )
        advice = "use a larger device, or free this one" if used else "use a larger device"
        lighter = f", or {model.name}'s lite form" if not model.lite_of else ""
        return Finding(f"fit {pool}", "warn", f"not on {where}: {found}{used}", advice + lighter)
    guess = "" if free is not None else " (its memory is not known)"
    told = f"on {where} as {found.profile.name}, {found.batch_limit} at once{guess}"
    return Finding(f"fit {pool}", "ok", f"{told}; by {found.profile.source}")


def _no_driver(error: str) -> Finding:
    if present(None, {}):
        advice = "give the container the driver's libraries, or mend the driver"
        return Finding("gpus", "warn", f"there are device files, but no driver: {error}", advice)
    return Finding("gpus", "ok", "none; the embedded engines need none")


def _device(gpu: Gpu, told: Telemetry) -> Finding:
    """A device in a line, and what is wrong with it."""
    parts = [gpu.name]
    if told.memory is not None:
        parts.append(f"{told.memory.total / 1e9:.1f} GB, {told.memory.free / 1e9:.1f} GB free")
    link = told.link
    if link is not None:
        parts.append(
            f"PCIe {link.generation} x{link.width} of {link.generation_most} x{link.width_most}"
        )
    if told.celsius is not None:
        parts.append(f"{told.celsius:.0f} °C")
    slowed = sorted(name for name, on in (told.throttles or {}).items() if on and name in _SLOWED)
    if slowed:
        parts.append(f"slowed: {', '.join(slowed)}")
    advice = ""
    if slowed or (told.celsius is not None and told.celsius >= HOT):
        advice = "look at its cooling and power"
    elif link is not None and link.width < link.width_most:
        # The generation falls while a card rests, its width does not.
        advice = "weights load slower than they could: look at the slot and the riser"
    return Finding(f"gpu {gpu.index}", "warn" if advice else "ok", ", ".join(parts), advice)


def _near(gpu: Gpu, node: int | None, nodes: Mapping[int, frozenset[int]]) -> Iterator[Finding]:
    """Whether what we start may run on the CPUs beside the device."""
    if node is None or len(nodes) < 2:
        return
    mine = topology.allowed()
    name = f"numa gpu {gpu.index}"
    if mine is None or node not in nodes or mine & nodes[node]:
        yield Finding(name, "ok", f"on node {node} of {len(nodes)}")
        return
    yield Finding(name, "warn", f"on node {node}, and this process is bound elsewhere", _bind(node))


def _replicas(nvml: Nvml, nodes: Mapping[int, frozenset[int]]) -> Iterator[Finding]:
    """Each engine's process that runs now, if it is bound to CPUs far from its device."""
    for process in topology.engine_processes():
        gpu = nvml.find(process.gpu.partition(",")[0])
        node = None if gpu is None else nvml.numa_node(gpu)
        if gpu is None or node is None or node not in nodes or process.cpus & nodes[node]:
            continue
        found = f"process {process.pid} uses GPU {gpu.index} of node {node} from CPUs of another"
        yield Finding("replica", "warn", found, _bind(node))


def _bind(node: int) -> str:
    return f"start it with numactl --cpunodebind={node} --membind={node}, one server a node"
