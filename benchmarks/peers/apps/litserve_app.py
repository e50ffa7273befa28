"""LitServe: an API with a batch, formed for at most 50 ms where batches are wanted."""

import os
import sys

import litserve
from engine import BATCH, Engine


class Api(litserve.LitAPI):
    """The engine."""

    def setup(self, device: str) -> None:
        self._engine = Engine()

    def decode_request(self, request: dict[str, str]) -> str:
        return request["job"]

    def predict(self, jobs: "list[str] | str") -> "list[str] | str":
        return self._engine.run(jobs) if isinstance(jobs, list) else self._engine.run([jobs])[0]

    def encode_response(self, output: str) -> dict[str, str]:
        return {"result": output}


if __name__ == "__main__":
    batching = {"max_batch_size": BATCH, "batch_timeout": 0.05} if BATCH > 1 else {}
    server = litserve.LitServer(
        Api(**batching),
        accelerator="cpu",
        workers_per_device=int(os.environ["PEERS_DEVICES"]),
        timeout=600,
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning"
    )
