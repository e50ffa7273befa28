"""Who asks, and how much they may."""

from dataclasses import dataclass
from typing import Protocol

from kinesphere.core.identity import ApiKey, Principal


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` (1 or more) within any `seconds` (1 or more)."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do.

    Attributes:
        admitted: Whether one request was (or would be) within the quota.
        quota: That quota.
        remaining: Requests that would be admitted now, one after the other.
        reset: Seconds until the oldest counted request leaves the window, so that one more is
            admitted; 0 when none is counted.
    """

    admitted: bool
    quota: Quota
    remaining: int
    reset: float


class Limits(Protocol):
    """Counts requests by key within a window that moves with time.

    Exact: of any number of calls at once, by any number of processes that share the store, as
    many are admitted as the quota says and not one more. What is refused is not counted. Counts
    of one key under different quotas are apart. No method raises because a store is out of reach:
    it then counts in this process alone, since a limit is no reason to refuse everybody.
    """

    async def take(self, key: str, quota: Quota) -> Allowance:
        """Count one request of `key`, if the quota admits it."""
        ...

    async def look(self, key: str, quota: Quota) -> Allowance:
        """The same without counting."""
        ...

    async def close(self) -> None:
        """Release the store."""
        ...


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Which keys to list, newest first. `before` is the id after which the page starts."""

    user: str | None = None
    before: str | None = None
    limit: int = 50


class Keys(Protocol):
    """The API keys that were made, the revoked ones included.

    Every method is one transaction, committed and synced when it returns. Any number of callers,
    in any number of processes, may call any method at once. All methods raise LedgerUnavailable.
    """

    async def create(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    async def find(self, key_id: str) -> ApiKey | None:
        """The key with this id, revoked and expired ones too. Finding none takes no less work."""
        ...

    async def list(self, query: KeyQuery) -> tuple[ApiKey, ...]:
        """Matching keys, newest first, at most `query.limit`."""
        ...

    async def revoke(self, key_id: str, at: float) -> ApiKey | None:
        """Revoke a key, and return it; None where there is none. The first time stays."""
        ...

    async def touch(self, key_id: str, at: float) -> None:
        """Note that a key was used at `at`. Never goes back; an unknown id is passed over."""
        ...

    async def close(self) -> None:
        """Release the store."""
        ...


class TokenRefused(Exception):
    """The token is not valid here; the message says why, for the log alone."""


class TokensUnavailable(Exception):
    """Whether the token is valid cannot be told now.

    Attributes:
        retry_after: Seconds after which it may be.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Tokens(Protocol):
    """Checks bearer tokens of an issuer."""

    async def verify(self, token: str) -> Principal:
        """Whose the token is. Raises TokenRefused or TokensUnavailable.

        `token` may be anything. What is known of the issuer's keys answers at once; only a token
        that names a key not seen before may wait for the issuer, for a bounded time.
        """
        ...
