"""`kinesphere doctor` on machines with GPUs: what it says of them, and what fits."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.adapters import topology
from kinesphere.cli import doctor_gpus
from kinesphere.cli.findings import Finding
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.fitting import Profile
from tests.nvml import GB, UUID, gpu, machine, pynvml

FULL = Profile("bf16", 26 * GB, 1 * GB, source="its README")
LEAN = Profile("nf4", 10 * GB, 1 * GB, source="its README")
LARGE = Model(
    "large", "1", "motion", "",
    (Stage("", "package:Engine", batch_limit=8, profiles=(FULL, LEAN)),), ("bvh",),
)  # fmt: skip


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pynvml", pynvml)
    monkeypatch.setenv("FAKE_NVML", str(tmp_path / "nvml.json"))
    yield
    pynvml.calls.clear()


def told(name: str) -> list[Finding]:
    return [finding for finding in doctor_gpus.gpus() if finding.name == name]


def test_devices_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    machine(
        tmp_path,
        gpu(0, link=[1, 16, 4, 16]),
        gpu(1),
        gpu(2, link=None, celsius=91),
        gpu(3, link=None, reasons=0x40 | 0x4),
        gpu(4, memory=None, celsius=None, link=None, reasons=None),
    )
    (whole,) = told("gpus")
    assert whole.found.endswith("4: NVIDIA L4 (driver 570.86.15)")
    found = {f.name: f for f in doctor_gpus.gpus() if f.name.startswith("gpu ")}
    assert found["gpu 0"] == Finding(
        "gpu 0", "ok", "NVIDIA L4, 24.0 GB, 23.0 GB free, PCIe 1 x16 of 4 x16, 61 °C"
    )
    assert "slot" in found["gpu 1"].advice, "8 lanes of 16"
    assert "cooling" in found["gpu 2"].advice
    assert "slowed: hardware_thermal" in found["gpu 3"].found
    assert found["gpu 4"] == Finding("gpu 4", "ok", "NVIDIA L4")


def test_what_fits_where_and_why_not(tmp_path: Path) -> None:
    names = [UUID.format(0), UUID.format(1), UUID.format(2), "cpu"]
    machine(
        tmp_path,
        gpu(0, name="NVIDIA L40S", memory=[48 * GB, 1 * GB]),
        gpu(1),
        gpu(2, memory=[24 * GB, 16 * GB]),
    )
    found = list(doctor_gpus.fits(Catalog((LARGE,)), names[:3]))
    assert [f.level for f in found] == ["ok", "ok", "warn"]
    assert found[0].found == "on NVIDIA L40S as bf16, 8 at once; by its README"
    assert found[1].found == "on NVIDIA L4 as nf4, 8 at once; by its README"
    assert "bf16: needs 27.8 GB on the device, 8.0 GB free" in found[2].found
    assert "nf4: needs 11.0 GB on the device, 8.0 GB free" in found[2].found
    assert found[2].found.endswith("16.0 GB of it are in use")
    assert "free this one" in found[2].advice
    assert list(doctor_gpus.fits(Catalog(()), names)) == []


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = doctor_gpus.gpus()
    assert finding == Finding("gpus", "ok", "none; the embedded engines need none")
    monkeypatch.setattr(doctor_gpus, "present", lambda nvml, environ: ["0"])
    (finding,) = doctor_gpus.gpus()
    assert finding.level == "warn"
    (finding,) = doctor_gpus.fits(Catalog((LARGE,)), ["0"])
    assert finding.found == "on 0 as bf16, 8 at once (its memory is not known); by its README"


def test_a_replica_far_from_its_device_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, gpu(0), gpu(1))
    here = sorted(os.sched_getaffinity(0))
    far = max(here) + 1
    nodes = {0: frozenset(here), 1: frozenset({far, far + 1})}
    monkeypatch.setattr(topology, "nodes", lambda: nodes)
    pci, proc = tmp_path / "pci", tmp_path / "proc"
    for number in (0, 1):
        folder = pci / f"0000:0{number + 1}:00.0"
        folder.mkdir(parents=True)
        (folder / "numa_node").write_text(f"{number}\n")
    near, wrong, other = ("101", UUID.format(0)), ("102", UUID.format(1)), ("103", None)
    for pid, device in (near, wrong, other):
        folder = proc / pid
        folder.mkdir(parents=True)
        words = b"python\0-m\0kinesphere.worker.child\x001\0"
        (folder / "cmdline").write_bytes(words if device else b"bash\0")
        (folder / "environ").write_bytes(f"A=b\0CUDA_VISIBLE_DEVICES={device}\0".encode())
        (folder / "status").write_text(f"Name:\tp\nCpus_allowed_list:\t{here[0]}-{here[-1]}\n")
    found = list(topology.engine_processes(proc))
    assert {(p.pid, p.gpu) for p in found} == {(101, UUID.format(0)), (102, UUID.format(1))}
    monkeypatch.setattr(topology, "engine_processes", lambda: found)
    monkeypatch.setattr("kinesphere.adapters.nvml.Nvml.__init__.__defaults__", (None, pci))
    (replica,) = told("replica")
    assert replica.level == "warn"
    assert "process 102 uses GPU 1 of node 1" in replica.found
    assert "--cpunodebind=1 --membind=1" in replica.advice
    assert told("numa gpu 0")[0].level == "ok"
    assert told("numa gpu 1")[0].level == "warn"


def test_lists_of_processors() -> None:
    assert topology.cpus("0-2,8, 10-11\n".replace(" ", "")) == {0, 1, 2, 8, 10, 11}
    assert topology.cpus("\n") == frozenset()
    assert topology.nodes(Path("/nowhere")) == {}
