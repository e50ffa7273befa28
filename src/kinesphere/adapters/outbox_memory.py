"""The outbox of the ledger in this process's memory."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from kinesphere.core.jobs import Job
from kinesphere.core.webhooks import Answer, Delivery, DeliveryState, Schedule, begun, owed, settled
from kinesphere.ports import Clock, Record


class MemoryOutbox:
    """See `kinesphere.ports.Outbox`. `opened` raises when the ledger is closed."""

    def __init__(self, clock: Clock, opened: Callable[[], None]) -> None:
        self._clock = clock
        self._opened = opened
        self._pending: dict[str, Delivery] = {}
        self._all: defaultdict[str, dict[str, Delivery]] = defaultdict(dict)

    def enter(self, job: Job, record: Record) -> None:
        """Keep what this event makes us owe."""
        delivery = owed(job, record.event.kind.value, record.seq, record.at)
        if delivery is not None:
            self._keep(delivery)

    def forget(self, job_id: str) -> None:
        """Drop what is owed for a job."""
        for number in self._all.pop(job_id, ()):
            self._pending.pop(number, None)

    async def claim(
        self, limit: int, lease: float, busy: Mapping[str, int], per_host: int
    ) -> tuple[Delivery, ...]:
        """See the port."""
        self._opened()
        now = self._clock.now()
        under_way = Counter(busy)
        taken: list[Delivery] = []
        for delivery in sorted(self._pending.values(), key=lambda d: (d.due_at, d.id)):
            if delivery.due_at > now or len(taken) >= limit:
                break
            if under_way[delivery.host] < per_host:
                under_way[delivery.host] += 1
                taken.append(begun(delivery, now, lease))
        for delivery in taken:
            self._keep(delivery)
        return tuple(taken)

    async def settle(
        self, delivery: Delivery, answer: Answer, schedule: Schedule, chance: float
    ) -> Delivery | None:
        """See the port."""
        self._opened()
        known = self._pending.get(delivery.id)
        if known is None or known.attempts != delivery.attempts:
            return None
        after = settled(delivery, answer, self._clock.now(), schedule, chance)
        self._keep(after)
        return after

    async def due_in(self, full: Collection[str] = ()) -> float | None:
        """See the port."""
        self._opened()
        times = [d.due_at for d in self._pending.values() if d.host not in full]
        return max(0.0, min(times) - self._clock.now()) if times else None

    async def latest(self, job_ids: Collection[str]) -> Mapping[str, Delivery]:
        """See the port."""
        self._opened()
        return {i: list(self._all[i].values())[-1] for i in job_ids if i in self._all}

    async def release(self) -> int:
        """See the port."""
        self._opened()
        held = [delivery for delivery in self._pending.values() if delivery.held]
        for delivery in held:
            self._keep(replace(delivery, held=False, due_at=self._clock.now()))
        return len(held)

    def _keep(self, delivery: Delivery) -> None:
        self._all[delivery.job_id][delivery.id] = delivery
        if delivery.state is DeliveryState.PENDING:
            self._pending[delivery.id] = delivery
        else:
            self._pending.pop(delivery.id, None)
