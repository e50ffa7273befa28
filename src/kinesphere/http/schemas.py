"""What the server answers, with descriptions for OpenAPI."""

import math
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field


class GenerateResponse(BaseModel):
    """A finished motion."""

    status: str = Field(description="`success`.", examples=["success"])
    motion_url: str = Field(description="Signed link to the file, good for a limited time.")
    job_id: str = Field(description="The job that made it.")
    seed: int = Field(description="The seed that was used.")
    model: str = Field(description="The model that made it.")


class TaskAccepted(BaseModel):
    """A queued task."""

    task_id: str
    status: str = Field(description="`queued`.", examples=["queued"])


class ModelRef(BaseModel):
    """Which model, in which version."""

    name: str
    version: str
    simulated: bool = Field(False, description="Whether it only stands in for a device.")


class StageView(BaseModel):
    """Which of its stages a job is in."""

    index: int = Field(description="From 0.")
    count: int
    pool: str = Field(description="The pool that runs it.")


class ArtifactView(BaseModel):
    """A file that a job has made."""

    name: str = Field(examples=["motion.bvh"])
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    stage: int
    url: str = Field(description="Signed link; ask the job again for a fresh one.")
    expires_at: datetime = Field(description="When the link stops working.")


class EtaBasis(BaseModel):
    """What an expected time rests on."""

    ahead: int = Field(description="Jobs that wait before it in its pool.")
    work_ahead_seconds: float = Field(
        description="Seconds of one replica's work before it, over all its stages."
    )
    replicas: int = Field(description="Replicas ready to serve its pool.")
    service_seconds: float = Field(description="Of its own batches and deliveries.")
    measured: bool = Field(description="Whether speeds were measured, or are first guesses.")


class EtaView(BaseModel):
    """When a job is expected to be done, and what that rests on."""

    time: datetime
    seconds: float = Field(description="From now.")
    basis: EtaBasis


class ErrorView(BaseModel):
    """Why a job, or its last attempt, failed."""

    error_code: str
    detail: str
    fault: str
    retry: bool


class WebhookView(BaseModel):
    """Who is told of a job's end, and how that goes."""

    url: str
    id: str | None = Field(default=None, description="The `webhook-id` of its last delivery.")
    state: str = Field(
        description="`waiting` until the job has ended, then `pending`, `delivered`, `gone`, "
        "`forbidden` or `given_up`."
    )
    attempts: int = Field(default=0, description="Begun so far.")
    last_status: int | None = Field(default=None, description="HTTP status of the last answer.")
    last_error: str | None = Field(default=None, description="Why the last attempt failed.")
    next_attempt_at: datetime | None = Field(default=None, description="While it is pending.")
    delivered_at: datetime | None = None


class JobView(BaseModel):
    """A job as its owner sees it."""

    id: str = Field(description="ULID.", examples=["01KAZ6T3V9S2Q4W8E0R5Y7U1I3"])
    task: str
    state: str = Field(
        description="`queued`, `running`, `succeeded`, `failed`, `cancelled` or `expired`."
    )
    stage: StageView
    progress: float = Field(description="0 to 1 over all stages.")
    phase: str = Field(description="What the engine is doing, in a word; may be empty.")
    model: ModelRef
    request: dict[str, Any] = Field(description="The request as accepted, the seed filled in.")
    priority: int
    attempts: int = Field(description="Attempts of the present stage so far.")
    routed: str = Field(
        description="Why this model makes it: `pinned`, `default`, `release` or `lite`.",
        examples=["default"],
    )
    cached: bool = Field(description="Whether it was served what had been made before.")
    joined: bool = Field(description="Whether it shares the run of an equal request.")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    eta: EtaView | None = Field(None, description="While it has not ended.")
    artifacts: list[ArtifactView]
    notes: dict[str, Any] = Field(
        description="What the engine says of the result, such as `understood` and `ignored` words."
    )
    error: ErrorView | None = None
    webhook: WebhookView | None = Field(None, description="Where one was asked for.")


class WebhookSecret(BaseModel):
    """What your webhooks are signed with."""

    secret: str = Field(description="`whsec_` and base64; keep it as you keep a password.")
    previous: str | None = Field(
        default=None, description="The one before, which signs too while the server changes over."
    )


