"""Models that do harm, installed beside the real ones for the tests of this folder."""

import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kinesphere.core.catalog import Model, Stage
from kinesphere.ports import File, Made, Outcome, Work

_ROOM: Final = 256 * 2**20
"""Bytes beyond what it has that the greedy engine may take."""


class Poison:
    """Crashes, hangs or eats memory on every job whose prompt says so."""

    def load(self, device: str) -> None:
        pass

    def warm_up(self) -> None:
        pass

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        words = {str(work.request.get("prompt")) for work in batch}
        if "crash" in words:
            os.abort()
        if "hang" in words:
            time.sleep(3_600)
        if "eat" in words:
            _eat()
        return [Made((File("fine.txt", "text/plain", b"fine"),)) for _ in batch]

    def unload(self) -> None:
        pass


def _eat() -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + _ROOM, hard))
    kept = []
    while True:
        kept.append(bytearray(16 * 2**20))


MODELS: Final = (
    Model(
        name="poison",
        version="1",
        task="motion",
        title="Harms whoever runs it",
        stages=(
            Stage("", "tests.chaos.engines:Poison", batch_limit=4, seconds=(0.1, 0.0), run_limit=3),
        ),
        formats=("bvh",),
        durations=(0.5, 30.0),
        rank=-50,
        simulated=True,
    ),
)


def installed(folder: Path) -> dict[str, str]:
    """The variables of a process in which these models are installed, by way of `folder`."""
    package = folder / "kinesphere_chaos-1.dist-info"
    package.mkdir(exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: kinesphere-chaos\nVersion: 1\n")
    (package / "entry_points.txt").write_text(
        "[kinesphere.engines]\nchaos = tests.chaos.engines:MODELS\n"
    )
    paths = [str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
