"""What the server tells, as values. Fields that a newer server adds are passed over."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import msgspec

from kinesphere.client.errors import UnexpectedAnswer
from kinesphere.core.jobs import TERMINAL

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which model made it, in which version, and whether it only stands in for a device."""

    name: str
    version: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Which of its stages a job is in: index from 0, how many there are, the pool that runs it."""

    index: int = 0
    count: int = 1
    pool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a job has made.

    Attributes:
        name: Such as "motion.bvh".
        media_type: Its media type.
        size: Bytes.
        sha256: Of the whole file, lower-case hexadecimal.
        stage: Index of the stage that made it.
        url: Signed link, good until `expires_at`; a download asks for a fresh one when needed.
        expires_at: When the link stops working.
        job_id: The job that made it.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    url: str
    stage: int = 0
    expires_at: datetime | None = None
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtaBasis:
    """What an expected time rests on.

    Attributes:
        ahead: Jobs that wait before it in its pool.
        work_ahead_seconds: Seconds of one replica's work before it, over all its stages.
        replicas: Replicas ready to serve its pool.
        service_seconds: Seconds of its own batches and deliveries.
        measured: Whether speeds were measured, or are first guesses.
    """

    ahead: int = 0
    work_ahead_seconds: float = 0.0
    replicas: int = 0
    service_seconds: float = 0.0
    measured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """When a job is expected to be done: at what time, in how many seconds, and why so."""

    time: datetime
    seconds: float
    basis: EtaBasis = field(default_factory=EtaBasis)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job, or its last attempt, failed; whose fault it is, and whether a retry may help."""

    error_code: str
    detail: str = ""
    fault: str = ""
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWebhook:
    """Who is told of a job's end, and how that goes.

    Attributes:
        url: Who.
        id: The `webhook-id` of the last delivery.
        state: "waiting" until the job has ended, then "pending", "delivered", "gone",
            "forbidden" or "given_up".
        attempts: Begun so far.
        last_status: HTTP status of the receiver's last answer.
        last_error: Why the last attempt failed.
        next_attempt_at, delivered_at: Where there is one.
    """

    url: str
    id: str | None = None
    state: str = "waiting"
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it was when the server told of it.

    Attributes:
        id: ULID.
        task: "motion" or "mesh".
        state: "queued", "running", "succeeded", "failed", "cancelled" or "expired".
        model: Which model makes it.
        created_at: When it was accepted.
        stage: Which stage it is in.
        progress: 0 to 1 over all stages.
        phase: What the engine is doing, in a word; may be empty.
        request: As accepted, the seed filled in.
        priority: 0 to 9.
        attempts: Of the present stage so far.
        routed: Why this model: "pinned", "default", "release" or "lite".
        cached: Whether it was served what had been made before.
        joined: Whether it shares the run of an equal request.
        started_at, finished_at, deadline: Where there is one.
        eta: While it has not ended.
        artifacts: What it has made.
        notes: What the engine says of the result, such as `understood` and `ignored`.
        error: Why it, or its last attempt, failed.
        webhook: Who is told of its end, where that was asked for.
    """

    id: str
    task: str
    state: str
    model: ModelRef
    created_at: datetime
    stage: Stage = field(default_factory=Stage)
    progress: float = 0.0
    phase: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    priority: int = 5
    attempts: int = 0
    routed: str = "default"
    cached: bool = False
    joined: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    eta: Eta | None = None
    artifacts: tuple[Artifact, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    error: JobError | None = None
    webhook: JobWebhook | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the server serves, with its limits. Durations in seconds."""

    name: str
    version: str
    task: str
    title: str = ""
    formats: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    max_words: int = 0
    max_cjk: int = 0
    min_duration: float | None = None
    max_duration: float | None = None
    min_faces: int | None = None
    max_faces: int | None = None
    sides: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    default: bool = False
    embedded: bool = False
    simulated: bool = False
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica: where its engine is, and how it was fitted and started. Sizes in bytes."""

    name: str
    state: str = ""
    since: datetime | None = None
    device: str = ""
    device_name: str = ""
    device_bytes: int | None = None
    device_bytes_taken: int | None = None
    memory_bytes: int = 0
    profile: str = ""
    profile_source: str = ""
    batch_limit: int | None = None
    start_seconds: dict[str, float] = field(default_factory=dict)
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool: its replicas by state, and what waits for them. Times in seconds."""

    name: str
    model: ModelRef
    replicas: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    running: int = 0
    oldest_wait: float | None = None
    batch_limit: int = 1
    batch_seconds: float = 0.0
    measured: bool = False
    detail: str = ""
    members: tuple[Replica, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the server can take work; if not, why, by pool."""

    status: str
    pools: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can."""
        return self.status == "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    Attributes:
        name: Such as "claimed", "progress" or "succeeded".
        id: Id of the last stored event, to go on after; None before the first.
        data: Its facts.
    """

    name: str
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is: its state as far as events have told, 0 to 1, and the engine's phase."""

    state: str
    fraction: float = 0.0
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field of a request that was not right, and what would be."""

    field: str = ""
    problem: str = ""
    allowed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of jobs, and the cursor of the next."""

    items: tuple[Job, ...]
    next_cursor: str | None = None


class MotionOptions(TypedDict, total=False):
    """What a motion may be asked for with, beside its prompt.

    Attributes:
        duration: Seconds; 4 when left out.
        seed: 0 to 2**32 - 1. The same request with the same seed gives the same file.
        format: One of the model's formats; its first when left out.
        model: Name of a model; the best that fits when left out.
        priority: 0 to 9, 9 first; 5 when left out.
        deadline: When a job that still waits expires: an aware time, or so long from now.
        idempotency_key: 1 to 128 visible ASCII characters. The same key and request give the same
            job. Left out, each call makes its own, so that its retries make one job.
        wait: Seconds for which the server holds its answer until the job has ended. It may hold
            it for less: look at `ended`.
        webhook: Address that the server tells when the job has ended; see `verify_webhook`.
        cache: False: make it anew, and let nobody else have it. Left out, a result that is there is
            served at once, and equal requests share one run.
    """

    duration: float
    seed: int | None
    format: str | None
    model: str | None
    priority: int
    deadline: datetime | timedelta | None
    idempotency_key: str | None
    wait: float | None
    webhook: str | None
    cache: bool


class MeshOptions(TypedDict, total=False):
    """What a mesh may be asked for with, beside its picture; as for a motion where not said.

    Attributes:
        mask: A picture that is white where the object is. With a picture that is sent only.
        sides: Further pictures, by `left`, `back` and `right`, for models that take them (their
            `sides`); the picture itself is the front. With a picture that is sent only.
        texture: Whether to texture it, as when left out; without, the shape is all.
        faces: Triangles, met within 5 %; as the model sees fit when left out.
    """

    mask: bytes | Path | None
    sides: Mapping[str, bytes | Path]
    texture: bool
    faces: int | None
    seed: int | None
    format: str | None
    model: str | None
    priority: int
    deadline: datetime | timedelta | None
    idempotency_key: str | None
    wait: float | None
    webhook: str | None
    cache: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list that has no pages."""

    items: list[Any]


def read(body: bytes, kind: type[T]) -> T:
    """A value from a JSON body.

    Raises:
        UnexpectedAnswer: The body is not one, as from something that is no Kinesphere server.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = body[:80].decode("utf-8", "replace")
        problem = f"the answer is not a {kind.__name__} of this API ({error}): {start!r}"
        raise UnexpectedAnswer(problem) from None


def read_items(body: bytes, kind: type[T]) -> tuple[T, ...]:
    """The `items` of a JSON body."""
    try:
        return tuple(msgspec.convert(item, type=kind) for item in read(body, Items).items)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is not a list of {kind.__name__}s: {error}") from None


def owned(job: Job) -> Job:
    """The job, with artifacts that know which job made them."""
    return replace(job, artifacts=tuple(replace(a, job_id=job.id) for a in job.artifacts))
