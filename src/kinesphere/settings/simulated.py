"""Stand-ins for devices that are not here: what they claim to be, for load tests and planning."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kinesphere.settings.parsing import decoded, in_words

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]


class SimulatedStage(BaseModel):
    """One pool of a simulated model. Every time is in seconds.

    Attributes:
        name: "" for the only stage of a model, else such as "shape".
        fixed: Time of a batch before its first job.
        per_job: Time that each job adds.
        batch_limit: Jobs in one batch.
        cold_start: Time from the start of a replica until it can take work.
        wake: Time to be back on the device after a sleep in main memory; None for an engine that
            cannot sleep.
        asleep_mb: Main memory that it keeps while it sleeps, in 10^6 bytes.
        noise: Spread of a batch's time: the standard deviation of its logarithm.
        memory_mb: Main memory that a replica takes, in 10^6 bytes.
        device_mb: Memory of the device that it says it takes, in 10^6 bytes; 0 says nothing.
        failures: Share of attempts that fail with ENGINE_FAILED.
        crashes: Share of batches that kill their process.
        hangs: Share of batches that never end.
        faults: Share of motions with an elbow bent the wrong way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?$")] = ""
    fixed: Seconds = 0.2
    per_job: Seconds = 0.02
    batch_limit: Annotated[int, Field(ge=1, le=1_024)] = 16
    cold_start: Seconds = 0.0
    wake: Seconds | None = None
    asleep_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    noise: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    memory_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    device_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    failures: Share = 0.0
    crashes: Share = 0.0
    hangs: Share = 0.0
    faults: Share = 0.0


class SimulatedModel(BaseModel):
    """A model that makes nothing real, and says so in everything it makes.

    Attributes:
        name: The model's name, and the beginning of its pools' names.
        task: "motion" or "mesh".
        stages: One a pool, in order.
        payload: Bytes of the file that it makes; 0 for a real motion or mesh, which costs the
            encoding that a real model's would.
        rank: Which model answers where none is pinned: the highest. Embedded models have 0.
        lite_of: Name of the model that it is the lighter form of, or "".
        grows: Part of each job's time that is in proportion to the length of its clip, where one
            of 5 s takes `per_job`; for motions. 0, so that all take alike.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    task: Literal["motion", "mesh"] = "motion"
    stages: Annotated[tuple[SimulatedStage, ...], Field(min_length=1, max_length=4)] = (
        SimulatedStage(),
    )
    payload: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    rank: Annotated[int, Field(ge=-100, le=1_000)] = -1
    grows: Share = 0.0
    lite_of: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = ""


class SimulatedSettings(BaseModel):
    """Models that stand in for devices."""

    simulated: Annotated[tuple[SimulatedModel, ...], BeforeValidator(decoded)] = Field(
        default=(),
        max_length=64,
        description="Models that stand in for a device: they take the time, the memory and the "
        "failures that are stated here and make nothing real. For load tests and planning; none, "
        "so that nobody is served by one unawares.",
        json_schema_extra=in_words("tables [[simulated]] in the file; in the environment JSON")
        | {"shown": "none"},
    )
