"""What can only be seen beside the vendor's code: `python inside.py WEIGHTS` in its environment.

Prints one JSON object: each check by its name, with "" where it went well and the error elsewhere.
One process does all, because importing torch takes longer than the checks together.
"""

import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import (
    load_file,
    save_file,
)

from kinesphere.core.failures import Failure
from kinesphere.engines.gpu.files import NotLoadable
from kinesphere.engines.hunyuan3d.shape import OBJECT, SHAPE, Shape
from kinesphere.formats import mesh_glb
from kinesphere.formats.mesh import Mesh
from kinesphere.ports import Made, Outcome, Work
from kinesphere.quality.mesh import judge_mesh
from kinesphere.testing.engines import examine

ROOT = Path(sys.argv[1])
SEEDS = json.loads((ROOT / "seeds.json").read_text())
ONE = "Hunyuan3D-2/hunyuan3d-dit-v2-0"
FOUR = "Hunyuan3D-2mv/hunyuan3d-dit-v2-mv"
TOY: dict[str, Any] = {"steps": 12, "octree": 32, "chunks": 500}
PICTURE = (ROOT / "picture.png").read_bytes()

CHECKS: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS[function.__name__] = function
    return function


def loaded(folder: str = ONE, root: Path = ROOT, **options: Any) -> Shape:
    engine = Shape(weights=str(root), folder=folder, **{**TOY, **options})
    engine.load("cpu")
    return engine


ENGINE = loaded()


def work(seed: int, picture: bytes = PICTURE, **request: Any) -> Work:
    return Work({"seed": seed, "format": "glb", "texture": False, **request}, {"picture": picture})


def run(engine: Shape, *batch: Work) -> Sequence[Outcome]:
    return engine.run(batch, lambda _index, _part, _phase: None, lambda _index: False)


def mesh(outcome: Outcome) -> Mesh:
    assert isinstance(outcome, Made), outcome
    assert isinstance(outcome.asset, tuple)
    return mesh_glb.decode(outcome.asset[0].data)


def refused(call: Callable[[], object], code: str, *words: str) -> None:
    try:
        call()
    except NotLoadable as error:
        assert error.code == code, error
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError("it was loaded")


def copied(change: Callable[[dict[str, Any]], None]) -> Path:
    """Weights with one thing changed."""
    root = Path(tempfile.mkdtemp(dir=ROOT.parent, prefix="changed-"))
    shutil.copytree(ROOT / ONE, root / ONE)
    file = root / ONE / "model.fp16.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    return root


@check
def a_batch_gives_each_its_own_outcome() -> None:
    told: list[tuple[int, float, str]] = []
    blank = BytesIO()
    Image.new("RGB", (64, 64), "white").save(blank, "PNG")
    good, other = SEEDS["surface"][:2]
    batch = [work(good), work(SEEDS["none"][0]), work(0, blank.getvalue()), work(other)]
    made = ENGINE.run(batch, lambda i, part, phase: told.append((i, part, phase)), lambda _i: False)
    one, two = mesh(made[0]), mesh(made[3])
    assert len(one.faces) > 200
    assert not torch.equal(*(torch.tensor(m.vertices.max(axis=0)) for m in (one, two)))
    assert [o.code for o in made if isinstance(o, Failure)] == [
        "QUALITY_REJECTED",
        "IMAGE_REJECTED",
    ]
    for index in (0, 3):
        parts = [part for i, part, _ in told if i == index]
        assert parts == sorted(parts)
        assert (
            len({part for i, part, phase in told if i == index and phase == "shape"})
            == TOY["steps"]
        )
        assert len({part for i, part, phase in told if i == index and phase == "decode"}) > 50
    assert told[-1][2] == "postprocess"


@check
def a_mesh_passes_the_gate_and_stands_on_the_ground() -> None:
    made = mesh(run(ENGINE, work(SEEDS["surface"][0]))[0])
    assert judge_mesh(made).verdict != "fail", judge_mesh(made)
    low, high = made.vertices.min(axis=0), made.vertices.max(axis=0)
    assert abs(float(low[1])) < 1e-6
    assert abs(float((high - low).max()) - 1.0) < 1e-5


