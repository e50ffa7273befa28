"""Pools and workloads as they stand in a TOML file, checked."""

from typing import Final, Literal

from pydantic import Field, model_validator

from kinesphere.core.admission import Service
from kinesphere.elastic.policies import DAYS, Clock, Day, FileTable, Seconds, TierTable, seconds_of
from kinesphere.elastic.simulator.values import Pool

DAY: Final = 86_400.0


class DeadlineRule(FileTable):
    """A deadline for jobs that bring none: `times` their own time, and `plus` seconds."""

    times: float = Field(default=2.0, ge=0.0, le=1e6)
    plus: Seconds = 10.0


class PoolTable(FileTable):
    """One pool; see docs/scaling.md."""

    name: str = Field(min_length=1)
    fixed: Seconds = 0.0
    per_job: Seconds = 75.0
    batch_limit: int = Field(default=1, ge=1, le=4096)
    spread: float = Field(default=0.0, ge=0.0, le=10.0)
    estimates: Literal["mean", "exact"] = "mean"
    cold_start: Seconds = 30.0
    replicas: int = Field(default=1, ge=0, le=10_000)
    on_demand: int = Field(default=0, ge=0)
    deadline: DeadlineRule | None = None
    tiers: tuple[TierTable, ...] = (TierTable(name="gpu", price=1.0),)

    @model_validator(mode="after")
    def _works(self) -> "PoolTable":
        if self.fixed + self.per_job <= 0.0:
            raise ValueError("fixed and per_job are both 0: jobs take no time")
        if not self.tiers:
            raise ValueError("tiers is empty: leave it out for one tier, or name one")
        return self

    def pool(self) -> Pool:
        """The pool as the simulation takes it."""
        return Pool(
            name=self.name,
            service=Service(self.fixed, self.per_job, self.batch_limit),
            cold_start=self.cold_start,
            replicas=self.replicas,
            tiers=tuple(tier.tier() for tier in self.tiers),
            on_demand=self.on_demand,
        )


class Workload(FileTable):
    """What to make of a trace before it is played.

    Attributes:
        hours: Stretch it to this length; None leaves it as it is.
        load: Then leave out jobs at random until so many replicas are busy on average; None leaves
            all in. Thinning takes burstiness away and stretching does not, so stretch first.
        seed: Of what is drawn: which jobs stay, and how long they take.
        starts_at: Time of day at which the trace begins, UTC.
        day: Day of the week on which it begins.
    """

    hours: float | None = Field(default=None, gt=0.0, le=100_000.0)
    load: float | None = Field(default=None, gt=0.0)
    seed: int = 0
    starts_at: Clock = "00:00"
    day: Day = "mon"


class PoolsFile(FileTable):
    """A pools file."""

    workload: Workload = Workload()
    pools: tuple[PoolTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> "PoolsFile":
        names = [pool.name for pool in self.pools]
        if len(set(names)) < len(names):
            raise ValueError("two pools have one name")
        return self

    @property
    def epoch(self) -> float:
        """Seconds from midnight of Thursday, 1 January 1970, to the time of week of the start."""
        days = (DAYS.index(self.workload.day) - DAYS.index("thu")) % 7
        return days * DAY + seconds_of(self.workload.starts_at)
