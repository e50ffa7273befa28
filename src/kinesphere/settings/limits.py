"""Settings of what one caller may take: rates, queues, connections, and how slow it may be."""

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kinesphere.settings.parsing import counts, in_words, names, read_only


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"has {text!r}, which is no address or network: {error}") from None
    return text


def _exact(origin: str) -> str:
    parts = urlsplit(origin)
    exact = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or origin != exact.lower():
        raise ValueError(
            f"has {origin!r}, which is no origin: scheme, host in lower case, and port where it is "
            "not the usual one"
        )
    return origin


Rate = Annotated[int, Field(ge=0, le=100_000)]
RouteName = Annotated[str, Field(pattern=r"^/[!-~]{0,199}$")]


class LimitSettings(BaseModel):
    """The part of the settings that bounds what one caller may take."""

    rate_limit: int = Field(
        default=10,
        ge=0,
        le=100_000,
        description="Requests a second that one user may send; 0 for any number. 10 is more than "
        "a person or a well-made client needs: wait with Prefer or follow the events instead of "
        "asking again and again.",
    )
    rate_burst_seconds: int = Field(
        default=1,
        ge=1,
        le=3_600,
        description="Seconds over which a rate is counted: rate times this may come at once. 1, "
        "so that the rate holds within every second; 10 lets 100 requests come in one burst "
        "every 10 s.",
    )
    rate_limit_routes: Annotated[
        Mapping[RouteName, Rate], BeforeValidator(counts), AfterValidator(read_only)
    ] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Requests a second that one user may send to a route, in place of "
        "`rate_limit` and counted apart from it; 0 for any number. The route is named by its path "
        "as the API's documentation writes it. Empty: all routes cost alike.",
        json_schema_extra=in_words(
            "0 to 100,000 by route; in the environment /v1/meshes=2,/v1/jobs/{job_id}=50 or JSON"
        )
        | {"shown": "none"},
    )
    rate_limit_address: int = Field(
        default=10,
        ge=0,
        le=100_000,
        description="Refusals a second for one client address that has not shown who it is: wrong "
        "keys, forged links, unknown routes; 0 for any number. Beyond it, nothing from that "
        "address is answered until the second is over, so keys cannot be guessed fast. Counted "
        "over `rate_burst_seconds` too; an IPv6 network of 64 bits counts as one address.",
    )
    user_queue_limit: int = Field(
        default=1_000,
        ge=0,
        le=10_000_000,
        description="Jobs that one user may have waiting and running; 0 for any number. 1,000 is "
        "a tenth of `max_queue`, so one user's batch never closes the door to others.",
    )
    live_streams: int = Field(
        default=8,
        ge=0,
        le=100_000,
        description="Live streams that one user may have open at once on one server; 0 for any "
        "number. 8 are more than a person watches; each takes up to 7 MB and about 1 % of a core.",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(names)
    ] = Field(
        default=(),
        description="Addresses or networks of proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; the client is then the last address that is not one of "
        "them. Empty, because anybody can write those headers: with a proxy in front, all clients "
        "then count as one address.",
        json_schema_extra=in_words(
            "a list of addresses and networks; in the environment 127.0.0.1,10.0.0.0/8 or JSON"
        )
        | {"shown": "none"},
    )
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_exact)], ...], BeforeValidator(names)
    ] = Field(
        default=(),
        description="Origins of web pages on other hosts that may call this server from a "
        "browser, exactly as a browser sends them. Empty: no page but this server's own may.",
        json_schema_extra=in_words(
            "a list such as https://studio.example.com; in the environment a,b or JSON; no *"
        )
        | {"shown": "none"},
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Connections that are open at once; more are told to come back, but for "
        "health, readiness and metrics. 10,000, so that a thousand waiting clients and as many "
        "streams are few; an idle one costs a few kilobytes. Where the system's limit of open "
        "files (`ulimit -Hn`) leaves room for fewer, that many, and the log says so.",
    )
    header_limit_bytes: int = Field(
        default=16_384,
        ge=1_024,
        le=1_048_576,
        description="Largest request line and headers together, in bytes. 16 KiB is room for long "
        "tokens and cookies, and what other servers take.",
    )
    header_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=600.0,
        description="Seconds in which the headers of a request must be there, counted from its "
        "first byte or the opening of the connection. A client that sends them drop by drop "
        "(Slowloris) loses its connection.",
    )
    body_seconds: float = Field(
        default=20.0,
        ge=0.1,
        le=3_600.0,
        description="Seconds in which the body of a request must be there, lengthened by "
        "`body_bytes_per_second`. 20 is time for a phone to find its network again.",
    )
    body_bytes_per_second: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000_000,
        description="Slowest upload: each so many bytes of a body that have come lengthen its "
        "time by a second. 10,000 bytes a second is a bad mobile line.",
    )
    keep_alive_seconds: float = Field(
        default=75.0,
        ge=1.0,
        le=3_600.0,
        description="Seconds that an idle connection is kept for the next request. 75 is longer "
        "than the 60 of common proxies: the side that closes first must not be the server.",
    )
    write_seconds: float = Field(
        default=30.0,
        ge=0.1,
        le=3_600.0,
        description="Seconds that a client may leave what is sent to it unread before its "
        "connection is cut. Each time it has read most of what waits, they begin anew.",
    )
