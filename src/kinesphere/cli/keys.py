"""`kinesphere keys`: on a data folder, or by a server."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from kinesphere.adapters import logs
from kinesphere.adapters.clock import SystemClock
from kinesphere.cli import console
from kinesphere.cli.exits import Exit, configured, interruptible, leave, refusal
from kinesphere.cli.jobs import connected
from kinesphere.client import Key
from kinesphere.core.failures import Rejected
from kinesphere.core.identity import ApiKey
from kinesphere.ports import KeyQuery, LedgerUnavailable
from kinesphere.service.identity import ApiKeys
from kinesphere.wiring import api_keys

T = TypeVar("T")

_SECONDS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Where:
    """The server at `url`; without one, the folder `data`, or the one that the settings name."""

    url: str | None
    data: Path | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made; `expires` as `90d`, `12h` or `30m`."""

    user: str
    scopes: list[str]
    label: str
    expires: str | None


def created(where: Where, wanted: Wanted, as_json: bool) -> None:
    """Make a key and tell it, on standard output alone."""
    user, scopes, label = wanted.user, wanted.scopes, wanted.label
    end = _end(wanted.expires)
    if where.url is not None:
        with connected(where.url) as client:
            made = client.create_key(user, scopes, label=label, expires_at=end)
    else:
        at = None if end is None else end.timestamp()

        async def create(keys: ApiKeys) -> Key:
            key, text = await keys.create(user, scopes, label, at)
            return _shown(key, text)

        made = _here(where.data, create)
    if as_json:
        console.as_json(asdict(made))
        return
    print(made.key)
    until = f"until {_time(made.expires_at)}" if made.expires_at else "without end"
    print(
        f"made for {made.user}: {', '.join(made.scopes)}, {until}. It is shown this once; end it "
        f"with: kinesphere keys revoke {made.id}",
        file=sys.stderr,
    )


def listed(where: Where, user: str | None, as_json: bool) -> None:
    """List keys, newest first."""
    if where.url is not None:
        with connected(where.url) as client:
            found = list(client.keys(user=user))
    else:
        found = _here(where.data, lambda keys: _all(keys, user))
    if as_json:
        console.as_json([asdict(key) for key in found])
        return
    console.table(
        ("id", "user", "scopes", "label", "made", "used", "state"),
        [
            (
                key.id,
                key.user,
                " ".join(key.scopes),
                key.label,
                _time(key.created_at),
                _time(key.last_used_at) or "never",
                _state(key),
            )
            for key in found
        ],
        "no keys",
    )


def revoked(where: Where, key_id: str, as_json: bool) -> None:
    """End a key."""
    if where.url is not None:
        with connected(where.url) as client:
            key = client.revoke_key(key_id)
    else:

        async def revoke(keys: ApiKeys) -> Key:
            return _shown(await keys.revoke(key_id))

        key = _here(where.data, revoke)
    if as_json:
        console.as_json(asdict(key))
    else:
        print(f"revoked {key.id} of {key.user}; no server takes it after 5 s")


def _here(data: Path | None, use: Callable[[ApiKeys], Coroutine[Any, Any, T]]) -> T:
    settings = configured(data=data)
    logs.configure("error", "console")

    async def run() -> T:
        async with api_keys(settings, SystemClock()) as keys:
            return await use(keys)

    try:
        with interruptible():
            return asyncio.run(run())
    except Rejected as error:
        raise leave(Exit.USAGE, refusal(error)) from None
    except (LedgerUnavailable, OSError) as error:
        raise leave(Exit.FAILED, str(error)) from None


async def _all(keys: ApiKeys, user: str | None) -> list[Key]:
    found: list[Key] = []
    before = None
    while page := await keys.list(KeyQuery(user, before, _PAGE)):
        found += map(_shown, page)
        before = page[-1].id
    return found


def _shown(key: ApiKey, text: str | None = None) -> Key:
    """A key as a server would tell it."""
    return Key(
        id=key.id,
        user=key.user,
        scopes=tuple(sorted(key.scopes)),
        label=key.label,
        created_at=datetime.fromtimestamp(key.created_at, UTC),
        expires_at=_moment(key.expires_at),
        revoked_at=_moment(key.revoked_at),
        last_used_at=_moment(key.used_at),
        key=text,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _end(expires: str | None) -> datetime | None:
    """When a key that is to live so long ends."""
    if expires is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", expires)
    if found is None:
        message = f"--expires {expires!r} is not a time such as 90d, 12h or 30m"
        raise leave(Exit.USAGE, message)
    seconds = int(found[1]) * _SECONDS[found[2]]
    return datetime.fromtimestamp(SystemClock().now() + seconds, UTC)


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {_time(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    ended = key.expires_at.timestamp() <= SystemClock().now()
    return f"{'expired' if ended else 'valid until'} {_time(key.expires_at)}"


def _time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
