"""Running out of GPU memory: smaller passes, remembered, and a code by the size of the device."""

import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from kinesphere.core.failures import Failure, kind
from kinesphere.engines.gpu import memory
from kinesphere.engines.gpu.memory import Passes, out_of_memory, sold_as

GIB = 2**30


class OutOfMemoryError(RuntimeError):
    """As torch has it."""


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stand-in for torch on a machine with one GPU of 24 GB; what is asked of its cache."""
    asked: list[str] = []
    cuda = SimpleNamespace(
        OutOfMemoryError=OutOfMemoryError,
        is_available=lambda: True,
        empty_cache=lambda: asked.append("emptied"),
        get_device_properties=lambda _device: SimpleNamespace(total_memory=int(23.5 * GIB)),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, device=str))
    return asked


class Device:
    """Makes as many jobs at once as fit."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.passes: list[int] = []

    def make(self, jobs: Sequence[int]) -> list[int]:
        self.passes.append(len(jobs))
        if sum(jobs) > self.room:
            raise OutOfMemoryError("CUDA out of memory")
        return [job * 10 for job in jobs]


def test_a_pass_that_does_not_fit_is_halved_and_that_is_remembered(emptied: list[str]) -> None:
    device, passes = Device(room=3), Passes("cuda:0", 8)
    assert passes.run([1] * 8, device.make) == [10] * 8
    assert device.passes == [8, 4, 2, 2, 2, 2]
    assert passes.run([1] * 3, device.make) == [10] * 3
    assert device.passes[6:] == [2, 1]
    assert len(emptied) == 2


def test_one_that_does_not_fit_alone_fails_by_the_size_of_the_device(emptied: list[str]) -> None:
    made = Passes("cuda:0", 8).run([1, 9, 1], Device(room=2).make)
    assert (made[0], made[2]) == (10, 10)
    assert isinstance(made[1], Failure)
    assert made[1].code == "OOM_GPU_24GB"
    assert kind(made[1].code).retry


def test_other_errors_pass_and_main_memory_is_not_the_gpus(emptied: list[str]) -> None:
    def fails(error: Exception) -> None:
        def make(_jobs: Sequence[int]) -> list[int]:
            raise error

        Passes("cuda:0").run([1, 2], make)

    with pytest.raises(ValueError, match="other"):
        fails(ValueError("other"))
    with pytest.raises(MemoryError):
        fails(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not emptied


def test_without_torch_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    memory.release()
    assert memory.peak_bytes("cuda:0") is None
    assert memory.failure("cuda:0").code == "OOM_HOST"
    assert out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not out_of_memory(RuntimeError("out of cheese"))


@pytest.mark.parametrize(
    ("gib", "size"), [(23.5, 24), (22.0, 24), (39.4, 40), (79.2, 80), (14.6, 16), (300.0, 300)]
)
def test_devices_are_named_as_they_are_sold(gib: float, size: int) -> None:
    assert sold_as(int(gib * GIB)) == size
