"""The second stage with a double of the vendor's paint pipeline, which needs a GPU."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinesphere.core.failures import Failure
from kinesphere.engines.gpu.files import NotLoadable
from kinesphere.engines.hunyuan3d.paint import Paint
from kinesphere.engines.hunyuan3d.shape import OBJECT, SHAPE
from kinesphere.engines.simulated.assets import box
from kinesphere.formats import mesh_glb
from kinesphere.ports import Made, Work
from kinesphere.worker.products import Product, product
from tests import pictures
from tests.engines.hunyuan3d.test_checkpoint import safetensors

DELIGHT, PAINT = "hunyuan3d-delight-v2-0", "hunyuan3d-paint-v2-0-turbo"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Two pipelines as diffusers lays them out, with next to nothing in them."""
    for name in (DELIGHT, PAINT):
        folder = tmp_path / "Hunyuan3D-2" / name
        parts: dict[str, Any] = {"_class_name": "Pipeline", "safety_checker": [None, None]}
        for part in ("unet", "vae", "scheduler"):
            (folder / part).mkdir(parents=True)
            parts[part] = ["diffusers", part]
        for part in ("unet", "vae"):
            file = folder / part / "diffusion_pytorch_model.safetensors"
            file.write_bytes(safetensors({"a": 8}))
        (folder / "model_index.json").write_text(json.dumps(parts))
    return tmp_path


@pytest.fixture(autouse=True)
def _vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "hy3dgen"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(Path(__file__).with_name("double"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")


def loaded(weights: Path, **options: Any) -> Paint:
    given = {"weights": str(weights), "repository": "Hunyuan3D-2", "subfolder": PAINT, **options}
    engine = Paint(**given)
    engine.load("cuda:0")
    return engine


def work(shape: bytes | None = None) -> Work:
    inputs = {SHAPE: box("glb").data if shape is None else shape, OBJECT: pictures.cut_out()}
    return Work({"format": "glb", "texture": True, "seed": 1}, inputs)


def test_a_shape_is_textured_and_its_seams_are_closed_again(weights: Path) -> None:
    told: list[tuple[float, str]] = []
    engine = loaded(weights)
    engine.warm_up()
    before = set(Path(tempfile.gettempdir()).glob("*.obj"))
    (made,) = engine.run(
        [work()], lambda _index, part, phase: told.append((part, phase)), lambda _index: False
    )
    assert set(Path(tempfile.gettempdir()).glob("*.obj")) == before
    checked = product(made, "glb")
    assert isinstance(checked, Product), checked
    mesh = mesh_glb.decode(checked.files[0].data)
    assert (len(mesh.vertices), len(mesh.faces)) == (8, 12)
    assert mesh.texture is not None
    assert mesh.texture.size == (64, 64)
    # The vendor's v goes up, ours down.
    top = mesh.vertices[mesh.faces[0]][:, 1] > 0.5
    assert (mesh.texture.points[mesh.texture.corners[0]][top, 1] < 0.5).all()
    assert np.allclose(mesh.vertices.min(axis=0), [-0.5, 0.0, -0.5])
    assert list(dict.fromkeys(phase for _, phase in told)) == ["delight", "uv", "multiview", "bake"]
    assert [part for part, _ in told] == sorted(part for part, _ in told)
    assert len(told) == 50 + 1 + 10 + 1
    engine.unload()


def test_cancelled_work_stops_at_the_next_step(weights: Path) -> None:
    asked = 0

    def cancelled(_index: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    made = loaded(weights).run([work(), work()], lambda *_: None, cancelled)
    assert [m.code for m in made if isinstance(m, Failure)] == ["CANCELLED", "CANCELLED"]
    assert asked == 22


def test_a_shape_that_is_none_fails_alone(weights: Path) -> None:
    made = loaded(weights).run([work(b"no mesh"), work()], lambda *_: None, lambda _: False)
    assert isinstance(made[0], Failure)
    assert made[0].code == "ENGINE_FAILED"
    assert isinstance(made[1], Made)


def test_offloading_reaches_both_pipelines(weights: Path) -> None:
    loaded(weights, offload=True)
    vendor = sys.modules["hy3dgen.texgen"]
    models = vendor.Hunyuan3DPaintPipeline.last.models
    assert all(model.pipeline.offloaded for model in models.values())


def test_another_gpu_is_refused_because_the_vendor_would_take_the_first(weights: Path) -> None:
    engine = Paint(weights=str(weights), repository="Hunyuan3D-2", subfolder=PAINT)
    with pytest.raises(NotLoadable, match="first GPU"):
        engine.load("cuda:1")


@pytest.mark.parametrize("lost", ["unet/diffusion_pytorch_model.safetensors", "model_index.json"])
def test_a_missing_file_is_told_before_anything_is_imported(weights: Path, lost: str) -> None:
    (weights / "Hunyuan3D-2" / DELIGHT / lost).unlink()
    with pytest.raises(NotLoadable) as caught:
        loaded(weights)
    assert caught.value.code == "MODEL_FILES_MISSING"
    assert "hy3dgen.texgen" not in sys.modules


def test_a_file_that_was_cut_off_is_told(weights: Path) -> None:
    file = weights / "Hunyuan3D-2" / PAINT / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(NotLoadable, match=r"MODEL_FILES_INVALID.*cut off"):
        loaded(weights)