@check
def faces_are_at_most_as_many_as_asked() -> None:
    whole, few = (
        mesh(run(ENGINE, work(SEEDS["surface"][0], faces=faces))[0]) for faces in (None, 300)
    )
    assert len(whole.faces) > 400
    assert 250 < len(few.faces) <= 300


@check
def a_seed_gives_the_same_mesh_again_and_nearly_so_in_a_batch() -> None:
    seed, other = SEEDS["surface"][:2]
    first, again, beside = (
        mesh(run(ENGINE, *batch)[0])
        for batch in ([work(seed)], [work(seed)], [work(seed), work(other)])
    )
    assert (first.vertices == again.vertices).all()
    assert abs(len(first.vertices) - len(beside.vertices)) <= 0.01 * len(first.vertices)


@check
def a_second_stage_is_given_the_shape_and_the_object() -> None:
    engine = loaded(painted=True)
    (made,) = run(engine, work(SEEDS["surface"][0], texture=True))
    assert isinstance(made, Made)
    assert isinstance(made.asset, tuple)
    assert [file.name for file in made.asset] == [SHAPE, OBJECT]


@check
def cancelled_work_stops_between_two_steps() -> None:
    asked = 0

    def cancelled(_index: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > 6

    made = ENGINE.run([work(6), work(7)], lambda *_: None, cancelled)
    assert [o.code for o in made if isinstance(o, Failure)] == ["CANCELLED", "CANCELLED"]
    assert asked < 15


@check
def one_that_is_wanted_is_made_though_the_other_is_not() -> None:
    seed, other = SEEDS["surface"][:2]
    made = ENGINE.run([work(seed), work(other)], lambda *_: None, lambda index: index == 1)
    assert isinstance(made[0], Made)
    assert isinstance(made[1], Failure)


@check
def out_of_memory_halves_the_batch_and_is_remembered() -> None:
    engine = loaded()
    sizes: list[int] = []

    def short(_module: object, given: tuple[Any, ...]) -> None:
        # Guidance doubles the batch.
        size = given[0].shape[0] // 2
        if not sizes or sizes[-1] != size:
            sizes.append(size)
        if size > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    engine._sculptor.pipeline.model.register_forward_pre_hook(short)
    seed = SEEDS["surface"][0]
    assert all(isinstance(made, Made) for made in run(engine, *[work(seed)] * 4))
    assert all(isinstance(made, Made) for made in run(engine, *[work(seed)] * 3))
    assert sizes == [4, 2, 1], sizes


@check
def out_of_memory_alone_is_a_failure_of_that_job() -> None:
    engine = loaded()

    def short(_module: object, _given: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    hook = engine._sculptor.pipeline.vae.register_forward_pre_hook(short)
    (made,) = run(engine, work(6))
    assert isinstance(made, Failure)
    # There is no GPU here to tell the size of.
    assert made.code == "OOM_HOST"
    hook.remove()
    assert isinstance(run(engine, work(SEEDS["surface"][0]))[0], Made)


@check
def offloading_changes_nothing_but_where_networks_are() -> None:
    seed = SEEDS["surface"][0]
    engine = loaded(offload=True)
    made = [mesh(run(each, work(seed))[0]) for each in (ENGINE, engine, engine)]
    assert (made[0].vertices == made[1].vertices).all()
    assert (made[0].vertices == made[2].vertices).all()


@check
def flashvdm_reads_the_same_surface_one_job_at_a_time() -> None:
    seed, other = SEEDS["surface"][:2]
    engine = loaded(flashvdm="own", octree=64)
    made = [mesh(outcome) for outcome in run(engine, work(seed), work(other))]
    plain = mesh(run(loaded(octree=64), work(seed))[0])
    sizes = [each.vertices.max(axis=0) for each in (made[0], plain)]
    assert abs(sizes[0] - sizes[1]).max() < 0.1
    assert len(made[1].faces) > 200


@check
def bfloat16_runs() -> None:
    assert len(mesh(run(loaded(precision="bfloat16"), work(SEEDS["surface"][0]))[0]).faces) > 200


@check
def the_contract_of_engines_is_kept_where_jobs_are_made_one_by_one() -> None:
    class OneByOne(Shape):
        def load(self, device: str) -> None:
            super().load(device)
            # In company a mesh is the same up to rounding only, which the contract does not allow.
            self._passes.most = 1

    engine = OneByOne(weights=str(ROOT), folder=ONE, **TOY)
    findings = examine(engine, [work(seed) for seed in SEEDS["surface"][:2]])
    assert not [finding for finding in findings if finding.problem], findings


@check
def those_of_a_later_pass_are_made_though_an_earlier_one_is_abandoned() -> None:
    engine = loaded()
    engine._passes.most = 1
    begun: list[int] = []

    def cancelled(index: int) -> bool:
        return index == 0 and len(begun) > 5

    works = [work(seed) for seed in SEEDS["surface"][:2]]
    made = engine.run(works, lambda index, _part, _phase: begun.append(index), cancelled)
    assert isinstance(made[0], Failure)
    assert isinstance(made[1], Made)


@check
def warming_up_leaves_no_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        ENGINE.warm_up()
        run(ENGINE, work(SEEDS["surface"][0]))
        assert tempfile.gettempdir() == folder
        assert not list(Path(folder).iterdir())
    tempfile.tempdir = None


@check
def pictures_of_several_sides_make_one_mesh() -> None:
    engine = loaded(FOUR, views=True)
    engine.warm_up()
    front = work(3)
    sides = Work(front.request, {"picture": PICTURE, "left": PICTURE, "back": PICTURE})
    made = run(engine, front, sides, front)
    views = [o.notes["views"] for o in made if isinstance(o, Made)]
    assert views == [["front"], ["front", "left", "back"], ["front"]], made


@check
def a_wrong_name_a_wrong_shape_and_a_missing_part_are_refused() -> None:
    def renamed(tensors: dict[str, Any]) -> None:
        tensors["model.latent_out.weight"] = tensors.pop("model.latent_in.weight")

    def reshaped(tensors: dict[str, Any]) -> None:
        tensors["vae.post_kl.weight"] = tensors["vae.post_kl.weight"][:4].contiguous()

    def parted(tensors: dict[str, Any]) -> None:
        for name in [name for name in tensors if name.startswith("conditioner.")]:
            del tensors[name]

    for change, word in ((renamed, "latent_in"), (reshaped, "post_kl"), (parted, "conditioner")):
        root = copied(change)
        refused(lambda root=root: loaded(root=root), "MODEL_FILES_INVALID", word)  # type: ignore[misc]
        shutil.rmtree(root)


@check
def a_pickle_is_read_as_tensors_only() -> None:
    root = copied(lambda _tensors: None)
    file = root / ONE / "model.fp16.safetensors"
    tensors = load_file(file)
    file.unlink()
    parts: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    pickle = root / ONE / "model.fp16.ckpt"
    torch.save(parts, pickle)
    assert isinstance(run(loaded(root=root), work(SEEDS["surface"][0]))[0], Made)
    torch.save({key: parts[key] for key in ("model", "vae")}, pickle)
    refused(lambda: loaded(root=root), "MODEL_FILES_INVALID", "conditioner")
    torch.save({**parts, "model": Path("code that would be run")}, pickle)
    refused(lambda: loaded(root=root), "MODEL_FILES_INVALID")
    shutil.rmtree(root)


def main() -> None:
    results: dict[str, str] = {}
    for name, function in CHECKS.items():
        began = time.process_time()
        try:
            function()
            results[name] = ""
        except Exception:
            results[name] = traceback.format_exc()
        sys.stderr.write(f"{time.process_time() - began:.1f} s of CPU: {name}\n")
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
