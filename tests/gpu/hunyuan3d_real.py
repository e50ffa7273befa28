"""The published Hunyuan3D-2 through our engine. Run by hand, on a machine with a GPU.

`KINESPHERE_HUNYUAN3D_WEIGHTS=/weights python -m tests.gpu.hunyuan3d_real picture.png` in an
environment with the vendor's code. It runs each shape model whose folder is there in each profile,
each in a process of its own: a picture alone, four at once, the first again, then the paint models
on its mesh. It prints a line of JSON for each, with time, peak memory and the verdict of the
checks, and writes the meshes into the working directory.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from kinesphere.core.catalog import Stage
from kinesphere.core.fitting import Option
from kinesphere.engines import hunyuan3d
from kinesphere.engines.gpu.memory import peak_bytes
from kinesphere.ports import Engine, Made, Outcome, Work
from kinesphere.settings import load_settings
from kinesphere.worker.products import Product, product

SEEDS: Final = (1, 2, 3, 4)
DEVICE: Final = "cuda:0"


def stages(root: str, paint: str) -> dict[str, tuple[Stage, ...]]:
    """Of every model whose folder is there."""
    environ = {"KINESPHERE_HUNYUAN3D_WEIGHTS": root, "KINESPHERE_HUNYUAN3D_PAINT": paint}
    models = hunyuan3d.configured(load_settings(environ), None)
    return {model.name: model.stages for model in models}


def brought_up(stage: Stage, options: Mapping[str, Option]) -> tuple[Engine, float]:
    """The engine, loaded and warm, and the seconds that it took."""
    module, _, name = stage.engine.partition(":")
    make: Callable[..., Engine] = getattr(import_module(module), name)
    began = time.monotonic()
    engine = make(**{**stage.options, **options})
    engine.load(DEVICE)
    engine.warm_up()
    return engine, time.monotonic() - began


def told(what: str, outcomes: Sequence[Outcome], seconds: float) -> bool:
    """Print what came of a batch; whether all of it is good."""
    good = True
    for outcome in outcomes:
        checked = product(outcome, "glb")
        good &= isinstance(checked, Product)
        facts: Any = checked.notes if isinstance(checked, Product) else str(checked)
        line = {"what": what, "seconds": seconds, "peak": peak_bytes(DEVICE), "told": facts}
        print(json.dumps(line, default=str), flush=True)
    return good


def ran(engine: Engine, works: Sequence[Work], what: str) -> tuple[Sequence[Outcome], bool]:
    """One batch, and whether all of it is good."""
    began = time.monotonic()
    made = engine.run(works, lambda *_: None, lambda _index: False)
    return made, told(what, made, time.monotonic() - began)


def one(task: str) -> int:
    """One model in one profile, in this process; how many of its runs failed."""
    root, name, profile, paint, picture = json.loads(task)
    shape, texture = stages(root, paint)[name]
    chosen = next(p for p in shape.profiles if p.name == profile)
    engine, seconds = brought_up(shape, chosen.options)
    print(json.dumps({"model": name, "profile": profile, "set_up": seconds}), flush=True)
    inputs = {"picture": Path(picture).read_bytes()}
    works = [Work({"seed": seed, "format": "glb", "texture": True}, inputs) for seed in SEEDS]
    first, good = ran(engine, works[:1], "alone")
    _, all_good = ran(engine, works, "four at once")
    again, same_good = ran(engine, works[:1], "again")
    same = [file_bytes(made) for made in first] == [file_bytes(made) for made in again]
    print(json.dumps({"same seed, same bytes": same}), flush=True)
    engine.unload()
    painted = False
    if isinstance(first[0], Made) and isinstance(first[0].asset, tuple):
        files = {file.name: file.data for file in first[0].asset}
        painter, seconds = brought_up(texture, {"offload": profile.endswith("offload")})
        print(json.dumps({"paint": paint, "set_up": seconds}), flush=True)
        made, painted = ran(painter, [Work(works[0].request, files)], "painted")
        for number, data in enumerate(map(file_bytes, made)):
            Path(f"{name}-{profile}-{paint}-{number}.glb").write_bytes(data)
    return [good, all_good, same_good, same, painted].count(False)


def file_bytes(outcome: Outcome) -> bytes:
    """The first file of an outcome; nothing for a failure."""
    if isinstance(outcome, Made) and isinstance(outcome.asset, tuple):
        return outcome.asset[0].data
    return b""


def main(picture: str) -> int:
    """Everything that is there; how many processes failed."""
    root = os.environ["KINESPHERE_HUNYUAN3D_WEIGHTS"]
    failed = 0
    for paint in ("standard", "turbo"):
        for name, (shape, _) in stages(root, paint).items():
            for profile in shape.profiles:
                task = json.dumps([root, name, profile.name, paint, picture])
                command = [sys.executable, "-m", "tests.gpu.hunyuan3d_real", "one", task]
                failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(one(sys.argv[2]) if sys.argv[1] == "one" else main(sys.argv[1]))
