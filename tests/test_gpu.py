"""A model on a GPU, from its package's entry point to the pools, the metrics and the doctor.

The GPU is played at the driver's library, in the server's process and in the engine's own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.nvml import GB, UUID, environment, gpu, machine
from tests.servers import ServerProcess
from tests.waiting import wait_until

PLUGIN = """
from kinesphere.core.catalog import Model, Stage
from kinesphere.core.fitting import Profile
from kinesphere.ports import File, Made

GB = 10**9
PROFILES = (
    Profile("bf16", 30 * GB, 2 * GB, options={"precision": "bf16"}, source="its card"),
    Profile("int8", 10 * GB, 2 * GB, options={"precision": "int8"}, source="its card"),
)
STAGE = Stage("", "kplugin:Engine", batch_limit=4, seconds=(1.0, 1.0), profiles=PROFILES)
MODELS = (Model("plugged", "1", "motion", "Plugged in", (STAGE,), ("bvh",), durations=(0.5, 9.0)),)


class Engine:
    def __init__(self, precision):
        self.precision = precision

    def load(self, device):
        import os

        self.place = f"{self.precision} on {device}, seeing {os.environ['CUDA_VISIBLE_DEVICES']}"

    def warm_up(self):
        pass

    def run(self, batch, report, cancelled):
        return [Made((File("a.bvh", "text/plain", self.place.encode()),)) for _ in batch]

    def unload(self):
        pass
"""


def installed(folder: Path) -> Path:
    """A package with an engine, installed in a folder of its own."""
    package = folder / "kplugin-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: kplugin\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[kinesphere.engines]\nplugged = kplugin:MODELS\n")
    (folder / "kplugin.py").write_text(PLUGIN)
    return folder


@pytest.mark.slow
async def test_a_model_is_fitted_to_its_gpu_and_shown(tmp_path: Path) -> None:
    busy = gpu(0, memory=[24 * GB, 23 * GB])
    fits = gpu(1, memory=[24 * GB, 2 * GB], processes=[[0, 9 * GB]])
    given = environment(machine(tmp_path, busy, fits))
    given["PYTHONPATH"] += os.pathsep + str(installed(tmp_path / "site"))
    given |= {
        "CUDA_VISIBLE_DEVICES": "1",
        "KINESPHERE_MODELS": "plugged",
        "KINESPHERE_TELEMETRY_SECONDS": "1",
    }
    server = ServerProcess(tmp_path / "data", given).start()
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=30.0) as http:
            answer = await http.post(
                "/v1/motions", json={"prompt": "wave"}, headers={"Prefer": "wait=20"}
            )
            job = answer.json()
            assert job["state"] == "succeeded", job
            made = await http.get(job["artifacts"][0]["url"])
            assert made.text == f"int8 on cuda:0, seeing {UUID.format(1)}"

            pool = (await http.get("/v1/pools/plugged")).json()
            (member,) = pool["members"]
            assert (member["device"], member["device_name"]) == (UUID.format(1), "NVIDIA L4")
            assert (member["profile"], member["profile_source"]) == ("int8", "its card")
            assert (member["device_bytes"], member["device_bytes_taken"]) == (24 * GB, 9 * GB)
            assert pool["batch_limit"] == member["batch_limit"] == 4

            async def shown() -> bool:
                text = (await http.get("/metrics")).text
                name, labels = "kinesphere_gpu_busy_ratio", f'gpu="{UUID.format(1)}"'
                return f"{name}{{{labels}}} 0.75" in text and UUID.format(0) not in text

            await wait_until(shown, "the GPU is in the metrics")
    finally:
        assert server.stop() == 0
    assert '"action":"replica_ready"' in server.log.read_text().replace(" ", "")
    doctor = subprocess.run(
        [sys.executable, "-m", "kinesphere", "doctor", "--json"],
        env={**os.environ, **given, "KINESPHERE_PORT": "0", "KINESPHERE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    rows = {row["name"]: row for row in json.loads(doctor.stdout)}
    assert doctor.returncode == 0, doctor.stdout
    assert rows["fit plugged"]["found"] == "on NVIDIA L4 as int8, 4 at once; by its card"
    assert rows["gpus"]["found"].startswith("0: NVIDIA L4; 1: NVIDIA L4")
