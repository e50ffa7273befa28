"""What people say of pairs: a canary's result beside the stable model's, which is which untold."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kinesphere.core.jobs import Job, State

KEPT: Final = 1_000
"""Ratings that are remembered one by one, so that a pair is counted once for each who rates it."""

_CHOSEN: Final = frozenset({"model", "format"})
"""Fields of a request in which the two of a pair may differ."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """How often each was better.

    Attributes:
        stable: Pairs of which the stable model's was.
        canary: Pairs of which the canary's was.
        same: Pairs of which neither was.
        given: Digests of who rated what, the last `KEPT`.
    """

    stable: int = 0
    canary: int = 0
    same: int = 0
    given: tuple[str, ...] = ()

    def rated(self, user: str, pair: Mapping[str, Job], better: str | None) -> "Ratings":
        """With one more; `pair` by arm, "stable" and "canary", `better` the arm or None.

        What this user has said of this pair before stays as it was.
        """
        ids = sorted(job.id for job in pair.values())
        digest = hashlib.sha256("\n".join([user, *ids]).encode()).hexdigest()[:16]
        if digest in self.given:
            return self
        arm = better or "same"
        given = (*self.given, digest)[-KEPT:]
        return replace(self, given=given, **{arm: getattr(self, arm) + 1})


def comparable(one: Job, other: Job) -> bool:
    """Whether both made the same of the same, but for the model."""
    asked = [
        {name: value for name, value in job.request.items() if name not in _CHOSEN}
        for job in (one, other)
    ]
    pictures = [[file.digest for file in job.inputs] for job in (one, other)]
    done = one.state is other.state is State.SUCCEEDED
    return done and one.task == other.task and asked[0] == asked[1] and pictures[0] == pictures[1]
