"""Settings of which model answers."""

from pydantic import BaseModel, Field


class RoutingSettings(BaseModel):
    """Which model answers."""

    lite_wait_seconds: float = Field(
        default=10.0,
        ge=0.0,
        le=3_600.0,
        description="Expected wait for a model, in seconds, from which motions under 3 s go to its "
        "lighter form, where there is one; until it is a quarter of that. 10, because nobody minds "
        "the better model for less.",
    )
