import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core import identity
from kinesphere.core.failures import Rejected
from kinesphere.core.identity import ApiKey, Scope

ID = "01KAZ6T3V9S2Q4W8E0R5Y7T1S3"


def key(**fields: float | None) -> ApiKey:
    return ApiKey(ID, "ada", frozenset({Scope.GENERATE}), "d", 0.0, **fields)  # type: ignore[arg-type]


@given(st.binary(min_size=identity.SECRET_BYTES, max_size=identity.SECRET_BYTES))
def test_a_key_is_read_as_it_was_written(secret: bytes) -> None:
    text = identity.written(ID, secret)
    assert identity.presented(text) == identity.Presented(ID, secret.hex())
    assert identity.looks_like_key(text)


@given(st.text(max_size=120))
def test_what_is_no_key_is_none(text: str) -> None:
    assert identity.presented(text) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda k: k[:-1], lambda k: k + "0", lambda k: k + "\n", lambda k: " " + k,
        lambda k: k.upper(), lambda k: k.replace("kin_", "kim_"), lambda k: k.replace("_", "-"),
        lambda k: k[:-1] + "é",
    ],
)  # fmt: skip
def test_a_key_that_was_changed_is_none(change: object) -> None:
    assert callable(change)
    assert identity.presented(change(identity.written(ID, bytes(32)))) is None


def test_no_secret_is_shown() -> None:
    parts = identity.presented(identity.written(ID, b"\xab" * 32))
    assert "abab" not in repr(parts)
    assert "digest" not in repr(key())


def test_no_secret_has_the_decoys_digest() -> None:
    assert identity.digest("00" * 32) != identity.DECOY


def test_a_key_ends_when_it_expires_or_is_revoked() -> None:
    assert key().usable(9e9)
    assert key(expires_at=10.0).usable(9.9)
    assert not key(expires_at=10.0).usable(10.0)
    assert not key(revoked_at=20.0).usable(10.0)


def test_operating_includes_generating() -> None:
    assert identity.allows({Scope.OPERATE}, Scope.GENERATE)
    assert identity.allows({Scope.OPERATE}, Scope.OPERATE)
    assert identity.allows({Scope.GENERATE}, Scope.GENERATE)
    assert not identity.allows({Scope.GENERATE}, Scope.OPERATE)
    assert not identity.allows((), Scope.GENERATE)


@pytest.mark.parametrize("name", ["a", "studio-a", "a@b.c", "auth0|5f7c", "阿达", "x" * 100])
def test_names_of_users(name: str) -> None:
    assert identity.checked_user(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a\n", "\x00", "a\u200b", "a\u00a0b", "\u202eadmin", "x" * 101, "\ud800"],
)
def test_what_is_no_name_of_a_user(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        identity.checked_user(name)
    assert refusal.value.fields[0].field == "user"


@pytest.mark.parametrize("names", [[], ["generate", "root"], [""], ["GENERATE"]])
def test_wrong_scopes(names: list[str]) -> None:
    with pytest.raises(Rejected):
        identity.checked_scopes(names)


@pytest.mark.parametrize("at", [0.0, 10.0, float("inf"), float("nan")])
def test_an_expiry_lies_ahead(at: float) -> None:
    with pytest.raises(Rejected):
        identity.checked_expiry(at, 10.0)


def test_labels_are_printable() -> None:
    assert identity.checked_label("build server 1") == "build server 1"
    for label in ("x" * 201, "a\nb", "\x1b[31m"):
        with pytest.raises(Rejected):
            identity.checked_label(label)


def test_scopes_of_tokens_are_named_exactly() -> None:
    values = ["generate", "k:operate", 5, None, ["generate"]]
    assert identity.scopes_among(values, "") == {Scope.GENERATE}
    assert identity.scopes_among(values, "k:") == {Scope.OPERATE}
