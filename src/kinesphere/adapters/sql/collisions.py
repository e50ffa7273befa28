"""What may befall a transaction because others write to PostgreSQL at the same time.

Nothing of it says that an operation is wrong: run again, it finds what the other has done. SQLite
lets one transaction in at a time, so there it does not happen.
"""

from typing import Final

from sqlalchemy.exc import DBAPIError

_KNOTS: Final = frozenset({"40P01", "40001"})
"""SQLSTATE of a deadlock and of a serialisation failure."""

_TAKEN: Final = frozenset({"jobs_answering", "keys_pkey"})
"""Unique constraints on what two may want at once. The id of a job is not: that is a mistake."""


class Overtaken(Exception):
    """What the operation read is not so any more."""


class Occupied(Exception):
    """What the operation looks for is there, but another has locked it, and may let it go again.

    The operation has changed nothing, and may be run again.
    """


def knotted(error: Exception) -> bool:
    """Whether transactions waited for each other, and this one was ended."""
    return _state(error) in _KNOTS


def collided(error: Exception) -> bool:
    """Whether the transaction may succeed when it is run again."""
    return isinstance(error, Overtaken) or knotted(error) or _constraint(error) in _TAKEN


def _state(error: Exception) -> str | None:
    # Only PostgreSQL's driver tells it.
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _constraint(error: Exception) -> str | None:
    told = getattr(error.orig, "diag", None) if isinstance(error, DBAPIError) else None
    return getattr(told, "constraint_name", None)
