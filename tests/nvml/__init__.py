"""GPUs for machines without any: a driver library that says what a test wants."""

import json
import os
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
"""On PYTHONPATH, it puts this library in the place of the real one."""

UUID: Final = "GPU-00000000-0000-0000-0000-00000000000{}"
GB: Final = 10**9


def gpu(index: int = 0, **changes: Any) -> dict[str, Any]:
    """A device that tells everything. None or "!words" in a field: it does not, in those words."""
    told = {
        "uuid": UUID.format(index),
        "name": "NVIDIA L4",
        "memory": [24 * GB, 1 * GB],
        "processes": [],
        "busy": [75, 30],
        "celsius": 61,
        "milliwatts": 70_500,
        "reasons": 0x1,
        "pcie_kb": [120, 45_000],
        "link": [4, 8, 4, 16],
        "bus": f"00000000:0{index + 1}:00.0",
        "sm": 62.5,
    }
    return told | changes


def machine(folder: Path, *gpus: dict[str, Any], driver: str = "570.86.15") -> Path:
    """Write what the driver of a machine with these devices says; FAKE_NVML is to name the file."""
    file = folder / "nvml.json"
    fresh = folder / "nvml.json.new"
    fresh.write_text(json.dumps({"driver": driver, "gpus": gpus}))
    fresh.replace(file)
    return file


def environment(file: Path) -> dict[str, str]:
    """Variables with which a process of ours finds these devices."""
    path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
    return {"FAKE_NVML": str(file), "PYTHONPATH": path}
