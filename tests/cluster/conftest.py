"""One small cluster for the tests of this folder: real servers, every role in its own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.onebox.cluster import Cluster, cluster

from tests.observability.receivers import Receiver, receiver

SETTINGS = {
    "KINESPHERE_RATE_LIMIT": "0",
    "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
    "KINESPHERE_WEBHOOK_ALLOW": "127.0.0.1",
}


@pytest.fixture(scope="session")
def collector() -> Iterator[Receiver]:
    """Where its processes send their traces."""
    with receiver() as heard:
        yield heard


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, collector: Receiver) -> Iterator[Cluster]:
    """Two APIs, a sweeper and a worker of choreo."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    settings = SETTINGS | {"KINESPHERE_OTLP_ENDPOINT": collector.url}
    with cluster(folder, settings) as made:
        made.api()
        made.api()
        made.sweeper()
        made.worker("choreo")
        made.ready()
        yield made
