"""One cluster for all that is done to clusters, started when the first of these tests wants it."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos.rig import Rig, rig

SEED = int(os.environ.get("CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))


@pytest.fixture(scope="session")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One cluster for all tests here."""
    print(f"CHAOS_SEED={SEED}")
    with rig(tmp_path_factory.mktemp("chaos"), SEED) as made:
        yield made


@pytest.fixture
def cluster(shared_rig: Rig) -> Rig:
    """The cluster, with everything running and every link whole."""
    shared_rig.restored()
    for worker in shared_rig.workers:
        worker.process.said("replica_ready")
    return shared_rig
