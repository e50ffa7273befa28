"""NVML for machines without a GPU: the functions and constants of `pynvml`, told by a JSON file.

The file that the environment variable FAKE_NVML names holds `{"driver": …, "gpus": [{…}]}`; each
GPU has the fields of `tests.nvml.gpu`. A field that is a string raises an error with those words,
as a driver does for what a device does not offer. Without the file there is no driver.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_TEMPERATURE_GPU = 0
NVML_PCIE_UTIL_TX_BYTES = 0
NVML_PCIE_UTIL_RX_BYTES = 1
NVML_GPM_METRICS_GET_VERSION = 1
NVML_GPM_METRIC_SM_UTIL = 2

calls: list[str] = []
samples: set[int] = set()


class NVMLError(Exception):
    """What every function raises."""


def _state() -> Any:
    try:
        return json.loads(Path(os.environ["FAKE_NVML"]).read_text())
    except (KeyError, OSError):
        raise NVMLError("Driver Not Loaded") from None


def _of(handle: int, field: str) -> Any:
    calls.append(field)
    told = _state()["gpus"][handle].get(field)
    if told is None or (isinstance(told, str) and told.startswith("!")):
        raise NVMLError(told or "Not Supported")
    return told


def nvmlInit() -> None:
    _state()


def nvmlShutdown() -> None:
    assert not samples, "samples were not given back"


def nvmlSystemGetDriverVersion() -> str:
    return str(_state()["driver"])


def nvmlDeviceGetCount() -> int:
    return len(_state()["gpus"])


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    if index >= len(_state()["gpus"]):
        raise NVMLError("Invalid Argument")
    return index


def nvmlDeviceGetHandleByUUID(uuid: str) -> int:
    for index, gpu in enumerate(_state()["gpus"]):
        if gpu["uuid"] == uuid:
            return index
    raise NVMLError("Not Found")


def nvmlDeviceGetUUID(handle: int) -> str:
    return str(_of(handle, "uuid"))


def nvmlDeviceGetName(handle: int) -> bytes:
    return str(_of(handle, "name")).encode()


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:
    total, used = _of(handle, "memory")
    return SimpleNamespace(total=total, used=used, free=total - used)


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(pid=os.getpid() if pid == 0 else pid, usedGpuMemory=used)
        for pid, used in _of(handle, "processes")
    ]


def nvmlDeviceGetUtilizationRates(handle: int) -> SimpleNamespace:
    gpu, memory = _of(handle, "busy")
    return SimpleNamespace(gpu=gpu, memory=memory)


def nvmlDeviceGetTemperature(handle: int, sensor: int) -> int:
    return int(_of(handle, "celsius"))


def nvmlDeviceGetPowerUsage(handle: int) -> int:
    return int(_of(handle, "milliwatts"))


def nvmlDeviceGetCurrentClocksEventReasons(handle: int) -> int:
    return int(_of(handle, "reasons"))


def nvmlDeviceGetPcieThroughput(handle: int, counter: int) -> int:
    return int(_of(handle, "pcie_kb")[counter])


def nvmlDeviceGetCurrPcieLinkGeneration(handle: int) -> int:
    return int(_of(handle, "link")[0])


def nvmlDeviceGetCurrPcieLinkWidth(handle: int) -> int:
    return int(_of(handle, "link")[1])


def nvmlDeviceGetMaxPcieLinkGeneration(handle: int) -> int:
    return int(_of(handle, "link")[2])


def nvmlDeviceGetMaxPcieLinkWidth(handle: int) -> int:
    return int(_of(handle, "link")[3])


def nvmlDeviceGetPciInfo(handle: int) -> SimpleNamespace:
    return SimpleNamespace(busId=_of(handle, "bus"))


def nvmlGpmQueryDeviceSupport(handle: int) -> SimpleNamespace:
    return SimpleNamespace(isSupportedDevice=int("sm" in _state()["gpus"][handle]))


def nvmlGpmSampleAlloc() -> int:
    sample = max(samples, default=0) + 1
    samples.add(sample)
    return sample


def nvmlGpmSampleGet(handle: int, sample: int) -> int:
    _of(handle, "sm")
    return sample


def nvmlGpmSampleFree(sample: int) -> None:
    samples.remove(sample)


class c_nvmlGpmMetricsGet_t:
    def __init__(self) -> None:
        self.version = self.numMetrics = 0
        self.sample1 = self.sample2 = 0
        self.metrics = [SimpleNamespace(metricId=0, value=0.0)]


def nvmlGpmMetricsGet(asked: c_nvmlGpmMetricsGet_t) -> c_nvmlGpmMetricsGet_t:
    assert {asked.sample1, asked.sample2} <= samples
    assert asked.metrics[0].metricId == NVML_GPM_METRIC_SM_UTIL
    asked.metrics[0].value = float(_of(0, "sm"))
    return asked
