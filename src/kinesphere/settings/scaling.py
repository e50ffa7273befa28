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
