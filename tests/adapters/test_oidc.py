"""Bearer tokens against a real issuer: what is taken, what is refused, and its failures."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.adapters import issuer as publishing
from kinesphere.adapters import oidc
from kinesphere.adapters.clock import SystemClock
from kinesphere.core.identity import Principal, Scope
from kinesphere.ports import TokenRefused, TokensUnavailable
from tests import issuer as issuing
from tests.clock import VirtualClock
from tests.issuer import AUDIENCE, DISCOVERY, JWKS, Issuer
from tests.waiting import wait_until

TERMS = oidc.Terms(audience=(AUDIENCE, "other-name"))
ADA = Principal("ada", frozenset({Scope.GENERATE}))


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing.issuer() as running:
        yield running


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def tokens(issuer: Issuer, clock: VirtualClock) -> AsyncIterator[oidc.OidcTokens]:
    tokens = oidc.OidcTokens(publishing.Issuer(issuer.url), TERMS, clock)
    yield tokens
    await tokens.close()


def with_terms(issuer: Issuer, **terms: Any) -> oidc.OidcTokens:
    return oidc.OidcTokens(publishing.Issuer(issuer.url), replace(TERMS, **terms), VirtualClock())


# ------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("algorithm", sorted(oidc._ALGORITHMS))
async def test_every_algorithm_of_the_list_is_taken(
    issuer: Issuer, tokens: oidc.OidcTokens, algorithm: str
) -> None:
    issuer.add("k", algorithm)
    assert await tokens.verify(issuer.token("k")) == ADA


def forged(issuer: Issuer, kind: str) -> str:
    good = issuer.token("rsa")
    head, body, signature = good.split(".")
    other = issuing.private_key("RS256")
    match kind:
        case "none":
            return issuing.unsigned({"alg": "none", "kid": "rsa"}, issuer.claims())
        case "None":
            return issuing.unsigned({"alg": "NoNe", "kid": "rsa"}, issuer.claims())
        case "no signature":
            return f"{head}.{body}."
        case "none with the signature":
            header = issuing.unsigned({"alg": "none", "kid": "rsa"}, {}).split(".")[0]
            return f"{header}.{body}.{signature}"
        case "public key as secret":
            return issuing.confused(issuer, "rsa")
        case "another's key under our kid":
            return jwt.encode(issuer.claims(), other, "RS256", {"kid": "rsa"})
        case "key within the token":
            public = jwt.get_algorithm_by_name("RS256").to_jwk(other.public_key(), as_dict=True)
            headers = {"jwk": public, "jku": f"{issuer.url}/x"}
            return jwt.encode(issuer.claims(), other, "RS256", headers)
        case "changed claims":
            claims = issuing.unsigned({}, issuer.claims(sub="root")).split(".")[1]
            return f"{head}.{claims}.{signature}"
        case "another kind of key":
            return issuer.token("ec", {"kid": "rsa"})
        case "another algorithm of the same key":
            return jwt.encode(issuer.claims(), issuer.private["rsa"][1], "PS256", {"kid": "rsa"})
        case "extensions":
            return issuer.token("rsa", {"crit": ["exp"]})
        case "ES256 of zeros":
            return issuing.unsigned({"alg": "ES256", "kid": "ec"}, issuer.claims(), bytes(64))
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "none", "None", "no signature", "none with the signature", "public key as secret",
        "another's key under our kid", "key within the token", "changed claims",
        "another kind of key", "another algorithm of the same key", "extensions", "ES256 of zeros",
    ],
)  # fmt: skip
async def test_forgeries_are_refused(issuer: Issuer, tokens: oidc.OidcTokens, kind: str) -> None:
    with pytest.raises(TokenRefused):
        await tokens.verify(forged(issuer, kind))


async def test_a_published_secret_is_no_key(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    secret = b"s" * 32
    k = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    issuer.published["keys"].append({"kty": "oct", "k": k, "kid": "hs", "alg": "HS256"})
    with pytest.raises(TokenRefused):
        await tokens.verify(jwt.encode(issuer.claims(), secret, "HS256", {"kid": "hs"}))


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "a.b.c", "x" * 20_000, "é.é.é", "\x00", "[" * 15_000,
        base64.urlsafe_b64encode(b"[" * 11_000).decode() + ".e30.AA",
        base64.urlsafe_b64encode(b'"text"').decode() + ".e30.AA",
        base64.urlsafe_b64encode(b'{"alg": 5}').decode() + ".e30.AA",
        base64.urlsafe_b64encode(b'{"alg": ["RS256"]}').decode() + ".e30.AA",
        base64.urlsafe_b64encode(b'{"alg": "RS256", "kid": {"a": 1}}').decode() + ".e30.AA",
        base64.urlsafe_b64encode(b'{"alg": "RS256", "b64": false}').decode() + "..AA",
    ],
)  # fmt: skip
async def test_what_is_no_token_is_refused(tokens: oidc.OidcTokens, token: str) -> None:
    with pytest.raises(TokenRefused):
        await tokens.verify(token)


@given(token=st.text(max_size=200) | st.from_regex(r"[\w-]{0,60}\.[\w-]{0,60}\.[\w-]{0,60}"))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_breaks_it(issuer: Issuer, token: str) -> None:
    with pytest.raises(TokenRefused):
        asyncio.run(with_terms(issuer).verify(token))


# ----------------------------------------------------------------------------------------- claims

SOON, PAST = 31, -31


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": {"kinesphere": 1}},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1e999},
        {"exp": PAST},
        {"nbf": SOON + 5},
        {"iat": SOON + 5},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["ada"]},
        {"sub": "two words"},
        {"sub": "x" * 101},
        {"sub": "tab\there"},
    ],
)
async def test_wrong_claims_are_refused(
    issuer: Issuer, tokens: oidc.OidcTokens, claims: dict[str, Any]
) -> None:
    now = int(SystemClock().now())
    moved = {
        name: now + value if isinstance(value, int) and name in ("exp", "nbf", "iat") else value
        for name, value in claims.items()
    }
    algorithm, key = issuer.private["rsa"]
    # Put together by hand, as PyJWT refuses to make some of these.
    bare = issuing.unsigned({"alg": algorithm, "kid": "rsa"}, issuer.claims(**moved)).rpartition(
        "."
    )
    signature = jwt.get_algorithm_by_name(algorithm).sign(bare[0].encode(), key)
    encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    with pytest.raises(TokenRefused):
        await tokens.verify(f"{bare[0]}.{encoded}")


async def test_clocks_may_differ_by_the_leeway(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    now = int(SystemClock().now())
    for name, at in (("exp", now - 20), ("nbf", now + 20), ("iat", now + 20)):
        assert await tokens.verify(issuer.token("rsa", None, **{name: at})) == ADA


async def test_one_of_several_audiences_is_enough(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    assert await tokens.verify(issuer.token("ec", aud=["x", "other-name"])) == ADA


@pytest.mark.parametrize(
    ("claim", "value", "prefix", "scopes"),
    [
        ("scope", "openid operate generate", "", {Scope.GENERATE, Scope.OPERATE}),
        ("scope", "kin:operate generate", "kin:", {Scope.OPERATE}),
        ("scope", "regenerate operates Generate", "", set()),
        ("scope", None, "", set()),
        ("scope", {"generate": True}, "", set()),
        ("scope", ["generate", 5, None, {"a": 1}], "", {Scope.GENERATE}),
        ("roles", ["operate"], "", {Scope.OPERATE}),
        ("realm_access.roles", {"roles": ["generate"]}, "", {Scope.GENERATE}),
        ("https://example.com/roles", ["generate"], "", {Scope.GENERATE}),
        ("realm_access.roles", "generate", "", set()),
    ],
)
async def test_scopes_are_read_from_their_claim(
    issuer: Issuer, claim: str, value: Any, prefix: str, scopes: set[Scope]
) -> None:
    name = claim if claim.startswith("https:") else claim.partition(".")[0]
    tokens = with_terms(issuer, scope_claim=claim, scope_prefix=prefix)
    token = issuer.token("rsa", **{"scope": None, name: value})
    assert (await tokens.verify(token)).scopes == scopes


async def test_the_user_is_read_from_its_claim(issuer: Issuer) -> None:
    tokens = with_terms(issuer, user_claim="preferred_username", user_prefix="sso:")
    assert (await tokens.verify(issuer.token("rsa", preferred_username="bob"))).user == "sso:bob"
    with pytest.raises(TokenRefused):
        await tokens.verify(issuer.token("rsa"))


async def test_an_email_that_is_not_verified_names_nobody(issuer: Issuer) -> None:
    tokens = with_terms(issuer, user_claim="email")
    assert (await tokens.verify(issuer.token("rsa", email="a@b.c"))).user == "a@b.c"
    for verified in (False, "true", 0):
        with pytest.raises(TokenRefused):
            await tokens.verify(issuer.token("rsa", email="a@b.c", email_verified=verified))


# ------------------------------------------------------------------------------ the issuer's keys


async def test_keys_are_fetched_once(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    await asyncio.gather(*(tokens.verify(issuer.token("rsa")) for _ in range(20)))
    await tokens.verify(issuer.token("ec"))
    assert issuer.asked == {DISCOVERY: 1, JWKS: 1}


async def test_a_new_key_is_found_when_a_token_names_it(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    await tokens.verify(issuer.token("rsa"))
    issuer.add("next", "ES256")
    with pytest.raises(TokenRefused):
        await tokens.verify(issuer.token("next"))
    assert issuer.asked[JWKS] == 1, "the pause was not kept"
    clock.tick(oidc.PAUSE_SECONDS)
    assert await tokens.verify(issuer.token("next")) == ADA
    assert issuer.asked[JWKS] == 2


async def test_unknown_keys_do_not_flood_the_issuer(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    for _ in range(3):
        for number in range(20):
            with pytest.raises(TokenRefused):
                await tokens.verify(issuer.token("rsa", {"kid": f"made-up-{number}"}))
        clock.tick(oidc.PAUSE_SECONDS)
    assert issuer.asked[JWKS] == 3


async def test_a_withdrawn_key_is_forgotten(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    token = issuer.token("rsa")
    await tokens.verify(token)
    issuer.withdraw("rsa")
    clock.tick(oidc.FRESH_SECONDS + 1)
    await tokens.verify(token)  # and the keys are fetched behind its back
    await wait_until(lambda: issuer.asked[JWKS] == 2, "the keys are fetched again")
    await wait_until(lambda: len(tokens._keys) == 1, "the keys have come")
    with pytest.raises(TokenRefused):
        await tokens.verify(token)


async def test_a_silent_issuer_holds_up_nobody_whose_key_is_known(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    await tokens.verify(issuer.token("rsa"))
    issuer.release.clear()
    for age in (oidc.FRESH_SECONDS + 1, oidc.PAUSE_SECONDS, oidc.STALE_SECONDS / 2):
        clock.tick(age)
        async with asyncio.timeout(2.0):
            assert await tokens.verify(issuer.token("ec")) == ADA


async def test_an_issuer_that_is_down_is_not_the_callers_fault(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    published, issuer.published = issuer.published, None
    with pytest.raises(TokensUnavailable) as first:
        await tokens.verify(issuer.token("rsa"))
    assert 0 < first.value.retry_after <= oidc.PAUSE_SECONDS
    with pytest.raises(TokensUnavailable):
        await tokens.verify(issuer.token("rsa"))
    assert issuer.asked[JWKS] == 1
    issuer.published = published
    clock.tick(oidc.PAUSE_SECONDS)
    assert await tokens.verify(issuer.token("rsa")) == ADA
    issuer.published = None
    clock.tick(oidc.STALE_SECONDS + 1)
    with pytest.raises(TokensUnavailable):
        await tokens.verify(issuer.token("rsa"))


@pytest.mark.parametrize(
    "published",
    [
        b"x" * (publishing.LARGEST_DOCUMENT + 1),
        b"[" * 100_000,
        b"[]",
        {"keys": {}},
        {"keys": [{"kty": "RSA"}] * (publishing.MOST_KEYS + 1)},
    ],
    ids=["huge", "deep", "a list", "no list", "many"],
)
async def test_what_is_not_a_set_of_keys_is_not_read(
    issuer: Issuer, tokens: oidc.OidcTokens, published: Any
) -> None:
    issuer.published = published
    with pytest.raises(TokensUnavailable):
        await tokens.verify(issuer.token("rsa"))


async def test_keys_that_are_none_do_not_spoil_the_others(
    issuer: Issuer, tokens: oidc.OidcTokens
) -> None:
    broken = [5, {}, {"kty": "RSA", "kid": "b", "n": "!", "e": 5}, {"kid": ["a"], "kty": None}]
    issuer.published["keys"] = [*broken, *issuer.published["keys"]]
    assert await tokens.verify(issuer.token("rsa")) == ADA
    with pytest.raises(TokenRefused):
        await tokens.verify(issuer.token("rsa", {"kid": "b"}))


async def test_a_key_for_encryption_signs_nothing(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    issuer.published["keys"][0]["use"] = "enc"
    with pytest.raises(TokenRefused):
        await tokens.verify(issuer.token("rsa"))


async def test_a_short_key_is_refused(issuer: Issuer, tokens: oidc.OidcTokens) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    issuer.private["short"] = ("RS256", rsa.generate_private_key(65537, 1024))
    issuer.published["keys"].append(issuer.jwk("short"))
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = issuer.token("short")
    with pytest.raises(TokenRefused):
        await tokens.verify(token)


async def test_without_a_kid_there_must_be_no_choice(
    issuer: Issuer, tokens: oidc.OidcTokens, clock: VirtualClock
) -> None:
    token = jwt.encode(issuer.claims(), issuer.private["rsa"][1], "RS256")
    assert await tokens.verify(token) == ADA
    issuer.add("second", "RS256")
    clock.tick(oidc.PAUSE_SECONDS)
    await tokens.verify(issuer.token("second"))
    with pytest.raises(TokenRefused):
        await tokens.verify(token)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example", "jwks_uri": "{}/keys"},
        {"jwks_uri": "{}/keys"},
        {"issuer": "{}"},
        {"issuer": "{}", "jwks_uri": "http://example.com/keys"},
        {"issuer": "{}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{}", "jwks_uri": "//:0:0"},
        [],
    ],
)
async def test_discovery_must_be_of_this_issuer(
    issuer: Issuer, tokens: oidc.OidcTokens, discovery: Any
) -> None:
    issuer.discovery = json.loads(json.dumps(discovery).replace("{}", issuer.url))
    with pytest.raises(TokensUnavailable):
        await tokens.verify(issuer.token("rsa"))
    assert issuer.asked[JWKS] == 0


async def test_an_issuer_that_never_answers_is_given_up(
    issuer: Issuer, tokens: oidc.OidcTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "FETCH_SECONDS", 0.2)
    issuer.release.clear()
    async with asyncio.timeout(5.0):
        with pytest.raises(TokensUnavailable):
            await tokens.verify(issuer.token("rsa"))


async def test_a_caller_who_goes_does_not_end_the_fetch_for_others(
    issuer: Issuer, tokens: oidc.OidcTokens
) -> None:
    issuer.release.clear()
    first, second = (asyncio.create_task(tokens.verify(issuer.token("rsa"))) for _ in range(2))
    await wait_until(lambda: issuer.asked[DISCOVERY] == 1, "the issuer is asked")
    first.cancel()
    issuer.release.set()
    assert await second == ADA
