"""Which devices there are for replicas, and which one a new replica gets."""

from pathlib import Path

import pytest

from kinesphere.adapters.nvml import Nvml, present
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.replicas import Placement, ReplicaState, Status
from kinesphere.settings import Settings, SettingsError, load_settings
from kinesphere.wiring.devices import handed_out, placed
from kinesphere.worker.process import Launch
from tests.nvml import UUID, environment, gpu, machine, pynvml

STAGE = Stage("", "package:Engine")
LARGE = Model("large", "1", "motion", "", (STAGE,), ("bvh",))
SMALL = Model("small", "1", "motion", "", (STAGE,), ("bvh",), embedded=True)


def on(device: str, state: ReplicaState = ReplicaState.READY) -> Status:
    return Status(
        worker="w", pool="large", model="large", state=state, since=0.0, pid=1, batches=0, jobs=0,
        held=0, children=1, load_seconds=None, warm_seconds=None, memory=0, fixed_seconds=0.0,
        job_seconds=1.0, last_error="", placement=Placement(device),
    )  # fmt: skip


def test_what_is_set_is_handed_out() -> None:
    settings = load_settings({"KINESPHERE_DEVICES": "0,GPU-1234"})
    assert handed_out(settings, Catalog((LARGE,))) == ("0", "GPU-1234")
    with pytest.raises(SettingsError, match="KINESPHERE_DEVICES"):
        load_settings({"KINESPHERE_DEVICES": "gpu zero"})


def test_no_driver_is_asked_where_no_model_wants_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    assert handed_out(Settings(), Catalog((SMALL,))) == ("cpu",)
    assert handed_out(Settings(), Catalog((LARGE,))) in (("cpu",), tuple(present(None, {})))


def test_the_driver_names_devices_and_the_environment_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine(tmp_path, gpu(0), gpu(1, uuid="!lost"), gpu(2))
    monkeypatch.setenv("FAKE_NVML", environment(file)["FAKE_NVML"])
    nvml = Nvml(pynvml)
    assert present(nvml, {}) == [UUID.format(0), UUID.format(2)], "one does not answer"
    assert present(nvml, {"CUDA_VISIBLE_DEVICES": "2"}) == [UUID.format(2)]
    assert present(nvml, {"CUDA_VISIBLE_DEVICES": "-1"}) == []


def test_device_files_tell_where_no_driver_answers(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert present(None, {}, tmp_path) == ["0", "2", "10"]
    assert present(None, {"CUDA_VISIBLE_DEVICES": "10,2"}, tmp_path) == ["10", "2"]


def test_a_new_replica_goes_where_the_fewest_are() -> None:
    there = [on("a"), on("a"), on("b"), on("c", ReplicaState.STOPPED), on("cpu")]
    launch = placed(Launch(), LARGE, ("a", "b", "c"), there)
    assert (launch.device, launch.gpu) == ("cuda:0", "c")
    variables = launch.variables()
    assert variables["CUDA_VISIBLE_DEVICES"] == "c"
    assert variables["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert placed(Launch(), LARGE, ("cpu",), there) == Launch(device="cpu")
    assert placed(Launch(), SMALL, ("a",), there) == Launch(), "what is embedded stays on the CPU"
