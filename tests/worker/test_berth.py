"""A replica fits its engine to its device: which profile, how many jobs, what it says of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kinesphere.adapters.nvml import Nvml
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.fitting import Footprint, Profile
from kinesphere.core.replicas import ReplicaState
from kinesphere.worker.berth import Berth
from kinesphere.worker.messages import Load, Placed
from kinesphere.worker.pools import ReplicaPools
from kinesphere.worker.process import Launch
from kinesphere.worker.room import Device, host_memory
from kinesphere.worker.setup import LONG_BATCH, NoProfileFits, Usage, bring_up
from tests.nvml import GB, UUID, environment, gpu, machine, pynvml
from tests.worker.bench import Bench
from tests.worker.engines import Simple

FULL = Profile("full", 20 * GB, 2 * GB, options={"precision": "bf16"}, source="its card")
LEAN = Profile("lean", 8 * GB, 1 * GB, options={"precision": "int8"}, source="its card")
ENGINE = "tests.worker.engines:Fitted"


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name, value in environment(machine(tmp_path, gpu(0))).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield
    pynvml.calls.clear()


def order(**changes: Any) -> Load:
    values: dict[str, Any] = {
        "engine": ENGINE,
        "options": {"precision": "fp32"},
        "device": "cuda:0",
        "formats": [],
        "profiles": [FULL, LEAN],
        "batch_limit": 8,
    }
    return Load(**(values | changes))


def open_device(name: str) -> Device:
    return Device(name, Nvml(pynvml))


def test_the_best_that_fits_is_chosen_before_the_engine_is_imported(tmp_path: Path) -> None:
    brought = bring_up(order(), open_device)
    placed = brought.ready.placed
    assert placed.profile == FULL
    assert (placed.name, placed.total, placed.free) == ("NVIDIA L4", 24 * GB, 23 * GB)
    assert placed.batch_limit == 1, "23 GB hold 20 and the margin, but no second job"
    assert vars(brought.engine)["precision"] == "bf16", "the profile's options win"

    machine(tmp_path, gpu(0, memory=[24 * GB, 10 * GB]))
    placed = bring_up(order(), open_device).ready.placed
    assert placed.profile == LEAN
    assert placed.batch_limit == 1 + 5

    machine(tmp_path, gpu(0, memory=[24 * GB, 20 * GB]))
    with pytest.raises(NoProfileFits, match=r"NVIDIA L4: full: needs 21.5 GB .*; lean: needs"):
        bring_up(order(engine="no.such:Engine"), open_device)


def test_what_it_took_before_counts_more_than_what_was_declared() -> None:
    seen = {"full": Footprint(12 * GB, per_job_bytes=1 * GB)}
    placed = bring_up(order(measured=seen), open_device).ready.placed
    assert placed.profile is not None
    assert (placed.profile.source, placed.batch_limit) == ("measured", 8)


def test_a_device_without_memory_of_its_own_shares_the_hosts(tmp_path: Path) -> None:
    machine(tmp_path, gpu(0, memory=None))
    room = open_device("cuda:0").room
    assert room.unified
    assert room.free is None
    assert room.host == pytest.approx(host_memory(), rel=0.2)


def test_the_driver_tells_what_we_take(tmp_path: Path) -> None:
    device = open_device("cuda:0")
    machine(tmp_path, gpu(0, memory=[24 * GB, 6 * GB], processes=[[0, 4 * GB], [1, 1 * GB]]))
    assert device.taken() == 4 * GB
    # In a container the driver knows us by another number.
    machine(tmp_path, gpu(0, memory=[24 * GB, 6 * GB], processes=[[99_999_999, 5 * GB]]))
    assert device.taken() == 5 * GB, "what was used up since the start"


def test_the_driver_is_not_asked_after_every_short_batch() -> None:
    class Asked(Device):
        asked = 0

        def taken(self) -> int:
            self.asked += 1
            return 4 * GB

    class Tells(Simple):
        def peak_device_bytes(self) -> int:
            return 5 * GB

    device = Asked("cpu", None)
    usage = Usage(Simple(), device)
    assert usage.taken() == 4 * GB
    for _ in range(100):
        usage.taken(0.001)
    assert device.asked <= 2
    assert usage.taken(LONG_BATCH) == 4 * GB
    assert [Usage(Tells(), device).taken(0.001) for _ in range(3)] == [5 * GB] * 3


@pytest.mark.parametrize(
    ("device", "named", "uuid"),
    [
        ("cuda:1", None, UUID.format(1)),
        ("cuda", None, UUID.format(0)),
        ("cuda:0", UUID.format(1), UUID.format(1)),
        ("cuda:0", "1", UUID.format(1)),
        ("cuda:1", "1,0", UUID.format(0)),
        ("cuda:1", "0", None),
        ("cuda:0", "", None),
        ("mps", None, None),
    ],
)
def test_a_device_is_found_by_the_name_that_the_engine_has_for_it(
    tmp_path: Path, device: str, named: str | None, uuid: str | None
) -> None:
    machine(tmp_path, gpu(0, memory=[1 * GB, 0]), gpu(1, memory=[2 * GB, 0]))
    environ: Mapping[str, str] = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    total = Device(device, Nvml(pynvml), environ).room.total
    assert total == {None: None, UUID.format(0): 1 * GB, UUID.format(1): 2 * GB}[uuid]


def test_a_container_may_take_what_its_limit_leaves(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 64000000 kB\nMemAvailable:   32000000 kB\n")
    assert host_memory(meminfo, tmp_path) == 32_768_000_000
    (tmp_path / "memory.max").write_text("8000000000\n")
    (tmp_path / "memory.current").write_text("5000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1500000000\n")
    assert host_memory(meminfo, tmp_path) == 4_500_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert host_memory(meminfo, tmp_path) == 32_768_000_000


def test_the_limit_follows_what_batches_take() -> None:
    berth = Berth(Stage("", ENGINE, batch_limit=16, profiles=(LEAN,)), Launch("cuda:0", gpu="0"))
    assert berth.batch_limit == 16
    placed = Placed(
        profile=LEAN, batch_limit=4, name="NVIDIA L4", total=24 * GB, free=20 * GB,
        unified=False, taken=9 * GB, host_peak=2 * GB,
    )  # fmt: skip
    assert not berth.taken_up(placed, typical=True), "the first is nothing else than before"
    assert berth.batch_limit == 11, "20 GB less 9 as measured, half a GiB spare, 1 GB each"
    berth.seen(1, 9 * GB)
    berth.seen(4, 15 * GB)
    assert berth.batch_limit == 6, "each took 2 GB"
    assert berth.placement.source == "measured"
    assert berth.placement.taken == 15 * GB
    assert berth.order(()).measured["lean"].per_job_bytes == 2 * GB
    small = Berth(Stage("", ENGINE, batch_limit=16, profiles=(LEAN,)), Launch("cuda:0", gpu="0"))
    small.taken_up(msgspec.structs.replace(placed, taken=1 * GB), typical=False)
    assert small.batch_limit == 12, "8 GB as declared: the warm-up did less than a job"
    berth.seen(1, 30 * GB)
    assert berth.batch_limit == 1, "more than there is, and yet it runs"


async def test_a_replica_says_where_it_is_and_how_fast(bench: Bench) -> None:
    replica = bench.start(
        ENGINE,
        device="cuda:0",
        gpu=UUID.format(0),
        profiles=(FULL, LEAN),
        batch_limit=8,
        options={"precision": "fp32"},
    )
    await bench.state(replica, ReplicaState.READY)
    status = replica.status
    place = status.placement
    assert (place.device, place.name) == (UUID.format(0), "NVIDIA L4")
    assert (place.profile, place.source, place.batch_limit) == ("full", "measured", 6)
    assert (place.total, place.taken) == (24 * GB, 12 * GB)
    assert set(status.phases) == {
        "spawn", "look", "import", "read_weights", "to_device", "load", "compile", "warm_up",
    }  # fmt: skip
    assert status.phases["read_weights"] == 0.02
    assert status.measured
    assert status.fixed_seconds + status.job_seconds == pytest.approx(0.25), "by the warm-up"
    declared = Model("m", "1", "motion", "", (Stage("", ENGINE, batch_limit=8),), ("bvh",))
    pools = ReplicaPools(Catalog((declared,)), lambda: [status], bench.seams.clock)
    pool = pools.statuses()["m"]
    assert pool.measured, "the ETA and the scaler need not guess"
    assert pool.service.batch_limit == 6
    assert pool.service.batch_seconds(1) == pytest.approx(0.25)
    job = await bench.submit()
    await bench.ended(job)
    assert replica.status.placement.taken == 13 * GB, "by the run"


async def test_a_replica_that_nothing_fits_says_why(bench: Bench, tmp_path: Path) -> None:
    machine(tmp_path, gpu(0, memory=[8 * GB, 0]))
    replica = bench.start(ENGINE, device="cuda:0", profiles=(FULL, LEAN), options={"precision": ""})
    await bench.state(replica, ReplicaState.SETUP_FAILED)
    assert "lean: needs 8.9 GB on the device, 8.0 GB free" in replica.status.last_error
