"""The claims of one replica: taken, renewed, and settled with a last word to the ledger."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import EventKind, Fail, GiveBack, Moved
from kinesphere.ports import Hold, LedgerUnavailable, Progress, Record, Standing
from kinesphere.worker.held import Held, Seams
from kinesphere.worker.last_words import LONGEST_PAUSE, LastWords, named
from kinesphere.worker.messages import Done

log = logging.getLogger("kinesphere.worker")


class Holding:
    """Every claim that a replica has. `unwanted` is called when one is lost or cancelled."""

    def __init__(
        self,
        seams: Seams,
        pool: str,
        worker: str,
        lease: float,
        unwanted: Callable[[Held], None],
    ) -> None:
        self._seams = seams
        self._pool = pool
        self._worker = worker
        self._lease = lease
        self._unwanted = unwanted
        self._held: dict[str, Held] = {}
        self._words = LastWords(seams, pool, self._look, self._forget)

    @property
    def finished(self) -> int:
        """Jobs whose results the ledger has taken."""
        return self._words.finished

    @property
    def delivery(self) -> float:
        """Typical seconds from a free device to a stored result; 0 before any."""
        return self._words.delivery

    def remaining(self) -> Mapping[str, float]:
        """Expected seconds until each job that runs is delivered, by job id."""
        now = self._seams.clock.monotonic()
        return {
            held.job.id: max(0.0, held.due - now)
            for held in self._held.values()
            if held.due is not None
        }

    def __len__(self) -> int:
        return len(self._held)

    async def claim(self, limit: int) -> list[Held]:
        """Take up to `limit` jobs. Raises LedgerUnavailable. Must not be cancelled halfway."""
        jobs = await self._seams.ledger.claim(self._pool, self._worker, limit, self._lease)
        claimed = [Held(job) for job in jobs]
        for held in claimed:
            # Of a job that is still at work here another claim has been lost.
            if (before := self._held.get(held.job.id)) is not None:
                self._drop(before, Standing.LOST)
            self._held[held.job.id] = held
        if len(jobs) == limit:
            # More may wait than this replica can take: have another one look.
            self._seams.hints.ring(self._pool)
        return claimed

    async def renew(self) -> None:
        """Renew every lease each third of its length, for ever."""
        pause = self._lease / 3.0
        while True:
            await self._seams.clock.sleep(pause)
            pause = self._lease / 3.0
            if not self._held:
                continue
            holds = [Hold(h.job.id, h.job.token, h.progress) for h in self._held.values()]
            asked = dict(self._held)
            try:
                standings = await self._seams.ledger.extend(holds, self._lease)
            except LedgerUnavailable as error:
                log.warning("leases not renewed: %s", error, extra={"action": "renew_failed"})
                pause = min(pause, LONGEST_PAUSE)
                continue
            for job_id, standing in standings.items():
                if standing is Standing.MOVED:
                    # Nobody has renewed the lease in the other's name.
                    pause = 0.0
                    with suppress(LedgerUnavailable):
                        await self._look(asked[job_id])
                elif standing is not Standing.HELD and asked[job_id].job.id == job_id:
                    self._drop(asked[job_id], standing)

    async def listen(self) -> None:
        """Learn of cancellations as they happen, for ever."""
        async with self._seams.feed.listen() as news:
            async for item in news:
                if isinstance(item, Record) and item.event.kind is EventKind.CANCELLED:
                    self._cancelled(item)

    def _cancelled(self, record: Record) -> None:
        held, data = self._held.get(record.job_id), record.event.data
        if held is None:
            return
        heir, token = data.get("heir"), data.get("heir_token")
        if not isinstance(heir, str) or not isinstance(token, int):
            self._drop(held, Standing.CANCELLED)
        elif data.get("token") == held.job.token:
            self._move(held, Moved(heir, token))

    async def _look(self, held: Held) -> None:
        """Ask the ledger whether, and to whom, a claim has moved. Raises LedgerUnavailable."""
        job = held.job
        known = await self._seams.ledger.get(job.id)
        if held.job is not job or known is None or known.moved is None:
            return
        if known.token == job.token:
            self._move(held, known.moved)

    def _move(self, held: Held, to: Moved) -> None:
        """Go on with a run whose job was cancelled in the name of one that wants it still."""
        extra = {"action": "claim_moved", "job_id": to.job_id}
        log.info("claim moved from %s", held.job.id, extra=extra)
        listed = self._held.get(held.job.id) is held
        self._forget(held)
        held.job = replace(held.job, id=to.job_id, token=to.token)
        if listed:
            self._held[to.job_id] = held

    def tell(self, held: Held, fraction: float, phase: str) -> None:
        """Relay the engine's word about how far it is."""
        held.progress = max(held.progress, fraction)
        job = held.job
        self._seams.feed.progress(Progress(job.id, job.token, job.stage, held.progress, phase))

    def finish(self, held: Held, done: Done) -> None:
        """Begin to store the files and to finish the job with them."""
        self._words.finish(held, done)

    def fail(self, held: Held, failure: Failure, *, alone: bool = False) -> None:
        """Begin to tell the ledger that the attempt failed."""
        extra = {**named("attempt_failed", held.job), "error_code": failure.code}
        # The detail may quote a prompt; it is in the event, which `JobLog` tells without.
        log.warning("attempt failed: %s", failure.code, extra=extra)
        self._words.say(held, lambda token: Fail(token, failure, alone))

    def give_back(self, held: Held) -> None:
        """Begin to return the job to the queue, unharmed."""
        self._words.say(held, GiveBack)

    async def settled(self, seconds: float) -> None:
        """Wait up to `seconds` for every last word begun; then give up those that are left.

        What is given up keeps its lease until it lapses.
        """
        await self._words.settled(seconds)

    def _drop(self, held: Held, standing: Standing) -> None:
        # A last word on its way gets its own answer from the ledger; it may be the very reason
        # why the lease is no more.
        if held.settling or not held.wanted:
            return
        held.wanted = False
        self._forget(held)
        if standing is Standing.LOST:
            self._seams.observer.lease_lost(self._pool)
        extra = named(f"claim_{standing.value}", held.job)
        log.info("claim %s", standing.value, extra=extra)
        self._unwanted(held)

    def _forget(self, held: Held) -> None:
        # A claim that was lost may have been followed by a new one of this very replica.
        if self._held.get(held.job.id) is held:
            del self._held[held.job.id]
