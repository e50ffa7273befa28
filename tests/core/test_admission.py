"""Estimates of when a job is done."""

from kinesphere.core.admission import Service, estimate

ONE_BY_ONE = Service(fixed=0.0, per_job=10.0, batch_limit=1)
BATCHED = Service(fixed=2.0, per_job=1.0, batch_limit=4)


def test_an_idle_pool_takes_the_time_of_one_batch() -> None:
    assert estimate(ONE_BY_ONE, 0, 0, 1, 5.0).seconds == 10.0
    assert estimate(BATCHED, 0, 0, 1, 5.0).seconds == 3.0


def test_the_queue_is_shared_among_the_replicas() -> None:
    assert estimate(ONE_BY_ONE, 4, 0, 1, 5.0).seconds == 50.0
    assert estimate(ONE_BY_ONE, 4, 0, 5, 5.0).seconds == 10.0


def test_running_batches_are_half_done() -> None:
    assert estimate(ONE_BY_ONE, 0, 1, 1, 5.0).seconds == 15.0
    assert estimate(ONE_BY_ONE, 0, 1, 2, 5.0).seconds == 10.0


def test_a_job_joins_the_last_batch() -> None:
    found = estimate(BATCHED, 5, 0, 1, 5.0)
    assert found.seconds == BATCHED.batch_seconds(4) + BATCHED.batch_seconds(2)
    assert found.batch_seconds == BATCHED.batch_seconds(2)
    assert found.ahead == 5


def test_a_pool_that_starts_up_adds_its_start() -> None:
    assert estimate(ONE_BY_ONE, 0, 0, 0, 5.0).seconds == 15.0
