"""What is read of GPUs, that one failed reading leaves the others alone, and the hint of idling."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kinesphere.adapters.metric_gpu import GpuReading
from kinesphere.adapters.nvml import THROTTLES, Link, Memory, Nvml, NvmlUnavailable, Telemetry
from kinesphere.core.idling import idles
from kinesphere.core.replicas import Health, Placement, ReplicaState, Status
from kinesphere.worker.gpu_watch import GpuWatch
from kinesphere.worker.last_words import cancelled
from tests.clock import VirtualClock
from tests.nvml import GB, UUID, gpu, machine, pynvml
from tests.waiting import wait_until

FIELDS = ("memory", "busy", "celsius", "milliwatts", "reasons", "pcie_kb", "link", "bus", "sm")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nvml]:
    monkeypatch.setenv("FAKE_NVML", str(machine(tmp_path, gpu(0))))
    nvml = Nvml(pynvml, tmp_path)
    yield nvml
    nvml.close()
    pynvml.calls.clear()
    assert not pynvml.samples


def on(device: str, pool: str = "large") -> Status:
    return Status(
        worker="w", pool=pool, model="large", state=ReplicaState.BUSY, since=0.0, pid=1, batches=0,
        jobs=0, held=0, children=1, load_seconds=None, warm_seconds=None, memory=0,
        fixed_seconds=0.0, job_seconds=1.0, last_error="", placement=Placement(device),
    )  # fmt: skip


def _has(shown: Sequence[float], number: int) -> bool:
    return len(shown) == number


def test_everything_is_read_in_the_platforms_units(driver: Nvml, tmp_path: Path) -> None:
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "numa_node").write_text("1\n")
    machine(tmp_path, gpu(0, reasons=0x4 | 0x40 | 0x1))
    (device,) = driver.gpus()
    assert driver.read(device).sm_activity is None, "it takes two looks"
    told = driver.read(device)
    throttles = {name: name in ("power_cap", "hardware_thermal") for name in THROTTLES}
    assert told == Telemetry(
        Memory(24 * GB, 23 * GB, 1 * GB), 0.75, 0.3, 0.625, 61.0, 70.5, throttles,
        120_000.0, 45_000_000.0, Link(4, 8, 4, 16), 1,
    )  # fmt: skip
    assert driver.driver() == "570.86.15"


@pytest.mark.parametrize("field", FIELDS)
def test_one_failed_reading_leaves_the_others(driver: Nvml, tmp_path: Path, field: str) -> None:
    (device,) = driver.gpus()
    driver.read(device)
    whole = driver.read(device)
    machine(tmp_path, gpu(0, **{field: "!GPU is lost"}))
    told = driver.read(device)
    lost = {
        name
        for name in Telemetry.__dataclass_fields__
        if getattr(told, name) != getattr(whole, name)
    }
    assert (
        lost
        == {
            "memory": {"memory"},
            "busy": {"busy", "memory_busy"},
            "celsius": {"celsius"},
            "milliwatts": {"watts"},
            "reasons": {"throttles"},
            "pcie_kb": {"sent", "received"},
            "link": {"link"},
            "bus": set(),
            "sm": {"sm_activity"},
        }[field]
    )


def test_a_binding_without_a_question_is_a_device_without_an_answer(
    driver: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pynvml, "nvmlDeviceGetCurrentClocksEventReasons")
    (device,) = driver.gpus()
    told = driver.read(device)
    assert told.throttles is None
    assert told.celsius == 61.0


def test_without_a_driver_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAKE_NVML", raising=False)
    with pytest.raises(NvmlUnavailable, match="Driver Not Loaded"):
        Nvml(pynvml)
    with pytest.raises(NvmlUnavailable, match="AttributeError"):
        Nvml(SimpleNamespace())


def test_idle_means_slow_and_idle_and_known() -> None:
    assert idles([9.0] * 3, [0.3, 0.2, 0.5]) is True
    assert idles([9.0] * 3, [0.9, 0.8, 0.9]) is False
    assert idles([7.0] * 3, [0.1] * 3) is False
    assert idles([9.0] * 2, [0.1] * 3) is None
    assert idles([9.0] * 3, [0.1, None, None]) is None


async def test_a_slow_pool_on_an_idle_device_is_told_once(
    driver: Nvml, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, shown = VirtualClock(), list[GpuReading]()
    took: dict[str, Any] = {"large": [12.0] * 5, "small": [1.0] * 5}
    machine(tmp_path, gpu(0, busy=[20, 5]))
    replicas = [on(UUID.format(0)), on(UUID.format(0), "small"), on("cpu", "choreo"), on("GPU-no")]
    watch = GpuWatch(
        clock,
        5.0,
        everyone=lambda: replicas,
        latencies=lambda pool, seconds: took[pool],
        show=shown.append,
    )
    here = UUID.format(0)
    with caplog.at_level(logging.WARNING, "kinesphere.gpu"):
        for _ in range(4):
            await watch.look(driver)
            clock.tick(5.0)
    assert [each.uuid for each in shown[-1].told] == [here]
    assert shown[1].idle == {}, "too little is known"
    assert shown[-1].idle == {("large", here): True, ("small", here): False}
    (line,) = caplog.records
    assert vars(line)["action"] == "gpu.idle_while_slow"
    machine(tmp_path, gpu(0, busy=[95, 40]))
    for _ in range(12):
        clock.tick(5.0)
        await watch.look(driver)
    assert shown[-1].idle == {("large", here): False, ("small", here): False}


async def test_looks_keep_an_even_pace(driver: Nvml) -> None:
    clock, shown = VirtualClock(), list[float]()
    watch = GpuWatch(
        clock,
        5.0,
        everyone=lambda: [on(UUID.format(0))],
        latencies=lambda pool, seconds: [],
        show=lambda reading: shown.append(clock.monotonic()),
        open_driver=lambda: driver,
    )
    task = asyncio.create_task(watch.run())
    for number in (1, 2, 3):
        await wait_until(partial(_has, shown, number), f"look {number}")
        await clock.advance(5.0)
    await cancelled(task)
    assert shown[:3] == [0.0, 5.0, 10.0]


async def test_without_a_driver_nothing_is_shown_and_nothing_tried_again() -> None:
    asked: list[int] = []

    def no_driver() -> Nvml:
        asked.append(1)
        raise NvmlUnavailable("none")

    watch = GpuWatch(
        VirtualClock(),
        5.0,
        everyone=list,
        latencies=lambda pool, seconds: [],
        show=lambda reading: None,
        open_driver=no_driver,
    )
    task = asyncio.create_task(watch.run())
    await wait_until(lambda: bool(asked), "the driver was asked for")
    await asyncio.sleep(0)
    assert not task.done()
    await cancelled(task)
    assert asked == [1]


async def test_replicas_tell_how_their_devices_are(driver: Nvml, tmp_path: Path) -> None:
    machine(tmp_path, gpu(0, reasons=0x4))
    replicas = (on(UUID.format(0)), on("cpu"))
    watch = GpuWatch(
        VirtualClock(), 1.0, everyone=lambda: replicas, latencies=lambda *_: (), show=lambda _: None
    )
    assert [each.health for each in watch.with_health(replicas)] == [None, None]
    await watch.look(driver)
    told, none = (each.health for each in watch.with_health(replicas))
    assert told == Health(used=1 * GB, busy=0.75, celsius=61.0, watts=70.5, throttled=True)
    assert none is None
