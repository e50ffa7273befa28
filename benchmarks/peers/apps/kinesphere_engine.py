"""The engine as a model of Kinesphere's."""

import os
from collections.abc import Callable, Sequence

from kinesphere.core.catalog import Model, Stage
from kinesphere.ports import File, Made, Outcome, Work

BATCH = int(os.environ.get("PEERS_BATCH", "1"))


class Shared:
    """See `kinesphere.ports.Engine`."""

    def load(self, device: str) -> None:
        """Make the engine."""
        from engine import Engine

        self._engine = Engine()

    def warm_up(self) -> None:
        """Nothing to warm."""

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Hand the batch over."""
        made = self._engine.run([str(work.request["seed"]) for work in batch])
        return [Made((File("result.txt", "text/plain", each.encode()),)) for each in made]

    def unload(self) -> None:
        """Nothing to give back."""


def _seconds() -> tuple[float, float]:
    return float(os.environ.get("PEERS_FIXED", "0")), float(os.environ.get("PEERS_PER_JOB", "0"))


MODELS = (
    Model(
        name="shared",
        version="1",
        task="motion",
        title="The engine of the comparison",
        stages=(Stage("", "kinesphere_engine:Shared", batch_limit=BATCH, seconds=_seconds()),),
        formats=("bvh",),
        durations=(0.5, 30.0),
        embedded=True,
        finished=True,
    ),
)
