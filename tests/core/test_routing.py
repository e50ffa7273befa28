"""Which model answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.failures import Rejected
from kinesphere.core.routing import Routed, Split, behind, lite, place, routes


def model(name: str, rank: int = 0, lite_of: str = "") -> Model:
    stage = Stage(name="", engine="none:None")
    return Model(name, "1", "motion", "", (stage,), ("bvh",), rank=rank, lite_of=lite_of)


CATALOG = Catalog((model("old", rank=2), model("new"), model("light", lite_of="old")))
PARTS = st.floats(0.0, 1.0)


def answering(pinned: str | None, split: Split | None, user: str = "ada") -> tuple[str, Routed]:
    first = routes(CATALOG, "motion", pinned, split, user)[0]
    return first.model.name, first.routed


def test_who_names_a_model_has_it_whatever_a_release_says() -> None:
    everybody = Split("R", "old", "new", 1.0)
    assert answering("old", everybody) == ("old", Routed.PINNED)
    assert answering("light", None) == ("light", Routed.PINNED)
    with pytest.raises(Rejected) as refused:
        answering("nobody", everybody)
    assert refused.value.code == "MODEL_UNKNOWN"


def test_without_a_release_the_best_answers() -> None:
    assert answering(None, None) == ("old", Routed.DEFAULT)


def test_a_release_gives_both_of_its_models() -> None:
    assert answering(None, Split("R", "old", "new", 0.0)) == ("old", Routed.RELEASE)
    assert answering(None, Split("R", "old", "new", 1.0)) == ("new", Routed.RELEASE)


def test_what_the_canary_refuses_the_stable_model_may_take() -> None:
    canary, stable = routes(CATALOG, "motion", None, Split("R", "old", "new", 0.999999), "ada")
    assert (canary.model.name, canary.routed) == ("new", Routed.RELEASE)
    # Not counted as the stable model's: such requests would be the hard ones.
    assert (stable.model.name, stable.routed) == ("old", Routed.DEFAULT)


def test_a_model_that_is_not_here_is_passed_over() -> None:
    assert answering(None, Split("R", "old", "gone", 1.0)) == ("old", Routed.DEFAULT)
    assert answering(None, Split("R", "gone", "new", 0.0)) == ("old", Routed.DEFAULT)


@given(st.text(), st.text(), PARTS, PARTS)
def test_raising_the_part_moves_users_to_the_canary_alone(
    user: str, release: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    before = Split(release, "old", "new", low).model(user)
    after = Split(release, "old", "new", high).model(user)
    assert (before, after) != ("new", "old")
    assert 0.0 <= place(user, release) < 1.0


@pytest.mark.parametrize("part", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_parts_are_exact_in_the_long_run(part: float) -> None:
    split, many = Split("01KAZ6T3V9S2Q4W8E0R5Y7T1S3", "old", "new", part), 40_000
    found = sum(split.model(f"user-{n}") == "new" for n in range(many)) / many
    assert abs(found - part) < 4.0 * (part * (1.0 - part) / many) ** 0.5


def test_another_release_takes_other_users() -> None:
    users = [f"user-{n}" for n in range(4_000)]
    first = {u for u in users if Split("A", "old", "new", 0.1).model(u) == "new"}
    second = {u for u in users if Split("B", "old", "new", 0.1).model(u) == "new"}
    assert 10 < len(first & second) < 80


def test_the_lighter_form_is_declared() -> None:
    found = lite(CATALOG, CATALOG.models[0])
    assert found is not None
    assert found.name == "light"
    assert lite(CATALOG, found) is None


def test_a_pool_is_behind_until_it_has_caught_up() -> None:
    was, told = False, []
    for wait in (0.0, 9.9, 10.0, 6.0, 2.6, 2.4, 6.0, 9.0, 10.5):
        was = behind(was, wait, 10.0)
        told.append(was)
    assert told == [False, False, True, True, True, False, False, False, True]
