"""Settings of traces."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from kinesphere.settings.parsing import in_words


def _collector(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError("is not an http:// or https:// address without query or password")
    return url.rstrip("/")


class TracingSettings(BaseModel):
    """Where traces go."""

    otlp_endpoint: Annotated[str | None, AfterValidator(_collector)] = Field(
        default=None,
        description="Address of an OpenTelemetry collector that takes OTLP over HTTP, such as "
        "http://127.0.0.1:4318; spans are posted to /v1/traces below it. Unset, none are made: "
        "they cost time, and need kinesphere[tracing].",
        json_schema_extra=in_words("an http:// or https:// address without query or password"),
    )
