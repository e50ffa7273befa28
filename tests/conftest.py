"""How the tests are divided between processes.

A file stays together, so that what its tests share is started once. So does all that needs a
cluster, for the same reason, and begins first, because it takes longest.
"""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class ByGroup(LoadScopeScheduling):
    """Gives a process one group after the other, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return _group(Path(nodeid.partition("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    """See xdist."""
    return ByGroup(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the cluster, whatever the order was shuffled to."""
    items.sort(key=lambda item: _group(Path(item.nodeid.partition("::")[0])) != "cluster")


def _group(path: Path) -> str:
    if path.is_relative_to("tests/cluster") or path.match("chaos/test_cluster_*.py"):
        return "cluster"
    # One server, one Prometheus, for all of them.
    return "observability" if path.is_relative_to("tests/observability") else str(path)
