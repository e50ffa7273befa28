"""Releases of models."""

from collections.abc import Mapping
from typing import Protocol

from kinesphere.core.rollout import Release


class Releases(Protocol):
    """The releases of models, in the store of the ledger.

    Every method is one transaction, committed and synced when it returns. Any number of callers, in
    any number of processes, may call any method at once. All raise LedgerUnavailable.
    """

    async def begin(self, release: Release) -> Release | None:
        """Store a new release, its `cursor` set to the last event that the ledger has.

        None, with nothing stored, while another release of the task is not over.
        """
        ...

    async def save(self, release: Release) -> bool:
        """Store a release in place of its version before, which is 1 less.

        False, with nothing stored, when another version is there: who decided on an old one reads
        the new one and decides again.
        """
        ...

    async def current(self) -> Mapping[str, Release]:
        """The last release of each task that had one, by task."""
        ...
