"""The vendor's pipeline at toy size behind a real server, under an interpreter of its own."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kinesphere.formats import mesh_glb
from tests import pictures
from tests.engines.hunyuan3d import environment
from tests.http.test_jobs import finished, follow
from tests.servers import ServerProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MODEL = "hunyuan3d-2"
TORN = "hunyuan3d-2mini"
TORN_FILE = Path("Hunyuan3D-2mini/hunyuan3d-dit-v2-mini/model.fp16.safetensors")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy weights, and beside them a model whose file was cut off while it was copied."""
    environment.installed()
    root = tmp_path_factory.mktemp("weights")
    shutil.copytree(environment.WEIGHTS, root, dirs_exist_ok=True)
    shutil.copytree(root / "Hunyuan3D-2" / "hunyuan3d-dit-v2-0", (root / TORN_FILE).parent)
    whole = (root / TORN_FILE).read_bytes()
    (root / TORN_FILE).write_bytes(whole[: len(whole) // 2])
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[ServerProcess]:
    options = {"steps": 24, "octree": 64, "chunks": 1_000, "profile": "unchecked"}
    running = ServerProcess(
        tmp_path_factory.mktemp("server") / "data",
        {
            "KINESPHERE_MODELS": f"{MODEL},{TORN}",
            "KINESPHERE_HUNYUAN3D_WEIGHTS": str(weights),
            "KINESPHERE_HUNYUAN3D_OPTIONS": json.dumps(options),
            "KINESPHERE_INTERPRETERS": f"{MODEL}={environment.PYTHON},{TORN}={environment.PYTHON}",
        },
    ).start(ready=False)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        yield client


def submit(http: httpx.Client, seed: int, picture: bytes, **fields: str) -> str:
    answer = http.post(
        "/v1/meshes",
        files={"image": ("square.png", picture)},
        data={"model": MODEL, "seed": str(seed), **fields},
    )
    assert answer.status_code == 202, answer.text
    name: str = answer.json()["id"]
    return name


async def test_a_batch_its_progress_its_errors_and_a_cancellation(
    http: httpx.Client, weights: Path
) -> None:
    seeds = json.loads((weights / "seeds.json").read_text())
    picture = (weights / "picture.png").read_bytes()
    await wait_until(
        lambda: "ready" in pool(http, MODEL)["replicas"], "the model is ready", 400.0, 0.2
    )

    # While the first runs the others gather to a batch.
    first = submit(http, seeds["surface"][0], picture)
    good = submit(http, seeds["surface"][1], picture, texture="false", faces="500")
    sunk = submit(http, seeds["none"][0], picture)
    blank = submit(http, 1, pictures.blank())
    progress = [json.loads(e.data) for e in follow(http, good) if e.event == "progress"]
    assert {"shape", "decode"} <= {told["phase"] for told in progress}
    assert len({told["progress"] for told in progress}) >= 3

    done = finished(http, {"id": good})
    assert done["state"] == "succeeded", done
    mesh = mesh_glb.decode(http.get(done["artifacts"][-1]["url"]).content)
    assert 200 < len(mesh.faces) <= 500
    assert done["notes"]["quality"]["verdict"] in ("pass", "warn")
    assert finished(http, {"id": first})["state"] == "succeeded"
    assert finished(http, {"id": sunk})["error"]["error_code"] == "QUALITY_REJECTED"
    assert finished(http, {"id": blank})["error"]["error_code"] == "IMAGE_REJECTED"
    sizes = http.get("/metrics").text
    (jobs,) = re.findall(r'^kinesphere_batch_size_sum{pool="hunyuan3d-2.shape"} (.*)', sizes, re.M)
    (batches,) = re.findall(
        r'^kinesphere_batch_size_count{pool="hunyuan3d-2.shape"} (.*)', sizes, re.M
    )
    assert (float(jobs), float(batches)) == (4.0, 2.0)

    dropped = submit(http, seeds["surface"][2], picture)
    await wait_until(lambda: state(http, dropped) == "running", "it runs", 60.0)
    assert http.delete(f"/v1/jobs/{dropped}").status_code == 200
    after = submit(http, seeds["surface"][3], picture)
    assert finished(http, {"id": after})["state"] == "succeeded"
    assert state(http, dropped) == "cancelled"
    # The process obeyed: it was not killed for going on.
    deaths = 'kinesphere_engine_deaths_total{pool="hunyuan3d-2.shape"}'
    assert not re.search(re.escape(deaths) + r" [1-9]", http.get("/metrics").text)


async def test_a_checkpoint_that_was_cut_off_is_told_and_never_served(http: httpx.Client) -> None:
    await wait_until(lambda: bool(pool(http, TORN)["detail"]), "its set-up has failed", 60.0, 0.2)
    assert "MODEL_FILES_INVALID" in pool(http, TORN)["detail"]
    assert "cut off" in pool(http, TORN)["detail"]


def pool(http: httpx.Client, model: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/pools/{model}.shape").json()
    return found


def state(http: httpx.Client, job: str) -> str:
    found: str = http.get(f"/v1/jobs/{job}").json()["state"]
    return found
