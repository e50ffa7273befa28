"""simulated: a declared stand-in for a device, with times, memory and failures from settings.

This module stays light: it is imported in the API process.
"""

from typing import Final

from kinesphere.core.catalog import Model, Stage
from kinesphere.settings.simulated import SimulatedModel, SimulatedStage

_FORMATS: Final = {"motion": ("bvh", "fbx", "glb", "npz"), "mesh": ("glb", "obj", "ply", "stl")}
_PATIENCE: Final = 20.0
"""How many times its declared time a batch may take before it is held for hung."""


def model(stated: SimulatedModel) -> Model:
    """The model that a setting describes."""
    last = len(stated.stages) - 1
    motion = stated.task == "motion"
    return Model(
        name=stated.name,
        version="1",
        task=stated.task,
        title="Simulated: takes the time that was stated and makes nothing real",
        stages=tuple(
            _stage(stated, stage, makes=stated.task if index == last else "mesh")
            for index, stage in enumerate(stated.stages)
        ),
        formats=_FORMATS[stated.task],
        durations=(0.5, 30.0) if motion else None,
        faces=None if motion else (500, 1_000_000),
        rank=stated.rank,
        lite_of=stated.lite_of,
        simulated=True,
    )


def _stage(stated: SimulatedModel, stage: SimulatedStage, makes: str) -> Stage:
    longest = stage.fixed + stage.per_job * stage.batch_limit
    return Stage(
        name=stage.name,
        engine="kinesphere.engines.simulated.engine:Simulated",
        batch_limit=stage.batch_limit,
        seconds=(stage.fixed, stage.per_job),
        load_limit=stage.cold_start + 60.0,
        run_limit=max(5.0, _PATIENCE * longest),
        options={
            **stage.model_dump(exclude={"name", "batch_limit"}),
            "makes": makes,
            "payload": stated.payload,
        },
    )
