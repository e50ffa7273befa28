"""Estimates held against what comes of them, in virtual time."""

from typing import Any

import pytest

from kinesphere.core.catalog import Stage
from tests.service.simulated import User, trial


def stage(name: str = "", batch_limit: int = 1, seconds: tuple[float, float] = (0.0, 3.0)) -> Stage:
    return Stage(name=name, engine="none:None", batch_limit=batch_limit, seconds=seconds)


LOADS: dict[str, dict[str, Any]] = {
    "sizes": {
        "stages": [stage()],
        "truths": [(0.5, 1.0)],
        "replicas": 2,
        "users": [User("ada", 0.7, weights=(0.2, 1.0, 6.0))],
    },
    "users and priorities": {
        "stages": [stage()],
        "truths": [(0.0, 1.0)],
        "replicas": 2,
        "users": [
            User("heavy", 0.9),
            User("ada", 0.3),
            User("bob", 0.3),
            User("urgent", 0.2, priority=9),
            User("patient", 0.1, priority=1),
        ],
    },
    "batches": {
        "stages": [stage(batch_limit=4)],
        "truths": [(2.0, 0.5)],
        "replicas": 1,
        "users": [User("ada", 0.4), User("bob", 0.3), User("urgent", 0.1, priority=8)],
    },
    "two stages": {
        "stages": [stage("shape"), stage("texture")],
        "truths": [(0.0, 0.8), (0.0, 1.0)],
        "replicas": 1,
        "users": [User("ada", 0.5), User("bob", 0.2), User("urgent", 0.05, priority=9)],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADS)
async def test_under_steady_load_the_median_error_is_within_a_quarter(name: str) -> None:
    found = await trial(seconds=900.0, settle=100.0, **LOADS[name])
    told = found.summary()
    print(f"{name}: {told}")
    assert told["jobs"] > 500
    assert told["median_error"] <= 0.25
