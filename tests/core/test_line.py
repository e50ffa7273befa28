"""How much stands before a job, from a look at the first."""

import pytest

from kinesphere.core.catalog import Size
from kinesphere.core.line import Load, Look, ahead


def test_higher_priorities_are_all_ahead_and_lower_ones_never() -> None:
    waiting = {9: Load(3, 6.0), 5: Load(7, 7.0), 1: Load(100, 100.0)}
    assert ahead(Look(2, 3.0, 2), 5, waiting) == Load(5, 9.0)


def test_one_user_s_long_queue_is_told_exactly() -> None:
    look = Look(10, 15.0, 50, range(15, 20))
    assert ahead(look, 5, {5: Load(40, 60.0)}) == Load(40, 60.0)


def test_users_who_queue_alike_are_told_nearly() -> None:
    look = Look(30, 30.0, 40, [tag // 3 for tag in range(15, 30)])
    assert ahead(look, 5, {5: Load(500, 500.0)}).jobs == pytest.approx(3 * 40, rel=0.05)


def test_never_more_than_wait() -> None:
    look = Look(30, 30.0, 1000, [tag // 10 for tag in range(15, 30)])
    assert ahead(look, 5, {5: Load(45, 45.0)}).jobs == 45
    assert ahead(look, 5, {}).jobs == 30


def test_a_size_says_what_a_request_weighs() -> None:
    size = Size("duration", 4.0, 0.75)
    assert size.weight({"duration": 4.0}) == 1.0
    assert size.weight({"duration": 12.0}) == 2.5
    assert size.weight({"duration": 0.0}) == 0.25
    assert size.weight({}) == size.weight({"duration": None}) == 1.0
