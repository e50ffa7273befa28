"""Who asks: making API keys, and finding out whose a key or a token is."""

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from kinesphere.core import identity
from kinesphere.core.failures import Rejected
from kinesphere.core.identity import ApiKey, Principal
from kinesphere.ports import (
    Clock,
    KeyQuery,
    Keys,
    LedgerUnavailable,
    TokenRefused,
    Tokens,
    TokensUnavailable,
)

_log = logging.getLogger("kinesphere.identity")

CACHE_SECONDS: Final = 5.0
"""How long a key that was right is not looked up again: so long may a revocation take."""
CACHE_SIZE: Final = 10_000
TOUCH_SECONDS: Final = 60.0
"""How often the last use of a key is written at most."""


@dataclass(frozen=True, slots=True)
class _Verified:
    key: ApiKey
    until: float


class ApiKeys:
    """Makes, lists, revokes and checks keys."""

    def __init__(
        self,
        store: Keys,
        clock: Clock,
        new_id: Callable[[], str],
        new_secret: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret
        # By the digest of the whole key, so that a wrong secret never finds what a right one left.
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._touched: OrderedDict[str, float] = OrderedDict()
        self._touches: set[asyncio.Task[None]] = set()

    async def create(
        self,
        user: str,
        scopes: Iterable[str],
        label: str = "",
        expires_at: float | None = None,
        by: str = "",
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, which is nowhere else. Raises Rejected."""
        now = self._clock.now()
        text = identity.written(self._new_id(), self._new_secret(identity.SECRET_BYTES))
        parts = identity.presented(text)
        if parts is None:
            raise ValueError("the source of ids or of secrets does not give what a key is made of")
        key = ApiKey(
            id=parts.id,
            user=identity.checked_user(user),
            scopes=identity.checked_scopes(scopes),
            digest=identity.digest(parts.secret),
            created_at=now,
            label=identity.checked_label(label),
            expires_at=identity.checked_expiry(expires_at, now),
        )
        await self._store.create(key)
        _tell("key.created", key, by)
        return key, text

    async def list(self, query: KeyQuery) -> tuple[ApiKey, ...]:
        """Keys, newest first."""
        return await self._store.list(query)

    async def revoke(self, key_id: str, by: str = "") -> ApiKey:
        """End a key: no process takes it after CACHE_SECONDS. Twice is as once.

        Raises Rejected with KEY_NOT_FOUND.
        """
        key = await self._store.revoke(key_id, self._clock.now())
        if key is None:
            raise Rejected("KEY_NOT_FOUND", f"There is no key {key_id!r}.")
        self._verified.clear()
        _tell("key.revoked", key, by)
        return key

    async def verify(self, text: str) -> Principal:
        """Whose a key is. Raises TokenRefused.

        Whatever is wrong with a key that is well formed, the same is done: one look-up, one
        digest, one comparison, and only then the decision.
        """
        known = self._cached(text)
        if known is None:
            known = await self._looked_up(text)
            if not known.usable(self._clock.now()):
                raise TokenRefused("the key is revoked or expired")
            self._remember(text, known)
        self._note_use(known.id)
        return Principal(known.user, known.scopes, known.id)

    async def settle(self) -> None:
        """Return when what is known of the keys' use is written."""
        await asyncio.gather(*self._touches)

    async def _looked_up(self, text: str) -> ApiKey:
        parts = identity.presented(text)
        if parts is None:
            raise TokenRefused("it is not written as a key")
        key = await self._store.find(parts.id)
        expected = identity.DECOY if key is None else key.digest
        right = hmac.compare_digest(identity.digest(parts.secret), expected)
        if key is None or not right:
            raise TokenRefused("no key has this id and secret")
        return key

    def _cached(self, text: str) -> ApiKey | None:
        found = self._verified.get(_name(text))
        if found is None or found.until <= self._clock.monotonic():
            return None
        return found.key if found.key.usable(self._clock.now()) else None

    def _remember(self, text: str, key: ApiKey) -> None:
        name = _name(text)
        self._verified[name] = _Verified(key, self._clock.monotonic() + CACHE_SECONDS)
        self._verified.move_to_end(name)
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)

    def _note_use(self, key_id: str) -> None:
        now = self._clock.monotonic()
        last = self._touched.get(key_id)
        if last is not None and now - last < TOUCH_SECONDS:
            return
        self._touched[key_id] = now
        self._touched.move_to_end(key_id)
        if len(self._touched) > CACHE_SIZE:
            self._touched.popitem(last=False)
        touch = asyncio.create_task(self._touch(key_id, self._clock.now()))
        self._touches.add(touch)
        touch.add_done_callback(self._touches.discard)

    async def _touch(self, key_id: str, at: float) -> None:
        try:
            await self._store.touch(key_id, at)
        except LedgerUnavailable as error:
            _log.warning(
                "the use of a key could not be written: %s",
                error,
                extra={"action": "key.touch_failed", "key_id": key_id},
            )


class Identity:
    """Finds out who asks, by whichever of the ways that are configured.

    Attributes:
        keys: The API keys, or None where they are not in use.
    """

    def __init__(self, keys: ApiKeys | None, tokens: Tokens | None) -> None:
        self.keys = keys
        self._tokens = tokens

    async def of_key(self, text: str) -> Principal:
        """Whose a key is. Raises Rejected."""
        return await self._told(self.keys, text)

    async def of_bearer(self, text: str) -> Principal:
        """Whose a bearer token is, which may be a key. Raises Rejected."""
        key = identity.looks_like_key(text)
        return await self._told(self.keys if key else self._tokens, text)

    async def _told(self, method: ApiKeys | Tokens | None, text: str) -> Principal:
        try:
            if method is None:
                raise TokenRefused("this way of authentication is not configured")
            return await method.verify(text)
        except TokenRefused as refusal:
            parts = identity.presented(text)
            extra = {"action": "auth.refused", "key_id": parts.id if parts else None}
            _log.info("credentials refused: %s", refusal, extra=extra)
            raise unauthenticated() from None
        except TokensUnavailable as error:
            _log.warning("a token cannot be checked: %s", error, extra={"action": "auth.down"})
            detail = "The issuer of tokens does not answer, so this one cannot be checked now."
            raise Rejected("IDENTITY_UNAVAILABLE", detail, retry_after=error.retry_after) from None


def unauthenticated() -> Rejected:
    """The one refusal of whoever has not shown who he is, whatever was wrong."""
    return Rejected("UNAUTHENTICATED", "Valid credentials are needed: an API key or a token.")


def _name(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _tell(action: str, key: ApiKey, by: str) -> None:
    extra = {"action": action, "key_id": key.id, "user": key.user, "by": by or None}
    _log.info("%s: %s", action, " ".join(sorted(key.scopes)), extra=extra)