class WebhookBody(BaseModel):
    """What a webhook is posted."""

    type: str = Field(
        description="`job.succeeded`, `job.failed`, `job.cancelled` or `job.expired`."
    )
    id: str = Field(description="As in the header `webhook-id`; the same in every attempt.")
    timestamp: datetime = Field(description="When it happened.")
    data: JobView = Field(description="The job as it is now, with fresh links.")


class TaskView(BaseModel):
    """A task and what it has made."""

    task_id: str
    status: str = Field(
        description="`queued`, `running`, `completed`, `failed`, `cancelled` or `expired`."
    )
    progress: float = Field(description="0 to 1.")
    result_url: str | None = Field(description="Signed link to the mesh, when completed.")
    preview_url: str | None = Field(description="The untextured mesh, as soon as it is there.")
    error: ErrorView | None = None


class JobPage(BaseModel):
    """A page of jobs, newest first."""

    items: list[JobView]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null at the end."
    )


class ModelView(BaseModel):
    """A model and its limits."""

    name: str
    version: str
    task: str
    title: str
    formats: list[str] = Field(description="The default first.")
    languages: list[str]
    max_words: int
    max_cjk: int
    min_duration: float | None = Field(description="Seconds.")
    max_duration: float | None = Field(description="Seconds.")
    min_faces: int | None = Field(description="Of a mesh.")
    max_faces: int | None = Field(description="Of a mesh.")
    sides: list[str] = Field(
        description="Further pictures that a request for a mesh may bring, beside the front: "
        "`left`, `back`, `right`."
    )
    pools: list[str] = Field(description="One a stage, in order.")
    default: bool = Field(
        description="Whether it answers when no model is named: the one that a release promoted "
        "last, else the highest in rank. A canary that still has a part is not."
    )
    embedded: bool
    simulated: bool
    licence: str


class ModelList(BaseModel):
    """The models that this server serves."""

    items: list[ModelView]


class ReplicaView(BaseModel):
    """One replica: where its engine is, and how it was fitted and started there."""

    name: str = Field(examples=["gpu-host/1/hunyuan3d.shape/1"])
    state: str = Field(examples=["ready"], description="As the pool counts them.")
    since: datetime
    device: str = Field(
        examples=["GPU-6f1c0c5e-5d0a-4f6e-9a57-0b9c7f0e1a2d"],
        description="`cpu`, or the GPU by its UUID or number.",
    )
    device_name: str = Field(
        examples=["NVIDIA L4"], description="What the device is; empty where nobody tells."
    )
    device_bytes: int | None = Field(description="Memory of the device.")
    device_bytes_taken: int | None = Field(description="The most of it that the engine took.")
    memory_bytes: int = Field(description="Main memory of the engine's process.")
    profile: str = Field(
        examples=["fp16"], description="The profile that was fitted; empty for a model without."
    )
    profile_source: str = Field(
        examples=["measured"], description="`measured` here, or where its figures are from."
    )
    batch_limit: int | None = Field(description="Jobs at once at most.")
    start_seconds: dict[str, float] = Field(
        examples=[{"spawn": 0.2, "import": 6.5, "read_weights": 9.1, "warm_up": 4.0}],
        description="The last start, by phase.",
    )
    last_error: str = Field(examples=[""], description="What went wrong last; empty for nothing.")
    tier: str = Field(
        examples=["l4"], description="Class of hardware; empty where it was not told."
    )
    jobs: int = Field(examples=[412], description="Jobs that it finished, successfully.")
    health: "DeviceHealth | None" = Field(description="Of its GPU; null where none is read.")


class PlanView(BaseModel):
    """What the scaler decided for a pool."""

    pool: str
    replicas: int = Field(
        description="How many there are to be. What KEDA reads where there are no tiers."
    )
    tiers: dict[str, int] = Field(
        description="How many on each tier of hardware, where the policy file declares tiers. "
        "What KEDA reads for the Deployment of a tier.",
        examples=[{"a10": 1, "a10-spot": 3}],
    )
    recommended: int = Field(description="What the load alone asked for.")
    reason: str = Field(description="Why, in one sentence.")
    policy: str = Field(description="The policy that decided.")
    tier: str = Field(description="`larger` where more of the same hardware would not help.")
    at: datetime = Field(description="When it was decided.")


