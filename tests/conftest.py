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
    """Begin with what takes longest, whatever the order was shuffled to.

    Else one process would be left with it at the end, and the other with nothing.
    """
    items.sort(key=lambda item: _place(_group(Path(item.nodeid.partition("::")[0]))))


_LONG = (
    "cluster",
    "studio",
    "observability",
    "tests/deploy/test_image.py",
    "tests/engines/hunyuan3d",
)


def _place(group: str) -> int:
    places = (place for place, name in enumerate(_LONG) if group.startswith(name))
    return next(places, len(_LONG))


def _group(path: Path) -> str:
    if path.is_relative_to("tests/cluster") or path.match("chaos/test_cluster_*.py"):
        return "cluster"
    # One server, one Prometheus, for all of them; and one browser for those of the studio.
    shared = (name for name in ("observability", "studio") if path.is_relative_to(f"tests/{name}"))
    return next(shared, str(path))
