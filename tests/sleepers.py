"""Models that sleep as long as a device would work, and how a server finds them."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kinesphere.core.catalog import Model, Size, Stage
from kinesphere.ports import File, Made, Outcome, Work

Report = Callable[[int, float, str], None]
Cancelled = Callable[[int], bool]


class Sleeper:
    """A batch takes `fixed` s, and `each` s for every 4 s of motion."""

    def __init__(self, fixed: float, each: float, load_seconds: float = 0.0) -> None:
        self.fixed = fixed
        self.each = each
        self.load_seconds = load_seconds

    def load(self, device: str) -> None:
        time.sleep(self.load_seconds)

    def warm_up(self) -> None:
        pass

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        asked = [float(str(work.request["duration"])) / 4.0 for work in batch]
        time.sleep(self.fixed + self.each * sum(asked))
        return [Made((File("made.txt", "text/plain", b"made"),)) for _ in batch]

    def unload(self) -> None:
        pass


class Broken(Sleeper):
    """Never comes up."""

    def load(self, device: str) -> None:
        raise RuntimeError("the weights are gone")


def _stage(name: str, engine: str, batch_limit: int, **options: float) -> Stage:
    path = f"tests.sleepers:{engine}"
    return Stage(name=name, engine=path, batch_limit=batch_limit, options=options)


def _model(name: str, rank: int, *stages: Stage) -> Model:
    return Model(
        name=name,
        version="1",
        task="motion",
        title="Sleeps",
        stages=stages,
        formats=("bvh",),
        durations=(0.5, 30.0),
        size=Size("duration", 4.0),
        rank=rank,
    )


MODELS = (
    _model("batches", 3, _stage("", "Sleeper", 3, fixed=0.2, each=0.1)),
    _model(
        "stages",
        2,
        _stage("first", "Sleeper", 1, fixed=0.05, each=0.15),
        _stage("second", "Sleeper", 1, fixed=0.02, each=0.1),
    ),
    _model("slow", 1, _stage("", "Sleeper", 1, fixed=0.0, each=2.0)),
    _model("broken", 0, _stage("", "Broken", 1, fixed=0.0, each=1.0)),
)


def environment(folder: Path, *models: str) -> dict[str, str]:
    """Variables with which a server finds these models of ours, and no other."""
    about = folder / "sleepers-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepers\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[kinesphere.engines]\nsleepers = tests.sleepers:MODELS\n"
    )
    root = Path(__file__).parents[1]
    paths = [str(folder), str(root), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "KINESPHERE_MODELS": ",".join(models),
    }
