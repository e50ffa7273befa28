"""The contract of `kinesphere.ports.Keys`, sentence by sentence."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from kinesphere.core.identity import ApiKey, Scope, digest
from kinesphere.ports import KeyQuery, Keys, LedgerUnavailable


def key(number: int, **fields: Any) -> ApiKey:
    given = {
        "id": f"{number:026d}",
        "user": "ada",
        "scopes": frozenset({Scope.GENERATE}),
        "digest": digest(str(number)),
        "created_at": 1_800_000_000.25,
    }
    return ApiKey(**{**given, **fields})


class KeysContract:
    """Subclasses give a fixture `keys`."""

    async def test_a_key_is_kept_as_it_was(self, keys: Keys) -> None:
        full = key(1, user="阿达.é", scopes=frozenset(Scope), label="x y", expires_at=2e9)
        await keys.create(full)
        await keys.create(key(2))
        assert await keys.find(full.id) == full
        assert await keys.find(key(2).id) == key(2)

    async def test_an_unknown_key_is_none(self, keys: Keys) -> None:
        assert await keys.find("nobody") is None
        assert await keys.revoke("nobody", 1.0) is None
        await keys.touch("nobody", 1.0)
        assert await keys.list(KeyQuery()) == ()

    async def test_lists_are_newest_first_and_paged(self, keys: Keys) -> None:
        made = [key(n, user="ada" if n % 2 else "bob") for n in range(1, 8)]
        for each in made:
            await keys.create(each)
        newest = tuple(reversed(made))
        assert await keys.list(KeyQuery()) == newest
        assert await keys.list(KeyQuery(limit=3)) == newest[:3]
        assert await keys.list(KeyQuery(before=newest[2].id, limit=3)) == newest[3:6]
        assert await keys.list(KeyQuery(user="bob")) == newest[1::2]
        assert await keys.list(KeyQuery(limit=0)) == ()

    async def test_a_revoked_key_is_still_found_and_the_first_time_stays(self, keys: Keys) -> None:
        await keys.create(key(1))
        revoked = replace(key(1), revoked_at=5.0)
        assert await keys.revoke(key(1).id, 5.0) == revoked
        assert await keys.revoke(key(1).id, 9.0) == revoked
        assert await keys.find(key(1).id) == revoked
        assert await keys.list(KeyQuery()) == (revoked,)

    async def test_the_last_use_never_goes_back(self, keys: Keys) -> None:
        await keys.create(key(1))
        await asyncio.gather(*(keys.touch(key(1).id, at) for at in (3.0, 7.0, 5.0)))
        assert await keys.find(key(1).id) == replace(key(1), used_at=7.0)

    async def test_many_at_once(self, keys: Keys) -> None:
        made = [key(n) for n in range(30)]
        await asyncio.gather(*map(keys.create, made))
        found = await asyncio.gather(*(keys.find(each.id) for each in made))
        assert found == made

    async def test_after_the_end_it_is_unavailable(self, keys: Keys) -> None:
        await keys.close()
        await keys.close()
        with pytest.raises(LedgerUnavailable):
            await keys.find("x")
