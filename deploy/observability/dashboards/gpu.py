"""The health of GPUs."""

from typing import Final

from deploy.observability.dashboards.expressions import known
from deploy.observability.dashboards.model import Dashboard, Panel, Query, Variable

_GPU: Final = 'gpu=~"$gpu"'
_LINK: Final = 'which="{}", ' + _GPU


def _gauge(name: str, by: str = "gpu", where: str = _GPU) -> str:
    return known(f"kinesphere_gpu_{name}", by, where)


DASHBOARD: Final = Dashboard(
    name="gpu",
    title="GPU health",
    help="Memory, temperature, use of the multiprocessors, PCIe; by the UUID of the device.",
    variables=(Variable("gpu", "kinesphere_gpu_info"),),
    rows={
        "Devices": (
            Panel(
                "Devices", "short", (Query(_gauge("info", "gpu, index, name"), "{{name}}"),),
                kind="table",
            ),
            Panel(
                "Memory in use", "percentunit",
                (
                    Query(
                        f"{_gauge('memory_used_bytes')} / {_gauge('memory_total_bytes')}",
                        "{{gpu}}",
                    ),
                ),
                most=1, limit=0.95,
            ),
            Panel(
                "Memory", "bytes",
                (
                    Query(_gauge("memory_used_bytes"), "{{gpu}} used"),
                    Query(_gauge("memory_total_bytes"), "{{gpu}} there is"),
                ),
            ),
            Panel(
                "Temperature", "celsius", (Query(_gauge("temperature_celsius"), "{{gpu}}"),),
                limit=85,
            ),
            Panel("Power", "watt", (Query(_gauge("power_watts"), "{{gpu}}"),)),
            Panel(
                "Clocks held down", "short",
                (Query(_gauge("throttled", "gpu, reason"), "{{gpu}} {{reason}}"),),
                "1 while they are, by the reason for it.",
            ),
        ),
        "Use": (
            Panel(
                "Busy", "percentunit", (Query(_gauge("busy_ratio"), "{{gpu}}"),),
                "Share of time in which some kernel ran, however few units that used.", most=1,
            ),
            Panel(
                "Multiprocessors at work (SM)", "percentunit",
                (Query(_gauge("sm_activity_ratio"), "{{gpu}}"),),
                "Hopper and later tell this; elsewhere read Busy.", most=1,
            ),
            Panel(
                "Memory read or written", "percentunit",
                (Query(_gauge("memory_busy_ratio"), "{{gpu}}"),), most=1,
            ),
            Panel(
                "GPU utilisation", "percent",
                (Query(known("hy_motion_gpu_utilization", "gpu", _GPU), "{{gpu}}"),), most=100,
            ),
            Panel(
                "Slow while the GPU idles", "short",
                (Query(known("kinesphere_gpu_idle_while_slow", "pool, gpu", _GPU), "{{pool}}"),),
                "1 where jobs take over 8 s and the GPU is busy under 40 %.", limit=1,
            ),
            Panel(
                "Device memory by profile", "bytes",
                (
                    Query(
                        known("kinesphere_replica_device_bytes", "pool, gpu, profile", _GPU),
                        "{{pool}} {{profile}}",
                    ),
                ),
                "The most that an engine of the pool took.",
            ),
            Panel(
                "Jobs at once that fit", "short",
                (
                    Query(
                        known("kinesphere_replica_batch_limit", "pool, gpu, profile", _GPU),
                        "{{pool}} {{profile}}",
                    ),
                ),
            ),
        ),
        "PCIe": (
            Panel(
                "Traffic", "Bps",
                (
                    Query(
                        _gauge("pcie_bytes_per_second", "gpu, direction"), "{{gpu}} {{direction}}"
                    ),
                ),
            ),
            Panel(
                "Share of the link in use", "percentunit",
                (Query(f"kinesphere:gpu_pcie_use:ratio{{{_GPU}}}", "{{gpu}}"),),
                "Over 80 % with an idle GPU: it waits for main memory.", most=1, limit=0.8,
            ),
            Panel(
                "Lanes", "short",
                (
                    Query(_gauge("pcie_link_width", where=_LINK.format("now")), "{{gpu}} now"),
                    Query(_gauge("pcie_link_width", where=_LINK.format("most")), "{{gpu}} at most"),
                ),
            ),
            Panel(
                "Generation", "short",
                (
                    Query(
                        _gauge("pcie_link_generation", where=_LINK.format("now")), "{{gpu}} now"
                    ),
                    Query(
                        _gauge("pcie_link_generation", where=_LINK.format("most")),
                        "{{gpu}} at most",
                    ),
                ),
                "It falls while the device rests.",
            ),
        ),
    },
)  # fmt: skip
