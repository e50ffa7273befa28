"""Scaling policies as they stand in a TOML file, for the server and the simulator alike."""

import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from kinesphere.core.scaling.division import Hardware
from kinesphere.core.scaling.plan import POLICIES, Policy
from kinesphere.core.scaling.tiers import Tier
from kinesphere.core.scaling.values import Limits, Warm

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Seconds = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class FileInvalid(Exception):
    """A file cannot be used; the text names the file, the place in it and what is wrong."""


class FileTable(BaseModel):
    """A table of a file: unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WarmTable(FileTable):
    """A floor for a part of the day."""

    start: Clock
    end: Clock
    replicas: int = Field(ge=0)
    days: tuple[Day, ...] = DAYS

    def warm(self) -> Warm:
        """As the policies take it."""
        days = tuple(DAYS.index(day) for day in self.days)
        return Warm(seconds_of(self.start), seconds_of(self.end), self.replicas, days)


class TierTable(FileTable):
    """See `kinesphere.core.scaling.tiers.Tier`."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    price: float = Field(ge=0.0, le=1e6)
    speed: float = Field(default=1.0, gt=0.0, le=1e6)
    memory: float = Field(default=math.inf, gt=0.0)
    spot: bool = False
    notice: Seconds = 30.0
    losses: float = Field(default=0.0, ge=0.0, le=3600.0)
    most: int = Field(default=64, ge=1, le=10_000)

    def tier(self) -> Tier:
        """As the scaler and the simulator take it."""
        return Tier(**self.model_dump())


class PolicyTable(FileTable):
    """One policy with its limits and settings."""

    policy: str = "look-ahead"
    minimum: int = Field(default=1, ge=0, le=10_000)
    maximum: int = Field(default=8, ge=1, le=10_000)
    spare: int = Field(default=0, ge=0, le=10_000)
    sleep_after: Seconds = 300.0
    utc_offset_hours: float = Field(default=0.0, ge=-24.0, le=24.0)
    warm: tuple[WarmTable, ...] = ()
    settings: dict[str, Any] = {}
    tiers: tuple[TierTable, ...] = ()
    on_demand: int = Field(default=0, ge=0, le=10_000)
    within: Annotated[float, Field(gt=0.0, le=1e7)] | None = None
    memory: float = Field(default=0.0, ge=0.0, le=1e6)

    @model_validator(mode="after")
    def _makes(self) -> "PolicyTable":
        if self.minimum > self.maximum:
            raise ValueError("minimum is over maximum")
        if len({tier.name for tier in self.tiers}) < len(self.tiers):
            raise ValueError("two tiers have one name")
        if self.on_demand and all(tier.spot for tier in self.tiers):
            raise ValueError("on_demand asks for a tier that is not spot")
        self.made(0.0)
        return self

    def hardware(self) -> Hardware | None:
        """What replicas may be on, or None where all are on the same."""
        if not self.tiers:
            return None
        return Hardware(
            tiers=tuple(tier.tier() for tier in self.tiers),
            on_demand=self.on_demand,
            within=self.within,
            memory=self.memory,
        )

    def limits(self, epoch: float) -> Limits:
        """Within what the policy may move, in a trace that begins at `epoch`."""
        return Limits(
            minimum=self.minimum,
            maximum=self.maximum,
            warm=tuple(each.warm() for each in self.warm),
            spare=self.spare,
            sleep_after=self.sleep_after,
            utc_offset=self.utc_offset_hours * 3600.0 + epoch,
        )

    def made(self, epoch: float) -> Policy:
        """The policy. Raises ValueError where its name or its settings are unknown or wrong."""
        kind = POLICIES.get(self.policy)
        if kind is None:
            raise ValueError(f"no policy is named {self.policy!r}: {', '.join(POLICIES)}")
        known = {f.name for f in fields(kind)} - {"limits"}  # type: ignore[arg-type]  # dataclasses
        if unknown := sorted(set(self.settings) - known):
            raise ValueError(
                f"{self.policy} has no setting {unknown[0]!r}: {', '.join(sorted(known))}"
            )
        policy: Policy = TypeAdapter(kind).validate_python(
            {**self.settings, "limits": self.limits(epoch)}
        )
        if policy.interval <= 0.0:
            raise ValueError("interval must be over 0")
        return policy


class PolicyFile(PolicyTable):
    """A policy file: one policy for all pools, and others for pools by name.

    Attributes:
        currency: What prices are in, an ISO 4217 code; told beside costs, and nothing more.
    """

    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    pools: dict[str, PolicyTable] = {}

    def of(self, pool: str) -> PolicyTable:
        """The table that holds for a pool."""
        return self.pools.get(pool, self)


Table = TypeVar("Table", bound=FileTable)


def read(path: Path, kind: type[Table]) -> Table:
    """Read and check a file. Raises FileInvalid."""
    try:
        text = path.read_text("utf-8")
        return kind.model_validate(tomllib.loads(text))
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileInvalid(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise FileInvalid(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        told = "; ".join(_told(each) for each in error.errors())
        raise FileInvalid(f"{path}: {told}") from None


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text


def seconds_of(clock: str) -> float:
    """Seconds after midnight."""
    hours, minutes = clock.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0
