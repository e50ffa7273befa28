"""simulated: a declared stand-in for a device, with times, memory and failures from settings.

This module stays light: it is imported in the API process.
"""

from typing import TYPE_CHECKING, Final

from kinesphere.core.catalog import Model, Size, Stage

if TYPE_CHECKING:
    # The child imports this package and does without the settings, and so without pydantic.
    from kinesphere.settings.simulated import SimulatedModel, SimulatedStage

_FORMATS: Final = {"motion": ("bvh", "fbx", "glb", "npz"), "mesh": ("glb", "obj", "ply", "stl")}
_PATIENCE: Final = 20.0
"""How many times its declared time a batch may take before it is held for hung."""


_ENGINE: Final = "kinesphere.engines.simulated.engine:Simulated"
_SLEEPER: Final = "kinesphere.engines.simulated.sleeper:Sleeper"
_TYPICAL_CLIP: Final = 5.0


def growing(share: float) -> Size:
    """How work grows with a clip's length: a clip of 5 s is typical."""
    return Size("duration", _TYPICAL_CLIP, share)


def model(stated: "SimulatedModel") -> Model:
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
        size=growing(stated.grows) if motion and stated.grows else None,
        rank=stated.rank,
        lite_of=stated.lite_of,
        simulated=True,
        finished=stated.payload > 0,
    )


def _stage(stated: "SimulatedModel", stage: "SimulatedStage", makes: str) -> Stage:
    longest = stage.fixed + stage.per_job * stage.batch_limit
    return Stage(
        name=stage.name,
        engine=_ENGINE if stage.wake is None else _SLEEPER,
        batch_limit=stage.batch_limit,
        seconds=(stage.fixed, stage.per_job),
        load_limit=stage.cold_start + 60.0,
        run_limit=max(5.0, _PATIENCE * longest),
        options={
            **stage.model_dump(exclude={"name", "batch_limit"}, exclude_none=True),
            "makes": makes,
            "payload": stated.payload,
            "grows": stated.grows,
        },
    )
