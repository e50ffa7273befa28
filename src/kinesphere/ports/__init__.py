"""The seams of the platform. Each protocol's docstring is its specification.

Adapters are judged by one contract suite a port, in `tests/contracts/`. Times are seconds since
the epoch (UTC) unless a name says otherwise.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from kinesphere.ports.artifacts import (
    ArtifactMissing,
    Artifacts,
    LinkExpired,
    LinkInvalid,
    SignedFiles,
    StorageFailed,
)
from kinesphere.ports.callers import (
    Allowance,
    KeyQuery,
    Keys,
    Limits,
    Quota,
    TokenRefused,
    Tokens,
    TokensUnavailable,
)
from kinesphere.ports.clock import Clock
from kinesphere.ports.engine import (
    LOAD_PHASES,
    Engine,
    File,
    Made,
    Outcome,
    SetUp,
    Sleeps,
    TellsMemory,
    TellsSetUp,
    Work,
)
from kinesphere.ports.errands import ErrandFailed, Errands
from kinesphere.ports.ledger import (
    LINE_LOOK,
    SEARCH_LOOK,
    Backlog,
    Found,
    Hold,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    JobUnknown,
    Ledger,
    LedgerUnavailable,
    Line,
    Queued,
    Record,
    Standing,
    Submission,
)
from kinesphere.ports.news import Bell, Feed, Hints, Progress, Turn, TurnNews
from kinesphere.ports.outbox import Outbox

if TYPE_CHECKING:
    from kinesphere.ports.releases import Releases
    from kinesphere.ports.replicas import Planned, Plans, Pools, PoolStatus, Presence

_WHEN_ASKED_FOR: Final = {
    "Releases": "releases",
    "Planned": "replicas",
    "Plans": "replicas",
    "Pools": "replicas",
    "PoolStatus": "replicas",
    "Presence": "replicas",
}
"""With them come the policies of scaling and of releases: two thirds of what a replica's process
would import, which needs neither."""

__all__ = [
    "LINE_LOOK",
    "LOAD_PHASES",
    "SEARCH_LOOK",
    "Allowance",
    "ArtifactMissing",
    "Artifacts",
    "Backlog",
    "Bell",
    "Clock",
    "Engine",
    "ErrandFailed",
    "Errands",
    "Feed",
    "File",
    "Found",
    "Hints",
    "Hold",
    "IdempotencyConflict",
    "IdempotencyKey",
    "JobQuery",
    "JobUnknown",
    "KeyQuery",
    "Keys",
    "Ledger",
    "LedgerUnavailable",
    "Limits",
    "Line",
    "LinkExpired",
    "LinkInvalid",
    "Made",
    "Outbox",
    "Outcome",
    "Planned",
    "Plans",
    "PoolStatus",
    "Pools",
    "Presence",
    "Progress",
    "Queued",
    "Quota",
    "Record",
    "Releases",
    "SetUp",
    "SignedFiles",
    "Sleeps",
    "Standing",
    "StorageFailed",
    "Submission",
    "TellsMemory",
    "TellsSetUp",
    "TokenRefused",
    "Tokens",
    "TokensUnavailable",
    "Turn",
    "TurnNews",
    "Work",
]


# Hidden from mypy, to which a module with it has every name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _WHEN_ASKED_FOR:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_WHEN_ASKED_FOR[name]}"), name)
