"""Idempotency keys within one transaction: which job each led to, and for how long that holds."""

from collections.abc import Callable, Collection
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from kinesphere.adapters.sql import direct, schema
from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.collisions import Overtaken
from kinesphere.adapters.sql.parts import parts
from kinesphere.adapters.sql.rows import key_name
from kinesphere.core.jobs import Job
from kinesphere.ports import IdempotencyKey

_KEYS: Final = schema.keys.c

KNOWN: Final = select(_KEYS.name, _KEYS.digest, _KEYS.job_id, _KEYS.created_at).where(
    _KEYS.name.in_(bindparam("names", expanding=True))
)


class Keys:
    """The keys that a transaction has read and those that it will write.

    Args:
        connection: Within the transaction.
        seconds: How long a key leads to its job.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._bulk = bulk(connection.dialect)
        self._seconds = seconds
        self._read: dict[str, tuple[str, str, float] | None] = {}
        self._new: dict[str, dict[str, Any]] = {}

    def load(self, names: Collection[str]) -> list[str]:
        """Read these keys, and tell the jobs that they led to."""
        self._read.update(dict.fromkeys(names))
        for some in parts(names):
            for row in direct.rows(self._connection, KNOWN, {"names": some}):
                self._read[row.name] = (row.digest, row.job_id, row.created_at)
        return [found[1] for name in names if (found := self._read[name]) is not None]

    def known(self, user: str, key: str, now: Callable[[], float]) -> tuple[str, str] | None:
        """The digest and job id that this key led to, unless that is too long ago."""
        name = key_name(user, key)
        if name not in self._read:
            self.load([name])
        found = self._read[name]
        if found is None or found[2] <= now() - self._seconds:
            return None
        return found[:2]

    def remember(self, job: Job, key: IdempotencyKey, now: float) -> None:
        """Take note that this key led to this job."""
        name = key_name(job.user, key.key)
        self._read[name] = (key.digest, job.id, now)
        self._new[name] = {
            "name": name,
            "digest": key.digest,
            "job_id": job.id,
            "created_at": now,
            "since": now - self._seconds,
        }

    def clear(self) -> None:
        """Forget what was read: jobs were removed, and their keys with them."""
        self._read.clear()

    def flush(self) -> None:
        """Store the new ones. Raises Overtaken where another transaction was faster."""
        rows = [self._new[name] for name in sorted(self._new)]
        if self._bulk.remember(self._connection, rows) < len(rows):
            raise Overtaken("another submit has used an idempotency key meanwhile")
        self._new.clear()
