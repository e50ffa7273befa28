"""Releases in memory, for a ledger that is there as well."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from kinesphere.core.rollout import Release


class MemoryReleases:
    """See `kinesphere.ports.Releases`. `last_event` tells the `seq` of the ledger's last event."""

    def __init__(self, last_event: Callable[[], int] = lambda: 0) -> None:
        self._last_event = last_event
        self._current: dict[str, Release] = {}

    async def begin(self, release: Release) -> Release | None:
        """See the port."""
        known = self._current.get(release.task)
        if known is not None and not known.over:
            return None
        begun = self._current[release.task] = replace(release, cursor=self._last_event())
        return begun

    async def save(self, release: Release) -> bool:
        """See the port."""
        known = self._current.get(release.task)
        if known is None or (known.id, known.version) != (release.id, release.version - 1):
            return False
        self._current[release.task] = release
        return True

    async def current(self) -> Mapping[str, Release]:
        """See the port."""
        return dict(self._current)
