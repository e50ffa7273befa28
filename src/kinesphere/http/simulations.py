"""Another scaling policy on the platform's own past."""

from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kinesphere.elastic.policies import PolicyTable, WarmTable
from kinesphere.http.auth import OPERATORS, OperatorOnly
from kinesphere.http.errors import documented
from kinesphere.http.gateway import At, JsonOnly
from kinesphere.http.schemas import instant
from kinesphere.service.simulations import Simulation

router = APIRouter(tags=["operations"])

LONGEST_HOURS: Final = 24.0 * 14
MOST_REPLICAS: Final = 1_000
LEAST_INTERVAL: Final = 0.1
"""Seconds between two decisions of a policy; one that decides more often is played for ever."""


class SimulatedPolicy(BaseModel):
    """A policy, as a policy file has it; the hardware is that of the pool."""

    model_config = ConfigDict(extra="forbid")

    policy: str = Field("look-ahead", max_length=50, description="Its name.")
    minimum: int = Field(1, ge=0, le=MOST_REPLICAS, description="Replicas at least.")
    maximum: int = Field(8, ge=1, le=MOST_REPLICAS, description="Replicas at most.")
    spare: int = Field(
        0, ge=0, le=MOST_REPLICAS, description="Replicas beyond those that are busy."
    )
    sleep_after: float = Field(
        300.0,
        ge=0.0,
        le=1e6,
        description="Seconds without work after which the last replica goes, where `minimum` is 0.",
    )
    utc_offset_hours: float = Field(
        0.0, ge=-24.0, le=24.0, description="How far the clock of `warm` is ahead of UTC."
    )
    warm: list[WarmTable] = Field(
        [],
        max_length=50,
        description="Floors by time of day.",
        examples=[[{"start": "08:00", "end": "19:00", "replicas": 2}]],
    )
    settings: dict[str, bool | int | float | str] = Field(
        {}, max_length=50, description="The policy's own settings, by name."
    )

    @model_validator(mode="after")
    def _makes(self) -> "SimulatedPolicy":
        try:
            interval = self.table().made(0.0).interval
        except ValidationError as error:
            found = error.errors()[0]
            place = ".".join(map(str, found["loc"]))
            raise ValueError(f"{place} {found['msg']}".strip()) from None
        if interval < LEAST_INTERVAL:
            raise ValueError(f"interval must be at least {LEAST_INTERVAL:g} s")
        return self

    def table(self) -> PolicyTable:
        """As the scaler and the simulator take it."""
        return PolicyTable.model_validate(self.model_dump())


class SimulationRequest(BaseModel):
    """Which past, and what to play it against."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "pool": "choreo",
                    "hours": 24,
                    "policy": {"policy": "look-ahead", "minimum": 1, "maximum": 4},
                }
            ]
        },
    )

    pool: str = Field(max_length=200, description="Whose past.")
    hours: float = Field(24.0, gt=0.0, le=LONGEST_HOURS, description="How much of it, up to now.")
    policy: SimulatedPolicy


class CurveView(BaseModel):
    """What a chart shows, at even moments."""

    at: list[float] = Field(examples=[[0.0, 30.0]], description="Seconds from the first job.")
    paid: list[float] = Field(examples=[[1.0, 2.0]], description="Replicas that are paid for.")
    ready: list[float] = Field(examples=[[1.0, 1.0]], description="Replicas that can work.")
    waiting: list[float] = Field(examples=[[0.0, 3.0]], description="Jobs that wait.")


class SimulationLine(BaseModel):
    """What one policy made of it."""

    policy: str = Field(examples=["look-ahead"])
    wait_mean: float = Field(description="Seconds from a job's coming to its start.")
    wait_p50: float = Field(description="Seconds.")
    wait_p95: float = Field(description="Seconds.")
    wait_p99: float = Field(description="Seconds.")
    wait_max: float = Field(description="Seconds.")
    met: float = Field(description="Share of the jobs with a deadline that met it.", examples=[1.0])
    replica_hours: float = Field(
        description="Paid, from order to end: starts and draining included."
    )
    cost: float | None = Field(description="Of those hours; null where no price is known.")
    starts: int = Field(description="Replicas that were ordered.")
    replicas_mean: float = Field(description="Paid on average.")
    replicas_max: int = Field(description="Paid at most.")
    busy: float = Field(description="Share of the paid time that was worked.", examples=[0.7])
    lost: int = Field(description="Attempts lost with a spot replica.")
    curve: CurveView


class SimulationView(BaseModel):
    """Two policies on the same past."""

    pool: str
    began_at: str = Field(
        json_schema_extra={"format": "date-time"}, description="When the first job came."
    )
    seconds: float = Field(description="Length of the past that was played.")
    jobs: int = Field(description="Stages of jobs that the pool finished in it.")
    cut: bool = Field(description="Whether there was more than is played; the last of it is.")
    currency: str = Field(examples=["USD"], description="Of costs; empty where nobody says.")
    running: SimulationLine = Field(description="The policy that runs.")
    asked: SimulationLine = Field(description="The policy asked about.")


@router.post(
    "/v1/simulations",
    dependencies=[JsonOnly, OperatorOnly],
    openapi_extra=OPERATORS,
    summary="Play the past against a scaling policy",
    responses=documented(
        "MALFORMED_JSON", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "INVALID_REQUEST",
        "POOL_NOT_FOUND", "HISTORY_EMPTY", "BUSY", "TOO_MUCH_WORK", "OOM_HOST",
        "LEDGER_UNAVAILABLE",
    ),
)  # fmt: skip
async def simulate(body: SimulationRequest, at: At) -> SimulationView:
    """What this policy, and the one that runs, make of what the pool has done.

    As `kinesphere simulate --from-ledger`, with the pool as it is now. One at a time, and at most
    30 seconds. Where no policy runs, as many replicas as there are stand for it.
    """
    found = await at.service.simulations.compare(
        body.pool, body.policy.table(), 3600.0 * body.hours
    )
    return _view(found, at.service.prices.currency)


def _view(found: Simulation, currency: str) -> SimulationView:
    return SimulationView(
        pool=found.pool,
        began_at=instant(found.began).isoformat(),
        seconds=round(found.seconds, 3),
        jobs=found.jobs,
        cut=found.cut,
        currency=currency,
        running=_line(found, dict(found.running)),
        asked=_line(found, dict(found.asked)),
    )


def _line(found: Simulation, line: dict[str, Any]) -> SimulationLine:
    cost = line.pop("cost") if found.priced else None
    return SimulationLine.model_validate({**line, "replica_hours": line["gpu_hours"], "cost": cost})
