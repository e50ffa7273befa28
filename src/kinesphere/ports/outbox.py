"""Webhooks that are owed."""

from collections.abc import Collection, Mapping
from typing import Protocol

from kinesphere.core.webhooks import Answer, Delivery, Schedule


class Outbox(Protocol):
    """Webhooks that are owed, in the store of the ledger.

    The ledger enters a delivery in the same transaction as each event that ends a job with a
    webhook, and deletes it with the job. So there is one for every such end, and none for what was
    not committed. Any number of callers, in any number of processes, may call any method at once.
    All methods raise LedgerUnavailable.
    """

    async def claim(
        self, limit: int, lease: float, busy: Mapping[str, int], per_host: int
    ) -> tuple[Delivery, ...]:
        """Take up to `limit` due deliveries for `lease` seconds, those due longest first.

        Of one host at most `per_host`, less those that `busy` says the caller has under way, so
        that a receiver that does not answer holds up nobody but itself. Each claim raises
        `attempts`. One that is not settled within its lease is due again: its claimer has died.
        """
        ...

    async def settle(
        self, delivery: Delivery, answer: Answer, schedule: Schedule, chance: float
    ) -> Delivery | None:
        """Store what came of an attempt, as `kinesphere.core.webhooks.settled` decides.

        Returns what is stored, or None, with nothing stored, when the claim was lost.
        """
        ...

    async def due_in(self, full: Collection[str] = ()) -> float | None:
        """Seconds until a delivery to a host not in `full` is due, 0 at least; None without one."""
        ...

    async def latest(self, job_ids: Collection[str]) -> Mapping[str, Delivery]:
        """The last delivery of each of these jobs that has one."""
        ...

    async def release(self) -> int:
        """Make all that is held due now, and tell how many: who held it is known to have died."""
        ...
