"""Group commit: one thread writes for everybody, and syncs once for all who wait.

When the thread becomes free it takes every operation that waits, runs them in one transaction,
commits, and only then answers. An operation that is refused leaves nothing behind. One that fails
otherwise has spoilt the transaction: it is rolled back and each operation is run again by itself.

On PostgreSQL other processes write at the same time. A group that collides with one of theirs is
run again (see `collisions`), in halves where transactions waited for each other.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

from kinesphere.adapters.sql.collisions import Occupied, Overtaken, collided, knotted
from kinesphere.adapters.sql.engines import WRITING, Transactions
from kinesphere.adapters.sql.transaction import Reads, Transaction
from kinesphere.core.jobs import Refused
from kinesphere.ports import Feed, IdempotencyConflict, JobUnknown, LedgerUnavailable, Record

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

GROUP_LIMIT: Final = 1_000
"""Operations in one transaction, but for what was asked for in one turn of the loop: a bound on
what the first of them waits for the others."""

TRIES: Final = 10
"""How often a group, or what is left of it, is run again before it is given up."""

PAUSE: Final = 0.01
"""Seconds until an operation looks again for what another had locked: a transaction or two."""

_REFUSALS: Final = (Refused, JobUnknown, IdempotencyConflict)
_AT_FAULT: Final = (IntegrityError, DataError, ProgrammingError, NotSupportedError)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Result]):
    """A piece of work for the writer.

    Attributes:
        run: Decides, then changes.
        reads: What it will read, for the group to read together.
        answer: Where the result goes, on the event loop.
        tries: How often it was run again because what it looks for was locked.
    """

    run: Callable[[Transaction], Result]
    reads: Reads
    answer: "asyncio.Future[Result]"
    tries: int = 0


_Group: TypeAlias = "Sequence[Operation[Any]]"
_Outcome: TypeAlias = "tuple[Any, BaseException | None]"


class Writer:
    """Runs operations in groups, tells the feed, and answers, in this order."""

    def __init__(
        self, engine: Engine, begin: Callable[[Connection], Transaction], announce: Feed
    ) -> None:
        self._engine = engine
        self._transactions = Transactions(engine, WRITING)
        self._begin = begin
        self._announce = announce
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[Operation[Any]]] = SimpleQueue()
        self._gathered: list[Operation[Any]] = []
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def write(self, run: Callable[[Transaction], Result], reads: Reads) -> Result:
        """What `run` returned, once that is committed and told. The write may outlive a caller."""
        answer: asyncio.Future[Result] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._pass_on)
        self._gathered.append(Operation(run, reads, answer))
        return await answer

    def _pass_on(self) -> None:
        """Give the thread what was asked for in this turn of the loop.

        One at a time it would begin with the first, and have the rest wait for a commit more.
        """
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    async def close(self) -> None:
        """Finish what was begun. Nothing may be written any more."""
        self._closing = True
        if self._gathered:
            self._pass_on()
        self._queue.put([])
        await asyncio.to_thread(self._thread.join)
        # The last answers were handed to the loop before the thread ended.
        await asyncio.sleep(0)

    def _work(self) -> None:
        while group := self._group():
            self._write(self._in_order(group))
        self._transactions.close()

    def _group(self) -> list[Operation[Any]]:
        """All that waits, once something does; nothing when the writer closes."""
        group = list(self._queue.get())
        with suppress(Empty):
            while group and len(group) < GROUP_LIMIT:
                more = self._queue.get_nowait()
                if not more:
                    # The end, which is for the next look.
                    self._queue.put(more)
                    break
                group += more
        return group

    def _in_order(self, group: _Group) -> _Group:
        """The order in which a group asked at once is run."""
        if self._engine.dialect.name == "sqlite":
            return group
        # Those that search wait for nobody, so they go when all that others may hold is locked.
        return sorted(group, key=lambda operation: operation.reads.searches)

    def _write(self, group: _Group, tries: int = 0, *, waits: bool = False) -> None:
        try:
            records, outcomes = self._transact(group, waits)
        except Exception as error:
            if collided(error) and tries < TRIES:
                half = len(group) // 2 if tries or knotted(error) else 0
                for part in filter(None, (group[:half], group[half:])):
                    self._write(part, tries + 1, waits=waits)
            elif _is_down(error):
                self._engine.dispose()
                _LOG.warning("the ledger cannot be written: %s", error)
                reason = str(error)
                self._hand_over(group, (), [(None, LedgerUnavailable(reason)) for _ in group])
            elif len(group) == 1:
                self._hand_over(group, (), [(None, error)])
            else:
                _LOG.warning("one of %d operations failed; each is tried alone", len(group))
                for operation in group:
                    self._write([operation])
        else:
            self._hand_over(group, records, outcomes)
            for operation, (_, refusal) in zip(group, outcomes, strict=True):
                if isinstance(refusal, Occupied):
                    self._postpone(operation)

    def _postpone(self, operation: Operation[Any]) -> None:
        """Run it again a little later; when it has come in vain too often, let it wait its turn."""
        if operation.tries >= TRIES:
            self._write([operation], waits=True)
            return
        again = replace(operation, tries=operation.tries + 1)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.call_later, PAUSE, self._again, again)

    def _again(self, operation: Operation[Any]) -> None:
        if not self._closing:
            self._queue.put([operation])
        elif not operation.answer.done():
            operation.answer.set_exception(LedgerUnavailable("the ledger is closed"))

    def _transact(self, group: _Group, waits: bool) -> tuple[Sequence[Record], Sequence[_Outcome]]:
        outcomes: list[_Outcome] = []
        with self._transactions.begin() as connection:
            transaction = self._begin(connection)
            transaction.waits = waits
            transaction.load(operation.reads for operation in group)
            for operation in group:
                try:
                    outcomes.append((operation.run(transaction), None))
                except (*_REFUSALS, Occupied) as refusal:
                    outcomes.append((None, refusal))
            transaction.flush()
        return transaction.records, outcomes

    def _hand_over(
        self, group: _Group, records: Sequence[Record], outcomes: Sequence[_Outcome]
    ) -> None:
        # A loop that is closed has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell, group, records, outcomes)

    def _tell(self, group: _Group, records: Sequence[Record], outcomes: Sequence[_Outcome]) -> None:
        if records:
            self._announce.publish(records)
        for operation, (result, error) in zip(group, outcomes, strict=True):
            if operation.answer.done() or isinstance(error, Occupied):
                continue
            if error is None:
                operation.answer.set_result(result)
            else:
                operation.answer.set_exception(error)


def _is_down(error: Exception) -> bool:
    """Whether the store is at fault (locked, full, unreachable, damaged), not the operation."""
    if isinstance(error, Overtaken):
        return True
    return isinstance(error, DBAPIError) and not isinstance(error, _AT_FAULT)