class RecentView(BaseModel):
    """What a pool's model did lately; what was served from before is left out."""

    seconds: float = Field(examples=[300.0], description="Of how long this tells.")
    succeeded: int = Field(examples=[42], description="Jobs that were made.")
    failed: int = Field(examples=[0], description="Jobs that failed.")
    p50: float | None = Field(
        examples=[0.4], description="Seconds from acceptance to success; null where none was made."
    )
    p95: float | None = Field(examples=[0.9], description="As `p50`; one in twenty took longer.")


class PoolCost(BaseModel):
    """What a pool costs, by the prices of the policy file."""

    hour: float = Field(examples=[1.2], description="Of its replicas as they are now.")
    asset: float | None = Field(
        examples=[0.0024],
        description="Of one asset lately, idle time included; null where none was made.",
    )
    currency: str = Field(examples=["USD"], description="Empty where the policy file names none.")


class SpeedView(BaseModel):
    """How fast one replica works: a batch of n typical jobs takes fixed + n * job seconds."""

    fixed_seconds: float = Field(examples=[0.01])
    job_seconds: float = Field(examples=[0.05])


class DeviceHealth(BaseModel):
    """What a device told when it was last read; null is what it does not tell."""

    used_bytes: int | None = Field(examples=[9_663_676_416], description="Memory in use by all.")
    busy: float | None = Field(examples=[0.87], description="Share of time in which it worked.")
    celsius: float | None = Field(examples=[61.0], description="Temperature of the chip.")
    watts: float | None = Field(examples=[58.0], description="Power drawn.")
    throttled: bool | None = Field(
        examples=[False], description="Whether its clocks are held down."
    )


class PoolView(BaseModel):
    """A pool: its replicas and what waits for them."""

    name: str
    model: ModelRef
    replicas: dict[str, int] = Field(description="How many are in each state.")
    waiting: int = Field(description="Jobs queued, those backing off included.")
    running: int
    oldest_wait: float | None = Field(description="Seconds that the first in line has waited.")
    batch_limit: int
    batch_seconds: float = Field(description="Time of a full batch.")
    service: SpeedView
    measured: bool = Field(description="Whether these were measured, or are a first guess.")
    detail: str = Field(description="Why no replica is ready, if so.")
    members: list[ReplicaView] = Field(description="Each replica.")
    plan: PlanView | None = Field(description="Null where no policy scales the pool.")
    recent: RecentView
    cost: PoolCost | None = Field(description="Null where no price is known.")


class PoolList(BaseModel):
    """The pools that this server serves."""

    items: list[PoolView]


class MeasureView(BaseModel):
    """One figure, held against two thresholds."""

    name: str
    value: float | None = Field(description="Null where there is none.")
    unit: str
    verdict: str = Field(description="`pass`, `warn` or `fail`.")
    warn_at: float | None
    fail_at: float | None
    lower_is_worse: bool
    frames: list[int] = Field(description="Frames at fault, at most 20.")
    joints: list[str] = Field(description="Joints at fault, the worst first.")
    source: str = Field(description="Where the thresholds come from.")


class LeftOutView(BaseModel):
    """Checks that could not be made."""

    name: str
    reason: str


class ValidationReport(BaseModel):
    """The judgement of one motion or mesh."""

    task: str = Field(description="`motion` or `mesh`.")
    file: str
    verdict: str = Field(description="The worst of its measures'.")
    measures: list[MeasureView]
    left_out: list[LeftOutView]
    seconds: float | None = Field(None, description="Of a motion.")
    frames: int | None = Field(None, description="Of a motion.")
    vertices: int | None = Field(None, description="Of a mesh.")
    faces: int | None = Field(None, description="Of a mesh.")


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])
    version: str


class Readiness(BaseModel):
    """Whether work can be taken, and if not, why."""

    status: str = Field(description="`ready` or `unready`.")
    pools: dict[str, str] = Field(description="What is not ready, with the reason.")


def instant(seconds: float) -> datetime:
    """Seconds since the epoch as an aware time, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC)


def moment(seconds: float | None) -> datetime | None:
    """The same, where there may be none."""
    return None if seconds is None or not math.isfinite(seconds) else instant(seconds)
