"""What goes in and out of the use cases."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Model
from kinesphere.core.identity import Scope
from kinesphere.core.jobs import ArtifactRef, Job
from kinesphere.core.sharing import Share
from kinesphere.ports import Backlog, Planned, PoolStatus


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        user: Whose the jobs are.
        request_id: Id of the request.
        scopes: What he may do.
        anonymous: Whether anybody may be behind the name.
        trace: W3C `traceparent` of the request, or "".
    """

    user: str
    request_id: str = ""
    scopes: frozenset[Scope] = frozenset({Scope.GENERATE})
    anonymous: bool = False
    trace: str = ""

    @property
    def operator(self) -> bool:
        """Whether everybody's jobs are shown."""
        return Scope.OPERATE in self.scopes


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that was taken, when it is expected, and whether it is new."""

    job: Job
    eta: Estimate | None
    created: bool


@dataclass(frozen=True, slots=True)
class Remote:
    """A picture that is yet to be fetched.

    Attributes:
        url: Where it is; with an idempotency key, what tells it from others.
        fetch: Gets it, or raises Rejected.
    """

    url: str
    fetch: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Link:
    """Where to download one artifact, until when."""

    artifact: ArtifactRef
    url: str
    expires: float


@dataclass(frozen=True, slots=True)
class Recent:
    """What a pool's model did lately, runs that others were served from left out.

    Attributes:
        seconds: Of how long this tells.
        succeeded: Jobs that were made.
        failed: Jobs that failed.
        p50: Median of the seconds from acceptance to success, or None where none was made.
        p95: Of which one in twenty took longer, or None.
    """

    seconds: float
    succeeded: int
    failed: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as an operator sees it.

    Attributes:
        name: Its name.
        model: The model that it runs a stage of.
        status: Its replicas.
        backlog: What it has to do.
        plan: What the scaler decided last, or None where no policy scales it.
        recent: What its model did lately.
        price: An hour of its replicas as they are now, or None where no price is known.
        currency: Of the price, or "" where nobody says.
    """

    name: str
    model: Model
    status: PoolStatus
    backlog: Backlog
    plan: Planned | None
    recent: Recent
    price: float | None
    currency: str

    @property
    def asset_price(self) -> float | None:
        """What one asset cost this pool lately, idle time included; None where none was made."""
        if self.price is None or not self.recent.succeeded:
            return None
        return self.price * self.recent.seconds / 3600.0 / self.recent.succeeded


@dataclass(frozen=True, slots=True)
class Terms:
    """The service's own limits.

    Attributes:
        link_seconds: How long a download link lives, in seconds.
        user_queue: Jobs that one user may have waiting and running; 0 for any number.
        max_queue: Jobs that may wait in one pool.
        max_wait: Seconds that a new job may have to wait until it begins, or None for any.
        defunct_retry: Seconds after which a pool that nobody serves may be asked again; its
            replicas try to start as often.
        cache_share: Who is served what others have had made.
        picture_bytes: Largest file of a picture.
        picture_pixels: Most pixels of a picture.
        lite_wait: Seconds to wait for a model from which its lighter form takes short motions.
    """

    link_seconds: float = 3600.0
    user_queue: int = 0
    max_queue: int = 10_000
    max_wait: float | None = None
    defunct_retry: float = 60.0
    cache_share: Share = "everyone"
    picture_bytes: int = 20_971_520
    picture_pixels: int = 50_000_000
    lite_wait: float = 10.0


@dataclass(frozen=True, slots=True)
class Content:
    """A whole file: its name, its media type, its bytes."""

    name: str
    media_type: str
    data: bytes
