"""Settings of how others are told: webhooks and streams of events."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from kinesphere.settings.parsing import in_words, names


class TellingSettings(BaseModel):
    """The part of the settings that says how news leaves the server."""

    webhook_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key from which each user's webhook secret is derived. Unset, it is the key "
        "that signs links; set it to change one without the other.",
        json_schema_extra=in_words("at least 32 characters"),
    )
    webhook_secret_previous: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The webhook_secret before this one. While it is set, each webhook carries a "
        "second signature, made with it, so that receivers can change over in their own time.",
        json_schema_extra=in_words("at least 32 characters"),
    )
    webhook_allow: Annotated[frozenset[str], BeforeValidator(names)] = Field(
        default=frozenset(),
        description="Hosts that a webhook may name though their addresses are not public, each as "
        "host:port. Empty, so that nobody posts into our own network through us; apart from "
        "fetch_allow, because a store that may be read is not a service that may be posted to.",
        json_schema_extra=in_words("a list such as app.internal:9000; in the environment a,b")
        | {"shown": "none"},
    )
    webhook_seconds: float = Field(
        default=15.0,
        ge=0.1,
        le=120.0,
        description="Seconds in which a receiver must have answered. 15 is what Standard Webhooks "
        "recommends at least; a receiver should answer first and work afterwards.",
    )
    webhook_attempts: int = Field(
        default=8,
        ge=1,
        le=20,
        description="Attempts after which a webhook is given up. 8 reach over 27 hours, which is "
        "time to notice and mend a receiver.",
    )
    webhook_retry_seconds: float = Field(
        default=5.0,
        ge=0.05,
        le=3_600.0,
        description="Seconds from the first failed attempt to the second; each wait after it is "
        "five times as long, a day at most, give or take a fifth. 5 is a receiver's restart.",
    )
    heartbeat_seconds: float = Field(
        default=15.0,
        ge=0.1,
        le=3_600.0,
        description="Seconds of silence after which a stream of events says that it is alive. 15 "
        "is less than the 30 to 60 after which proxies cut a silent connection.",
    )
