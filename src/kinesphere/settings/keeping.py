"""Settings of what is kept to be served again: results, how much of them, and callers' keys."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from kinesphere.core.sharing import Share
from kinesphere.settings.parsing import in_words


def _bound(value: int | None) -> int | None:
    return value or None


class KeepingSettings(BaseModel):
    """What is kept to be served again."""

    cache_share: Share = Field(
        default="everyone",
        description="Who is served what others have had made: everyone, each user what is his own, "
        "or nobody (off), then each request is run. everyone, because equal requests have equal "
        "results, whoever asks; set user where that somebody has asked for something is a secret.",
        json_schema_extra=in_words("everyone, user, off"),
    )
    store_limit_bytes: Annotated[int | None, AfterValidator(_bound)] = Field(
        default=None,
        ge=0,
        le=2**60,
        description="Size of all files that are kept, in bytes. Beyond it the jobs whose results "
        "were used longest ago are deleted, though never in the first hour after their end; 0 or "
        "unset is no bound, because retention_days bounds the time already.",
    )
    idempotency_hours: float = Field(
        default=24.0,
        ge=0.01,
        le=8_760.0,
        description="Hours that an Idempotency-Key is known; after them it may be used for "
        "something else. 24 outlasts any client that tries again.",
    )
