"""Settings of scaling."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from kinesphere.settings.parsing import in_words


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


class ScalingSettings(BaseModel):
    """Who decides how many replicas there are."""

    scaling_policy: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="File with the scaling policy, as `kinesphere simulate --policy` reads it. "
        "Unset, every pool has the number of `replicas` at all times: a laptop has one device, and "
        "gains nothing by loading a model again and again.",
        json_schema_extra=in_words("a path of a TOML file"),
    )
    asleep_replicas: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Replicas of each pool that are kept asleep in main memory rather than ended "
        "when the scaling policy needs them no more, where their engine can leave its device: they "
        "are back in a part of a start. 1: each holds a whole model in main memory.",
        json_schema_extra=in_words("a whole number, 0 to end them all"),
    )
    tier: Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")] = Field(
        default="",
        description="Class of hardware that the replicas of this process run on, by its name in "
        "the scaling policy's `tiers`. Unset, where all replicas run on the same.",
        json_schema_extra=in_words("a name of lower-case letters, digits and hyphens")
        | {"shown": "unset"},
    )
