"""BentoML: a batchable API, whose own controller forms the batches."""

import os

import bentoml
from engine import BATCH, Engine

BATCHING = {"batchable": True, "max_batch_size": BATCH, "max_latency_ms": 600_000}


@bentoml.service(workers=int(os.environ["PEERS_DEVICES"]), traffic={"timeout": 600})
class Shared:
    """The engine."""

    def __init__(self) -> None:
        self._engine = Engine()

    @(bentoml.api(**BATCHING) if BATCH > 1 else bentoml.api)
    def make(self, job: list[str]) -> list[str]:
        return self._engine.run(job)
