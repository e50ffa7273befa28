"""Ray Serve: one replica a device, batches formed for at most 50 ms."""

import os
import signal
import sys

import ray
from engine import BATCH, Engine
from ray import serve
from starlette.requests import Request

DEVICES = int(os.environ["PEERS_DEVICES"])


@serve.deployment(
    num_replicas=DEVICES, max_ongoing_requests=512, ray_actor_options={"num_cpus": 0.5}
)
class Shared:
    """The engine."""

    def __init__(self) -> None:
        self._engine = Engine()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.05 if BATCH > 1 else 0.0)
    async def run(self, jobs: list[str]) -> list[str]:
        return self._engine.run(jobs)

    async def __call__(self, request: Request) -> dict[str, str]:
        return {"result": await self.run((await request.json())["job"])}


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Shared.bind())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
