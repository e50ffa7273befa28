"""Who may do what: scopes, users, and API keys.

A key reads `kin_<id>_<secret>`. The id is public: it names the key in lists and logs. The secret
has 256 random bits and is stored as its SHA-256 alone. A slow hash is for secrets that people
choose; nobody can try 2^256 of them, and a fast one keeps a flood of wrong keys cheap. The prefix
lets scanners of leaked secrets know one when they see it.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kinesphere.core.failures import FieldError, Rejected

SECRET_BYTES: Final = 32
LONGEST_USER: Final = 100
LONGEST_LABEL: Final = 200
_PREFIX: Final = "kin"
_KEY: Final = re.compile(r"kin_([0-9A-HJKMNP-TV-Z]{26})_([0-9a-f]{64})")


class Scope(StrEnum):
    """What a caller may do.

    GENERATE: ask for assets, and see one's own jobs. OPERATE: that, everybody's jobs, the pools,
    the metrics and the keys. Who may make keys could give himself any scope, so OPERATE includes
    GENERATE rather than pretending otherwise.
    """

    GENERATE = "generate"
    OPERATE = "operate"


def allows(held: Iterable[Scope], wanted: Scope) -> bool:
    """Whether scopes suffice for what needs `wanted`."""
    scopes = frozenset(held)
    return wanted in scopes or Scope.OPERATE in scopes


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever has shown who he is.

    Attributes:
        user: Whose the jobs are.
        scopes: What he may do.
        key_id: The API key that he showed; "" for a bearer token.
    """

    user: str
    scopes: frozenset[Scope]
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Times in seconds since the epoch.

    Attributes:
        id: Public, a ULID: keys in the order of their ids are in that of their making.
        user: On whose behalf it speaks.
        scopes: At least one.
        digest: SHA-256 of the secret, in hexadecimal.
        created_at: When it was made.
        label: What its owner calls it; may be empty.
        expires_at: When it stops working, or None.
        revoked_at: When it was revoked, or None.
        used_at: When it was last used, to the minute, or None.
    """

    id: str
    user: str
    scopes: frozenset[Scope]
    digest: str = field(repr=False)
    created_at: float
    label: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None
    used_at: float | None = None

    def usable(self, now: float) -> bool:
        """Whether it is neither revoked nor past its time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as a caller shows it."""

    id: str
    secret: str = field(repr=False)


def written(key_id: str, secret: bytes) -> str:
    """The whole key, from its id and SECRET_BYTES random bytes."""
    return f"{_PREFIX}_{key_id}_{secret.hex()}"


def presented(text: str) -> Presented | None:
    """The parts of a key, or None for what is none."""
    found = _KEY.fullmatch(text)
    return None if found is None else Presented(found[1], found[2])


def looks_like_key(text: str) -> bool:
    """Whether a bearer token means to be one of our keys."""
    return text.startswith(f"{_PREFIX}_")


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


DECOY: Final = digest("")
"""What the secret of an unknown key is compared with. No key has it: no secret is empty."""


def is_user(name: str) -> bool:
    """Whether `name` can be a user's: 1 to 100 visible characters of any script, without spaces."""
    return 0 < len(name) <= LONGEST_USER and name.isprintable() and " " not in name


def checked_user(name: str) -> str:
    """A usable name of a user. Raises Rejected."""
    if is_user(name):
        return name
    allowed = f"1 to {LONGEST_USER} visible characters without spaces"
    raise _wrong("user", "is not the name of a user", allowed)


def checked_label(label: str) -> str:
    """A usable label. Raises Rejected."""
    if len(label) <= LONGEST_LABEL and label.isprintable():
        return label
    raise _wrong("label", "is not a label", f"at most {LONGEST_LABEL} printable characters")


def checked_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """At least one scope. Raises Rejected."""
    allowed = ", ".join(Scope)
    try:
        scopes = frozenset(Scope(name) for name in names)
    except ValueError:
        raise _wrong("scopes", "has an unknown scope", allowed) from None
    if not scopes:
        raise _wrong("scopes", "is empty", allowed)
    return scopes


def checked_expiry(expires_at: float | None, now: float) -> float | None:
    """A time to come, or None. Raises Rejected."""
    if expires_at is None or now < expires_at < float("inf"):
        return expires_at
    raise _wrong("expires_at", "is in the past", "a time to come")


def scopes_among(values: Iterable[object], prefix: str) -> frozenset[Scope]:
    """The scopes that a token's values name after `prefix`; others are another service's."""
    known = {prefix + scope.value: scope for scope in Scope}
    return frozenset(known[value] for value in values if isinstance(value, str) and value in known)


def _wrong(name: str, problem: str, allowed: str) -> Rejected:
    found = FieldError(name, problem, allowed)
    return Rejected("INVALID_REQUEST", f"The request is not right: {name} {problem}.", (found,))
