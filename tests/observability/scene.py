"""Kinesphere at work: one server with every kind of model, and jobs that come to every kind of end.

Its GPU is a driver library that a file tells (`tests.nvml`), read by the server as a real one is;
the model on it takes the stated time and makes what `simulated` makes.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from kinesphere.core.catalog import Model
from kinesphere.core.fitting import Profile
from kinesphere.engines import simulated
from kinesphere.settings.simulated import SimulatedModel, SimulatedStage
from tests import pictures
from tests.nvml import GB, UUID, environment, gpu, machine
from tests.servers import ServerProcess

GPU: Final = UUID.format(0)
HOT: Final = 91
BACKLOG: Final = 105
BROKEN: Final = "a dragon does a backflip over the Rhine"


def _loom() -> Model:
    """Takes its time as a simulated model does, and a GPU, which none of those do."""
    stated = simulated.model(
        SimulatedModel(
            name="loom", payload=10, stages=(SimulatedStage(fixed=0.05, device_mb=2_000),)
        )
    )
    profile = Profile("fp16", device_bytes=2 * GB, per_job_bytes=GB)
    stages = tuple(replace(stage, profiles=(profile,)) for stage in stated.stages)
    return replace(stated, stages=stages, rank=-10, simulated=False)


LOOM: Final = (_loom(),)

_SIMULATED: Final = [
    {"name": "steady", "rank": 50, "stages": [{"fixed": 0.05, "per_job": 0.0}]},
    {
        "name": "fresh",
        "rank": -20,
        "stages": [{"fixed": 0.05, "per_job": 0.0, "failures": 0.2, "faults": 0.4}],
    },
    {
        "name": "solid",
        "task": "mesh",
        "rank": 50,
        "payload": 10,
        "stages": [{"name": "shape", "fixed": 0.1}, {"name": "texture", "fixed": 0.1}],
    },
    {
        "name": "broken",
        "rank": -40,
        "payload": 10,
        "stages": [{"fixed": 0.0, "per_job": 0.0, "failures": 1.0}],
    },
    {"name": "jammed", "rank": -30, "payload": 10, "stages": [{"fixed": 3600, "batch_limit": 1}]},
]

_POLICY: Final = """
policy = "static"
minimum = 1

[[tiers]]
name = "here"
price = 0.72
"""


def installed(folder: Path) -> str:
    """A folder for PYTHONPATH in which the model on the GPU is installed."""
    package = folder / "kinesphere_scene-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: kinesphere-scene\nVersion: 1\n")
    (package / "entry_points.txt").write_text(
        "[kinesphere.engines]\nscene = tests.observability.scene:LOOM\n"
    )
    return str(folder)


@dataclass
class Scene:
    """The server, and who asks it."""

    server: ServerProcess
    client: httpx.Client
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @classmethod
    def begun(cls, folder: Path, **settings: str) -> "Scene":
        """Start it; `settings` are further variables."""
        policy = folder / "policy.toml"
        policy.write_text(_POLICY)
        told = machine(
            folder, gpu(celsius=HOT, processes=[[0, 2 * GB]], busy=[30, 20], bus="00000000:01:00.0")
        )
        variables = environment(told)
        variables["PYTHONPATH"] = os.pathsep.join(
            [installed(folder / "site"), variables["PYTHONPATH"]]
        )
        server = ServerProcess(
            folder / "data",
            {
                **variables,
                "KINESPHERE_MODELS": "choreo,steady,fresh,solid,broken,jammed,loom",
                "KINESPHERE_SIMULATED": json.dumps(_SIMULATED),
                "KINESPHERE_SCALING_POLICY": str(policy),
                "KINESPHERE_TIER": "here",
                "KINESPHERE_DEVICES": GPU,
                "KINESPHERE_TELEMETRY_SECONDS": "1",
                "KINESPHERE_CACHE_SHARE": "everyone",
                **settings,
            },
        )
        try:
            server.start()
            return cls(server, httpx.Client(base_url=server.url, timeout=30))
        except BaseException:
            server.kill()
            raise

    def end(self) -> None:
        """End the server without a word."""
        self.client.close()
        self.server.kill()

    def ask(self, **body: Any) -> dict[str, Any]:
        """Have one motion accepted."""
        prompt = f"a man waves {next(self.numbers)} times"
        return self._post("/v1/motions", json={"prompt": prompt, "duration": 2} | body)

    def mesh(self) -> dict[str, Any]:
        """Have one mesh accepted."""
        fields = {"seed": str(next(self.numbers))}
        return self._post("/v1/meshes", data=fields, files={"image": ("mug.png", pictures.png(64))})

    def backlog(self) -> None:
        """Fill the queue of a pool that never comes to an end."""
        for _ in range(BACKLOG):
            self.ask(model="jammed")

    def fail(self) -> str:
        """Have a job accepted that will fail for good, and tell its id."""
        return str(self.ask(prompt=BROKEN, model="broken")["id"])

    def release(self) -> None:
        """Begin to give half of the motions to the canary."""
        terms = {"canary": "fresh", "steps": [50.0], "hold_seconds": 3600, "samples": 1000}
        answer = self.client.put("/v1/releases/motion", json=terms)
        assert answer.status_code in (200, 201), answer.text

    def act(self) -> None:
        """A little of everything: short and long, cached and joined, late, cancelled, a mesh."""
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()  # noqa: TID251 - the server's own time
        for _ in range(3):
            self.ask(deadline=soon)
            self.ask(duration=5, model="fresh")
            self.ask(model="loom")
        self.ask(model="choreo", duration=4)
        same = {"prompt": "a man bows", "model": "steady"}
        for seed in (1, 1, next(self.numbers), next(self.numbers)):
            self.ask(**same, seed=seed)
            self.ask(**same, seed=seed)
        self.mesh()
        cancelled = self.ask(model="jammed")
        self.client.delete(f"/v1/jobs/{cancelled['id']}")

    def _post(self, path: str, **content: Any) -> dict[str, Any]:
        answer = self.client.post(path, **content)
        assert answer.status_code in (200, 202), answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted
