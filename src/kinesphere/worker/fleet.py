"""The replicas of one server, and the rounds that return lost jobs to the queue."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.ports import Bell, Clock, Ledger, LedgerUnavailable
from kinesphere.worker.supervisor import Replica

REPLACED_AFTER: Final = 1.0
"""Seconds before a replica that ended by a fault of ours is replaced."""

log = logging.getLogger("kinesphere.worker")


@dataclass(slots=True, eq=False)
class _Place:
    pool: str
    number: int
    replica: Replica
    leaving: bool = False
    asleep: bool = False
    task: asyncio.Task[None] | None = None


class Fleet:
    """Runs as many replicas a pool as it is told to.

    `make` builds the replica of a pool with a number that no other replica of this fleet had. Up to
    `sleepers` replicas of each pool are put to sleep rather than drained, where their engine can.
    """

    def __init__(
        self, clock: Clock, make: Callable[[str, int], Replica], sleepers: int = 0
    ) -> None:
        self._clock = clock
        self._make = make
        self._sleepers = sleepers
        self._numbers = count(1)
        self._places: defaultdict[str, list[_Place]] = defaultdict(list)

    def scale(self, pool: str, replicas: int, grace: float) -> None:
        """Start or drain replicas until `replicas` of them serve `pool`.

        Those that are not busy go first, the youngest first; each has `grace` seconds to finish.
        """
        serving = [place for place in self._places[pool] if not place.leaving]
        surplus = len(serving) - replicas
        if surplus > 0:
            for place in sorted(serving, key=_use)[:surplus]:
                place.leaving = True
                place.replica.drain(grace)
        for _ in range(-surplus):
            self._add(pool)

    def resize(self, pool: str, replicas: int, drain: Sequence[str] | None, grace: float) -> None:
        """Start replicas until `replicas` of them serve `pool`, or drain those that are named.

        Without names those that are not busy go first, the youngest first, and never a busy one.
        Those that sleep serve nobody; they are woken before any is started.
        """
        there = [place for place in self._places[pool] if not place.leaving]
        serving = [place for place in there if not place.asleep]
        sleeping = [place for place in there if place.asleep]
        missing = max(0, replicas - len(serving))
        for place in sleeping[:missing]:
            place.asleep = False
            place.replica.wake()
        for _ in range(missing - len(sleeping)):
            self._add(pool)
        surplus = max(0, len(serving) - replicas)
        idle = [p for p in serving if p.replica.status.state is not ReplicaState.BUSY]
        if drain is None:
            leaving = sorted(idle, key=_use)[:surplus]
        else:
            leaving = [p for p in idle if p.replica.status.worker in drain][:surplus]
        room = self._sleepers - len(sleeping)
        for place in leaving:
            if room > 0 and place.replica.can_sleep:
                room -= 1
                place.asleep = True
                place.replica.sleep()
            else:
                place.leaving = True
                place.replica.drain(grace)

    def statuses(self) -> tuple[Status, ...]:
        """How every replica is, those leaving included."""
        return tuple(place.replica.status for place in self._everyone())

    async def drain(self, grace: float) -> None:
        """Drain every replica; returns when none is left."""
        for place in self._everyone():
            place.leaving = True
            place.replica.drain(grace)
        tasks = [place.task for place in self._everyone() if place.task is not None]
        await asyncio.gather(*tasks)

    def _everyone(self) -> Iterator[_Place]:
        return (place for places in tuple(self._places.values()) for place in tuple(places))

    def _add(self, pool: str) -> None:
        number = next(self._numbers)
        place = _Place(pool, number, self._make(pool, number))
        place.task = asyncio.create_task(self._keep(place), name=f"replica {pool} {number}")
        self._places[pool].append(place)

    async def _keep(self, place: _Place) -> None:
        try:
            while True:
                try:
                    await place.replica.run()
                except Exception:
                    extra = {"action": "replica_failed", "pool": place.pool}
                    log.exception("a replica ended by a fault of ours", extra=extra)
                    await self._clock.sleep(REPLACED_AFTER)
                if place.leaving:
                    return
                # One whose process ended in its sleep is started anew, awake.
                place.asleep = False
                place.number = next(self._numbers)
                place.replica = self._make(place.pool, place.number)
        finally:
            self._places[place.pool].remove(place)


def _use(place: _Place) -> tuple[bool, int]:
    return place.replica.status.state is ReplicaState.BUSY, -place.number


class Keeper:
    """Returns jobs with lapsed leases to the queue, and rings again for whatever waits.

    A lapsed lease or a lost hint costs no more than `pause`, the seconds between two rounds.
    """

    def __init__(self, clock: Clock, ledger: Ledger, hints: Bell, pause: float) -> None:
        self._clock = clock
        self._ledger = ledger
        self._hints = hints
        self._pause = pause

    async def run(self) -> None:
        """Do a round after each pause, for ever."""
        while True:
            await self._clock.sleep(self._pause)
            try:
                await self.round()
            except LedgerUnavailable as error:
                log.warning("no round: %s", error, extra={"action": "round_failed"})

    async def round(self) -> None:
        """Reap once, and ring for every pool with waiting jobs. Raises LedgerUnavailable."""
        for job in await self._ledger.reap():
            extra = {"action": "reaped", "job_id": job.id}
            log.warning("lease lapsed or deadline missed: %s", job.state.value, extra=extra)
        for pool, backlog in (await self._ledger.backlogs()).items():
            if backlog.waiting:
                self._hints.ring(pool)
