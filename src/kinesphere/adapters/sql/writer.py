"""Group commit: one thread writes for everybody, and syncs once for all who wait.

When the thread becomes free it takes every operation that waits, runs them in one transaction,
commits, and only then answers. An operation that is refused leaves nothing behind. One that fails
otherwise has spoilt the transaction: it is rolled back and each operation is run again by itself.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
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

from kinesphere.adapters.sql.transaction import Reads, Transaction
from kinesphere.core.jobs import Refused
from kinesphere.ports import Feed, IdempotencyConflict, JobUnknown, LedgerUnavailable, Record

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

GROUP_LIMIT: Final = 1_000
"""Operations in one transaction: a bound on what the first of them waits for the others."""

_REFUSALS: Final = (Refused, JobUnknown, IdempotencyConflict)
_AT_FAULT: Final = (IntegrityError, DataError, ProgrammingError, NotSupportedError)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Result]):
    """A piece of work for the writer.

    Attributes:
        run: Decides, then changes.
        reads: What it will read, for the group to read together.
        answer: Where the result goes, on the event loop.
    """

    run: Callable[[Transaction], Result]
    reads: Reads
    answer: "asyncio.Future[Result]"


_Group: TypeAlias = "Sequence[Operation[Any]]"
_Outcome: TypeAlias = "tuple[Any, BaseException | None]"


class Writer:
    """Runs operations in groups, tells the feed, and answers, in this order."""

    def __init__(
        self, engine: Engine, begin: Callable[[Connection], Transaction], announce: Feed
    ) -> None:
        self._engine = engine
        self._begin = begin
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Operation[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def write(self, run: Callable[[Transaction], Result], reads: Reads) -> Result:
        """What `run` returned, once that is committed and told. The write may outlive a caller."""
        answer: asyncio.Future[Result] = self._loop.create_future()
        self._queue.put(Operation(run, reads, answer))
        return await answer

    async def close(self) -> None:
        """Finish what was begun. Nothing may be written any more."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        # The last answers were handed to the loop before the thread ended.
        await asyncio.sleep(0)

    def _work(self) -> None:
        going = True
        while going:
            group = [self._queue.get()]
            with suppress(Empty):
                while len(group) < GROUP_LIMIT:
                    group.append(self._queue.get_nowait())
            operations = [operation for operation in group if operation is not None]
            going = len(operations) == len(group)
            if operations:
                self._write(operations)

    def _write(self, group: _Group) -> None:
        try:
            records, outcomes = self._transact(group)
        except Exception as error:
            if _is_down(error):
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

    def _transact(self, group: _Group) -> tuple[Sequence[Record], Sequence[_Outcome]]:
        outcomes: list[_Outcome] = []
        with self._engine.begin() as connection:
            transaction = self._begin(connection)
            transaction.load(operation.reads for operation in group)
            for operation in group:
                try:
                    outcomes.append((operation.run(transaction), None))
                except _REFUSALS as refusal:
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
            if operation.answer.done():
                continue
            if error is None:
                operation.answer.set_result(result)
            else:
                operation.answer.set_exception(error)


def _is_down(error: Exception) -> bool:
    """Whether the store is at fault (locked, full, unreachable, damaged), not the operation."""
    return isinstance(error, DBAPIError) and not isinstance(error, _AT_FAULT)
