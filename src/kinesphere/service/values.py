"""What goes in and out of the use cases."""

from dataclasses import dataclass

from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Model
from kinesphere.core.jobs import ArtifactRef, Job
from kinesphere.ports import Backlog, PoolStatus


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        user: Whose the jobs are.
        request_id: Id of the request.
        operator: Whether everybody's jobs are shown.
    """

    user: str
    request_id: str = ""
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that was taken, when it is expected, and whether it is new."""

    job: Job
    eta: Estimate | None
    created: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Where to download one artifact, until when."""

    artifact: ArtifactRef
    url: str
    expires: float


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as an operator sees it."""

    name: str
    model: Model
    status: PoolStatus
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class Terms:
    """The service's own limits.

    Attributes:
        link_seconds: How long a download link lives, in seconds.
        max_queue: Jobs that may wait in one pool.
        picture_bytes: Largest file of a picture.
        picture_pixels: Most pixels of a picture.
    """

    link_seconds: float = 3600.0
    max_queue: int = 10_000
    picture_bytes: int = 20_971_520
    picture_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """A whole file: its name, its media type, its bytes."""

    name: str
    media_type: str
    data: bytes
