"""Replicas made known to other processes, and those of other processes known here."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from kinesphere.core.replicas import Status
from kinesphere.ports import Clock, LedgerUnavailable, Presence

LOOK: Final = 0.25
"""Seconds between two looks at one's own replicas; a change of state is told at once."""

RENEW: Final = 3.0
"""Seconds after which a replica is told again though nothing changed."""

PRESENT: Final = 10.0
"""Seconds after which a replica that was not heard of is taken for gone."""

_log = logging.getLogger("kinesphere.worker")


class Announcer:
    """Tells the replicas of this process to all others."""

    def __init__(
        self, presence: Presence, clock: Clock, everyone: Callable[[], Sequence[Status]]
    ) -> None:
        self._presence = presence
        self._clock = clock
        self._everyone = everyone
        self._told: dict[str, tuple[object, ...]] = {}
        self._told_at = float("-inf")

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            try:
                await self.tell()
            except LedgerUnavailable as error:
                _log.warning("replicas not told: %s", error, extra={"action": "announce_failed"})
                await self._clock.sleep(1.0)
            await self._clock.sleep(LOOK)

    async def tell(self) -> None:
        """Tell what changed, or everything when it is time to. Raises LedgerUnavailable."""
        statuses = self._everyone()
        marks = {s.worker: (s.state, s.held, s.batches, s.children) for s in statuses}
        late = self._clock.monotonic() - self._told_at >= RENEW
        changed = [s for s in statuses if late or self._told.get(s.worker) != marks[s.worker]]
        gone = [worker for worker in self._told if worker not in marks]
        if changed:
            await self._presence.announce(changed, self._clock.now())
        if gone:
            await self._presence.withdraw(gone)
        self._told = dict(marks)
        if late:
            self._told_at = self._clock.monotonic()

    async def leave(self) -> None:
        """Say goodbye for all."""
        try:
            await self._presence.withdraw(list(self._told))
        except LedgerUnavailable:
            _log.info("replicas lapse by themselves", extra={"action": "announce_failed"})


class Watch:
    """Knows the replicas of all processes, a second late at most."""

    def __init__(self, presence: Presence, clock: Clock) -> None:
        self._presence = presence
        self._clock = clock
        self._seen: tuple[Status, ...] = ()

    def statuses(self) -> Sequence[Status]:
        """How each replica was when last seen."""
        return self._seen

    async def run(self) -> None:
        """Look for ever. While the ledger is away, what was seen last stays."""
        while True:
            try:
                await self.look()
            except LedgerUnavailable as error:
                _log.warning("replicas not seen: %s", error, extra={"action": "watch_failed"})
            await self._clock.sleep(1.0)

    async def look(self) -> None:
        """Look once. Raises LedgerUnavailable."""
        self._seen = await self._presence.present(PRESENT, self._clock.now())
