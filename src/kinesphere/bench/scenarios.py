"""Loads with the servers that they are for, from two published tables, and what they assume."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from kinesphere.bench.workload import Kind, Workload


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load, and the settings of a server with simulated devices that it is sent to.

    Attributes:
        title: One line.
        assumptions: What is assumed where the source says nothing, in sentences.
        published: The source's figure for comparison.
        workload: The load.
        settings: Settings of the server, as in its TOML file.
    """

    title: str
    assumptions: str
    published: str
    workload: Workload
    settings: Mapping[str, Any]


_MOTIONS: Final = {50: "12.4 requests/s", 200: "48.1 requests/s", 500: "112.3 requests/s"}
_MESHES: Final = {1: (4, 75.0), 3: (12, 49.7), 5: (20, 27.3)}


def _motions(users: int) -> Scenario:
    return Scenario(
        title=f"{users} users ask for motions, 8 devices",
        assumptions=(
            "No user thinks between two requests: with any pause the published rates do not "
            "follow from the published users and latencies. A batch of b motions takes "
            "3.2 + 0.01 b s, b at most 64, give or take a tenth: the affine time with which "
            "batches that form as here come nearest to all three rows. Without any scatter the "
            "devices fall into step, and whoever comes a moment late waits for a whole batch. "
            "Seeds differ, so nothing is cached."
        ),
        published=_MOTIONS[users],
        workload=Workload(seconds=60.0, users=users, ramp=5.0, model="a10"),
        settings=_server(
            "a10",
            {"task": "motion", "payload": 50_000},
            [{"fixed": 3.2, "per_job": 0.01, "noise": 0.1, "batch_limit": 64}],
            replicas={"a10": 8},
        ),
    )


def _meshes(nodes: int) -> Scenario:
    devices, seconds = _MESHES[nodes]
    return Scenario(
        title=f"meshes on {nodes} nodes of 4 devices",
        assumptions=(
            f"As many users as devices, without pauses. A mesh takes {seconds:g} s on one device, "
            "the time that the published throughput implies for these nodes, shape and texture "
            "together. The source's last row needs devices 2.7 times as fast as its first, not "
            "only more of them."
        ),
        published=f"{devices / seconds:.3f} meshes/s",
        workload=Workload(
            seconds=4.0 * seconds, users=devices, mix=(Kind("mesh"),), model="gpu-mesh"
        ),
        settings=_server(
            "gpu-mesh",
            {"task": "mesh", "payload": 200_000},
            [{"fixed": seconds, "per_job": 0.0, "batch_limit": 1}],
            replicas={"gpu-mesh": devices},
        ),
    )


def _server(
    name: str,
    model: Mapping[str, Any],
    stages: list[dict[str, Any]],
    replicas: Mapping[str, int],
) -> Mapping[str, Any]:
    return MappingProxyType(
        {
            "models": [name],
            "rate_limit": 0,
            "replicas": dict(replicas),
            "simulated": [{"name": name, **model, "stages": stages}],
        }
    )


_STAGE_TIMES: Final = ("fixed", "per_job", "cold_start")


def at_speed(scenario: Scenario, speed: float) -> Scenario:
    """The same with time running `speed` times as fast: devices, pauses and the load itself."""
    (model,) = scenario.settings["simulated"]
    stages = [
        {name: value / speed if name in _STAGE_TIMES else value for name, value in stage.items()}
        for stage in model["stages"]
    ]
    load = scenario.workload
    return replace(
        scenario,
        workload=replace(
            load, seconds=load.seconds / speed, ramp=load.ramp / speed, think=load.think / speed
        ),
        settings={**scenario.settings, "simulated": [{**model, "stages": stages}]},
    )


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {f"motions-{users}": _motions(users) for users in _MOTIONS}
    | {f"meshes-{nodes}": _meshes(nodes) for nodes in _MESHES}
)
