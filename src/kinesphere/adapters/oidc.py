"""Bearer tokens of an OpenID Connect issuer: signed JSON Web Tokens (RFC 7519, RFC 8725).

Signatures, audience, issuer and times are checked by PyJWT. What is added here is the issuer's
keys: kept, renewed in the background, and asked for anew when a token names one not seen before.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

from kinesphere.adapters.issuer import Issuer, IssuerSilent
from kinesphere.core.identity import Principal, is_user, scopes_among
from kinesphere.ports import Clock, TokenRefused, TokensUnavailable

_log = logging.getLogger("kinesphere.identity")

FRESH_SECONDS: Final = 600.0
"""Age from which the keys are fetched anew, in the background: so long may a withdrawn one hold."""
STALE_SECONDS: Final = 86_400.0
"""Age from which keys are used no more, though the issuer has not answered since."""
PAUSE_SECONDS: Final = 10.0
"""Between two fetches, however many tokens name unknown keys."""
LONGEST_TOKEN: Final = 16_384

# Nothing symmetric: a public key would then serve as a shared secret (RFC 8725, 2.1).
_ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Type of key and curve by algorithm."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a token must say.

    Attributes:
        audience: Of these its `aud` names one.
        user_claim: Names the user; a path with dots where no claim has the whole name.
        user_prefix: Put before it.
        scope_claim: Has the scopes, as words in a text or as a list.
        scope_prefix: What our scopes have in front there.
        leeway: Seconds by which clocks may differ.
    """

    audience: Sequence[str]
    user_claim: str = "sub"
    user_prefix: str = ""
    scope_claim: str = "scope"
    scope_prefix: str = ""
    leeway: float = 30.0


class OidcTokens:
    """See `kinesphere.ports.Tokens`. Belongs to the event loop that it is used in."""

    def __init__(self, issuer: Issuer, terms: Terms, clock: Clock) -> None:
        self._issuer = issuer
        self._terms = terms
        self._clock = clock
        self._jwt = jwt.PyJWT({"enforce_minimum_key_length": True})
        self._keys: tuple[Mapping[str, Any], ...] = ()
        # Those of them that were used, by algorithm and kid: reading one costs as much as its use.
        self._ready: dict[tuple[str, str | None], jwt.PyJWK] = {}
        self._fetched = -STALE_SECONDS
        self._tried = -PAUSE_SECONDS
        self._silent = ""
        self._fetching: asyncio.Task[None] | None = None

    async def verify(self, token: str) -> Principal:
        """See the port."""
        algorithm, kid = _header(token)
        key = await self._key(algorithm, kid)
        return self._principal(self._claims(token, key, algorithm))

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    # ------------------------------------------------------------------------ the issuer's keys

    async def _key(self, algorithm: str, kid: str | None) -> jwt.PyJWK:
        found = self._known(algorithm, kid)
        if found is None:
            await self._renewed()
            found = self._known(algorithm, kid)
        elif self._age() > FRESH_SECONDS:
            self._fetch()
        if found is not None:
            return found
        if self._silent:
            left = self._tried + PAUSE_SECONDS - self._clock.monotonic()
            raise TokensUnavailable(self._silent, max(1.0, left))
        raise TokenRefused("it is signed with a key that the issuer does not publish")

    def _known(self, algorithm: str, kid: str | None) -> jwt.PyJWK | None:
        """The one key that fits. A token without a `kid` is taken only where there is no choice."""
        if self._age() > STALE_SECONDS:
            return None
        ready = self._ready.get((algorithm, kid))
        if ready is not None:
            return ready
        fitting = [key for key in self._keys if _fits(key, algorithm, kid)]
        if len(fitting) != 1:
            return None
        try:
            found = jwt.PyJWK(dict(fitting[0]), algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        self._ready[algorithm, kid] = found
        return found

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched

    async def _renewed(self) -> None:
        """Wait for a fetch that is under way, or for a new one if the pause is over."""
        task = self._fetch()
        if task is not None:
            # Several wait for it, and none may end it for the others.
            await asyncio.shield(task)

    def _fetch(self) -> asyncio.Task[None] | None:
        if self._fetching is None or self._fetching.done():
            now = self._clock.monotonic()
            if now - self._tried < PAUSE_SECONDS:
                return None
            self._tried = now
            self._fetching = asyncio.create_task(self._fetched_now())
        return self._fetching

    async def _fetched_now(self) -> None:
        try:
            self._keys = await self._issuer.keys()
            self._ready.clear()
        except IssuerSilent as error:
            self._silent = str(error)
            extra = {"action": "oidc.keys_unavailable"}
            _log.warning("the issuer's keys cannot be had: %s", error, extra=extra)
            return
        self._silent = ""
        self._fetched = self._clock.monotonic()
        extra = {"action": "oidc.keys_fetched"}
        _log.info("the issuer publishes %d keys", len(self._keys), extra=extra)

    # --------------------------------------------------------------------------------- the token

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = self._jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=list(self._terms.audience),
                issuer=self._issuer.url,
                leeway=self._terms.leeway,
                options={"require": ["iss", "aud", "exp"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise TokenRefused(f"{type(error).__name__}: {error}") from None
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        terms = self._terms
        user = _claim(claims, terms.user_claim)
        if terms.user_claim == "email" and claims.get("email_verified", True) is not True:
            raise TokenRefused("its email is not verified")
        if not isinstance(user, str) or not user:
            raise TokenRefused(f"its claim {terms.user_claim!r} names no user")
        if not is_user(terms.user_prefix + user):
            raise TokenRefused(f"its claim {terms.user_claim!r} is not usable as a user's name")
        given = _claim(claims, terms.scope_claim)
        values = given.split() if isinstance(given, str) else given
        scopes = scopes_among(values if isinstance(values, list) else (), terms.scope_prefix)
        return Principal(terms.user_prefix + user, scopes)


def _header(token: str) -> tuple[str, str | None]:
    """Algorithm and key id that a token names. Raises TokenRefused."""
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused(f"{type(error).__name__}: {error}") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise TokenRefused("its algorithm is not one of those taken")
    if "crit" in header:
        raise TokenRefused("it has extensions that must be understood")
    return algorithm, kid


def _fits(key: Mapping[str, Any], algorithm: str, kid: str | None) -> bool:
    kind, curve = _ALGORITHMS[algorithm]
    return (
        (kid is None or key.get("kid") == kid)
        and key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim with this name, which may have dots or slashes in it, or at this path."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
