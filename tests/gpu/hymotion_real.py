"""The vendor's own HY-Motion through our engine. Run by hand, where a checkout is.

`KINESPHERE_HYMOTION_SRC=/opt/HY-Motion-1.0 python -m tests.gpu.hymotion_real toy` runs the cases
of CI against the vendor's code in place of our double, with random weights at toy size, on the CPU;
the checkout needs no Git LFS files for that. It takes some minutes.

`… python -m tests.gpu.hymotion_real full` needs a GPU, the published weights and the LFS files: it
loads each profile in a process of its own, and prints what it took and how fast it was.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from kinesphere.core.fitting import Option
from kinesphere.engines.hymotion.profiles import profiles
from kinesphere.formats.clip import Clip, forward
from kinesphere.ports import Made, Work
from kinesphere.worker.products import Product, product

PROMPTS: Final = (
    ("A person walks forward and waves with the right hand.", 4.0),
    ("A person jumps twice.", 2.5),
    ("A person kneels down on one knee and stands up again.", 8.0),
    ("A person dances, turning around.", 12.0),
)
NEAR: Final = 0.02
"""Metres by which a sample of a batch may differ from the same alone: sums in another order."""


def toy(source: Path) -> int:
    """The cases of `tests.engines.hymotion.cases` against the vendor's code."""
    cases = import_module("tests.engines.hymotion.cases")
    with tempfile.TemporaryDirectory() as folder:
        return int(cases.main(Path(folder) / "toy", source))


def full(source: Path, weights: Path) -> int:
    """Every profile of every variant that is there; how many failed."""
    failed = 0
    for variant, lite in (("HY-Motion-1.0", False), ("HY-Motion-1.0-Lite", True)):
        if not (weights / "tencent" / variant).is_dir():
            continue
        for profile in profiles(lite=lite):
            task = json.dumps([str(source), str(weights), variant, dict(profile.options)])
            command = [sys.executable, "-m", "tests.gpu.hymotion_real", "one", task]
            print(json.dumps({"variant": variant, "profile": profile.name}), flush=True)
            failed += subprocess.run(command, check=False).returncode != 0
    return failed


def one(source: str, weights: str, variant: str, options: Mapping[str, Option]) -> None:
    """One profile: load, warm, batches of one to four, and one sample against itself alone."""
    engine_module: Any = import_module("kinesphere.engines.hymotion.engine")
    engine = engine_module.HyMotion(source=source, weights=weights, variant=variant, **options)
    started = time.monotonic()
    engine.load("cuda:0")
    engine.warm_up()
    told = engine.set_up()
    _say(seconds=time.monotonic() - started, phases=told.phases, peak=engine.peak_device_bytes())
    works = [
        Work({"prompt": prompt, "duration": seconds, "seed": seed, "format": "fbx"})
        for seed, (prompt, seconds) in enumerate(PROMPTS)
    ]
    alone = None
    for size in (1, 2, 4):
        started = time.monotonic()
        outcomes = engine.run(works[:size], lambda *_: None, lambda _: False)
        _say(batch=size, seconds=time.monotonic() - started, peak=engine.peak_device_bytes())
        done = [product(outcome, "fbx") for outcome in outcomes]
        for (prompt, _), made in zip(PROMPTS, done, strict=False):
            assert isinstance(made, Product), made
            _say(prompt=prompt, notes=dict(made.notes), bytes=len(made.files[-1].data))
        first = _joints(outcomes[0])
        off = 0.0 if alone is None else float(np.abs(first - alone).max())
        alone = first if alone is None else alone
        _say(batch=size, metres_off_alone=off)
        assert off <= NEAR, f"{off} m"
    engine.unload()


def _joints(outcome: object) -> "np.ndarray[Any, Any]":
    assert isinstance(outcome, Made), outcome
    assert isinstance(outcome.asset, Clip)
    return forward(outcome.asset)[0]


def _say(**facts: Any) -> None:
    print(json.dumps(facts, default=dict), flush=True)


def main() -> int:
    """What the command line asks for."""
    if sys.argv[1:2] == ["one"]:
        one(*json.loads(sys.argv[2]))
        return 0
    source = Path(os.environ["KINESPHERE_HYMOTION_SRC"]).absolute()
    if sys.argv[1:] == ["toy"]:
        return toy(source)
    weights = os.environ.get("KINESPHERE_HYMOTION_WEIGHTS", str(source / "ckpts"))
    return full(source, Path(weights).absolute())


if __name__ == "__main__":
    raise SystemExit(main())
