"""API keys that an operator makes, lists and revokes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote

from kinesphere.client.effects import Emit, Flow, Request
from kinesphere.client.flows import Flows
from kinesphere.client.values import read

_PAGE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as an operator sees it.

    Attributes:
        id: Names it; no secret.
        user: On whose behalf it speaks.
        scopes: "generate", "operate".
        label: What its maker calls it.
        created_at, expires_at, revoked_at: Where there is one.
        last_used_at: To the minute.
        key: The key itself, of a new one alone: it cannot be had again.
    """

    id: str
    user: str
    scopes: tuple[str, ...]
    label: str = ""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    items: tuple[Key, ...]
    next_cursor: str | None = None


def create_key(
    flows: Flows, user: str, scopes: Sequence[str], label: str, expires_at: datetime | None
) -> Flow[Key]:
    """Make a key. Not tried again once it may have been read: that could make two."""
    if expires_at is not None and expires_at.tzinfo is None:
        raise ValueError("an expiry without a time zone could mean several times")
    body = {
        "user": user,
        "scopes": list(scopes),
        "label": label,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    answer = yield from flows.send(Request(method="POST", url="/v1/keys", json=body))
    return read(answer.body, Key)


def keys(flows: Flows, user: str | None, limit: int | None) -> Flow[None]:
    """Emit keys, newest first, over as many pages as it takes."""
    chosen = [("user", user)] if user is not None else []
    left, cursor = limit, None
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        here = [("limit", str(size))] + ([("cursor", cursor)] if cursor else [])
        page = read((yield from flows.get("/v1/keys", *chosen, *here)), _Page)
        for key in page.items:
            yield Emit(key)
        left = None if left is None else left - len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def revoke_key(flows: Flows, key_id: str) -> Flow[Key]:
    """End a key."""
    url = f"/v1/keys/{quote(key_id, safe='')}"
    answer = yield from flows.send(Request(method="DELETE", url=url, safe=True))
    return read(answer.body, Key)
