"""How the tests are divided between processes."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays together, so that what its tests share is started once.

    All that needs a cluster is one group, for the same reason, and begins first: it takes longest.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path.relative_to(HERE))))
    items.sort(key=lambda item: _group(item.path.relative_to(HERE)) != "cluster")


def _group(path: Path) -> str:
    if path.parts[0] == "cluster" or path.match("chaos/test_cluster_*.py"):
        return "cluster"
    # One server, one Prometheus, for all of them.
    return "observability" if path.parts[0] == "observability" else path.as_posix()
