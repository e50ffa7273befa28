"""Making, listing and revoking API keys, for operators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kinesphere.core.failures import Rejected
from kinesphere.core.identity import LONGEST_LABEL, LONGEST_USER, ApiKey, Scope
from kinesphere.http.auth import OPERATORS, Operate
from kinesphere.http.errors import documented
from kinesphere.http.gateway import At, Gateway, JsonOnly
from kinesphere.http.schemas import instant, moment
from kinesphere.ports import KeyQuery
from kinesphere.service.identity import ApiKeys

router = APIRouter(prefix="/v1/keys", tags=["keys"])

_ULID = r"^[0-9A-HJKMNP-TV-Z]{26}$"
User = Annotated[str, Field(min_length=1, max_length=LONGEST_USER)]


class KeyRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user": "studio-a", "scopes": ["generate"], "label": "build server"}]
        },
    )

    user: User = Field(
        description="On whose behalf it speaks: 1 to 100 visible characters without spaces."
    )
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=len(Scope),
        description="`generate`: ask for assets and see one's own. `operate`: that, and everything "
        "else.",
    )
    label: str = Field("", max_length=LONGEST_LABEL, description="What you call it.")
    expires_at: AwareDatetime | None = Field(
        None, description="RFC 3339 time after which it stops working. Left out: never."
    )


class KeyView(BaseModel):
    """A key, without its secret."""

    id: str = Field(description="The part between the first and the second `_` of the key.")
    user: str
    scopes: list[Scope]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class KeyMade(KeyView):
    """A new key."""

    key: str = Field(description="The key itself. It is shown this once, and stored nowhere.")


class KeyPage(BaseModel):
    """A page of keys, newest first."""

    items: list[KeyView]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null at the end."
    )


@router.get(
    "",
    openapi_extra=OPERATORS,
    summary="List API keys",
    responses=documented("ROUTE_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def list_keys(
    *,
    _operator: Operate,
    at: At,
    user: Annotated[
        str | None, Query(description="Only this user's.", max_length=LONGEST_USER)
    ] = None,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before.", pattern=_ULID)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Keys a page.")] = 50,
) -> KeyPage:
    """The keys that were made, newest first, the revoked and expired ones too."""
    found = await _keys(at).list(KeyQuery(user, cursor, limit + 1))
    shown = found[:limit]
    return KeyPage(
        items=[_view(key) for key in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.post(
    "",
    status_code=201,
    dependencies=[JsonOnly],
    openapi_extra=OPERATORS,
    summary="Make an API key",
    responses=documented(
        "MALFORMED_JSON", "ROUTE_NOT_FOUND", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE",
        "INVALID_REQUEST", "LEDGER_UNAVAILABLE",
    ),
)  # fmt: skip
async def create_key(body: KeyRequest, response: Response, operator: Operate, at: At) -> KeyMade:
    """Make a key. The answer has it; it cannot be had again."""
    expires = body.expires_at.timestamp() if body.expires_at else None
    key, text = await _keys(at).create(
        body.user, body.scopes, body.label, expires, by=operator.user
    )
    response.headers["Cache-Control"] = "no-store"
    return KeyMade(**_view(key).model_dump(), key=text)


@router.delete(
    "/{key_id}",
    openapi_extra=OPERATORS,
    summary="Revoke an API key",
    responses=documented(
        "ROUTE_NOT_FOUND", "KEY_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"
    ),
)
async def revoke_key(
    key_id: Annotated[str, Path(description="The key's id.", pattern=_ULID)],
    operator: Operate,
    at: At,
) -> KeyView:
    """End a key: no server takes it after five seconds. Twice is as once."""
    return _view(await _keys(at).revoke(key_id, by=operator.user))


def _keys(at: Gateway) -> ApiKeys:
    """The keys, where they are in use.

    Without authentication, whoever reaches the server could make himself a key that works when
    there is some.
    """
    if at.identity is None or at.identity.keys is None:
        detail = "API keys are not in use here: the setting `authentication` does not name keys."
        raise Rejected("ROUTE_NOT_FOUND", detail)
    return at.identity.keys


def _view(key: ApiKey) -> KeyView:
    return KeyView(
        id=key.id,
        user=key.user,
        scopes=sorted(key.scopes),
        label=key.label,
        created_at=instant(key.created_at),
        expires_at=moment(key.expires_at),
        revoked_at=moment(key.revoked_at),
        last_used_at=moment(key.used_at),
    )
