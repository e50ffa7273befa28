"""Settings of who may use the server: keys, bearer tokens, and where it may listen."""

import ipaddress
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo

from kinesphere.settings.parsing import in_words, names

Method = Literal["keys", "oidc"]
Value = TypeVar("Value")


def loopback(host: str) -> bool:
    """Whether nobody but this machine reaches `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guarded(host: str, info: ValidationInfo) -> str:
    """A host that may be listened on: any with authentication, else loopback only."""
    if not host or any(character.isspace() for character in host):
        raise ValueError(
            "is not an address; with no authentication configured it is a loopback one"
        )
    # Where authentication itself is not right, that is what has to be mended.
    if loopback(host) or info.data.get("authentication", True):
        return host
    raise ValueError(
        "would let others in: with no authentication configured the server binds loopback only. "
        "Make a key with `kinesphere keys create --scope generate --user NAME`, then set "
        "authentication to keys (KINESPHERE_AUTHENTICATION=keys)"
    )


def _unique(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    return tuple(dict.fromkeys(methods))


def _issuer(url: str | None, info: ValidationInfo) -> str | None:
    if url is None:
        return _needed(url, info)
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("is not an address without query and password")
    plain = parts.scheme == "http" and (
        loopback(parts.hostname) or info.data.get("oidc_allow_http", False)
    )
    if parts.scheme != "https" and not plain:
        raise ValueError("is not an https:// address, and oidc_allow_http is not set")
    return url


def _audience(audience: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    return audience or _needed(audience, info)


def _needed(value: Value, info: ValidationInfo) -> Value:
    if "oidc" in info.data.get("authentication", ()):
        raise ValueError("is not set, though authentication names oidc")
    return value


class IdentitySettings(BaseModel):
    """The part of the settings that says who may use the server, and how that is shown."""

    authentication: Annotated[
        tuple[Method, ...], BeforeValidator(names), AfterValidator(_unique)
    ] = Field(
        default=(),
        description="How callers show who they are: `keys` (API keys), `oidc` (bearer tokens of "
        "an OpenID Connect issuer), or both. Empty, so that a first start needs nothing; the "
        "server then listens on loopback only, and whoever reaches it may do everything.",
        json_schema_extra=in_words("a list of keys and oidc; in the environment keys,oidc or JSON")
        | {"shown": "none"},
    )
    host: Annotated[str, AfterValidator(guarded)] = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback, because without authentication whoever "
        "reaches the server may use it; any other needs `authentication`.",
        json_schema_extra=in_words(
            "localhost or a loopback address, such as 127.0.0.1 or ::1; with authentication, any"
        ),
    )
    metrics_open: bool = Field(
        default=False,
        description="Whether `/metrics` answers without credentials, for a scraper on a private "
        "network. Off, because the metrics tell how much is made with which model; a scraper can "
        "send a key with the scope `operate` as a bearer token.",
        json_schema_extra=in_words("true, false"),
    )
    oidc_allow_http: bool = Field(
        default=False,
        description="Whether the issuer, and the address of its keys, may be http:// beyond "
        "loopback. Off, because whoever can change that traffic can then sign tokens.",
        json_schema_extra=in_words("true, false"),
    )
    oidc_issuer: Annotated[str | None, AfterValidator(_issuer)] = Field(
        default=None,
        validate_default=True,
        description="Issuer of bearer tokens, exactly as their `iss` and its discovery document "
        "have it.",
        json_schema_extra=in_words("an https:// address; http:// on loopback"),
    )
    oidc_audience: Annotated[tuple[str, ...], BeforeValidator(names), AfterValidator(_audience)] = (
        Field(
            default=(),
            validate_default=True,
            description="Audiences of which a token must name one in `aud`. Required with `oidc`: "
            "else a token that the issuer made for another service would be taken here.",
            json_schema_extra=in_words("a list of names; in the environment a,b or JSON")
            | {"shown": "none"},
        )
    )
    oidc_user_claim: str = Field(
        default="sub",
        min_length=1,
        description="Claim that names the user. `sub`, because an issuer never gives it to "
        "another; names and addresses change hands. An `email` is taken unless the token says "
        "that it is not verified.",
        json_schema_extra=in_words("a claim, or a path such as a.b"),
    )
    oidc_user_prefix: str = Field(
        default="",
        max_length=50,
        description="Put before the user of a token, so that no token can speak for the user of "
        "a key. Empty: a token and a key of one user see the same jobs.",
        json_schema_extra=in_words("up to 50 characters") | {"shown": "empty"},
    )
    oidc_scope_claim: str = Field(
        default="scope",
        min_length=1,
        description="Claim with the scopes: words in one text, or a list. `scope` is that of "
        "OAuth 2.0 access tokens; roles are elsewhere, such as `roles` or `realm_access.roles`.",
        json_schema_extra=in_words("a claim, or a path such as a.b"),
    )
    oidc_scope_prefix: str = Field(
        default="",
        max_length=100,
        description="Put before `generate` and `operate` in the scopes of tokens, such as "
        "`kinesphere:`, where the issuer serves more than this.",
        json_schema_extra=in_words("up to 100 characters") | {"shown": "empty"},
    )
    oidc_leeway_seconds: float = Field(
        default=30.0,
        ge=0.0,
        le=300.0,
        description="Seconds by which the issuer's clock may differ from ours when the times of "
        "a token are checked. 30 is more than clocks that are kept differ.",
    )
