"""Releases: moving a task's traffic to a new model, watching it, and stopping it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kinesphere.core.catalog import Task
from kinesphere.core.rollout import Order, Release, Terms, figures
from kinesphere.http.auth import OPERATORS, OperatorOnly
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At, JsonOnly
from kinesphere.http.schemas import instant

router = APIRouter(prefix="/v1/releases", tags=["releases"], dependencies=[OperatorOnly])

_USUAL: Final = Terms()
Percent = Annotated[float, Field(gt=0.0, le=100.0)]
JobName = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
TaskName = Annotated[Task, Path(description="`motion` or `mesh`.")]


class ReleaseTerms(BaseModel):
    """How a release goes."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    steps: list[Percent] = Field(
        list(_USUAL.steps),
        min_length=1,
        max_length=20,
        description="The canary's part at each step, in percent, rising. After the last, or at "
        "100, it is promoted.",
        examples=[[10.0, 25.0, 50.0, 100.0]],
    )
    hold_seconds: float = Field(
        _USUAL.hold, ge=0.0, le=2_592_000.0, description="Seconds that a step lasts at least."
    )
    samples: int = Field(
        _USUAL.samples, ge=1, le=1_000_000,
        description="Jobs of the canary that a step compares at least.",
    )  # fmt: skip
    alpha: float = Field(
        _USUAL.alpha, gt=0.0, le=0.5,
        description="Chance at most that a canary as good as the stable model is rolled back.",
    )  # fmt: skip
    slower: float = Field(
        _USUAL.slower, ge=1.0, le=100.0,
        description="Times the stable model's 95th percentile beyond which a job counts as slow.",
    )  # fmt: skip
    memory: float = Field(
        _USUAL.memory, ge=0.0, le=1_000.0,
        description="Times the memory of a stable replica that a canary's may take, main memory "
        "and the device's each by itself; 0 for any.",
    )  # fmt: skip


class ReleaseRequest(ReleaseTerms):
    """A release to be begun."""

    canary: str = Field(
        min_length=1, max_length=64, description="Name of the new model.", examples=["choreo"]
    )


class Compared(BaseModel):
    """A figure of both models; null where there is none yet."""

    stable: float | None
    canary: float | None


class TestView(BaseModel):
    """One test: whether the canary is worse."""

    evidence: float = Field(
        description="The e-value: the canary is rolled back where it reaches the threshold."
    )
    stable: float = Field(description="Share of the stable model's jobs of which it is so.")
    canary: float = Field(description="Share of the canary's.")


class Figures(BaseModel):
    """The numbers that decisions rest on."""

    canary_percent: float = Field(description="The canary's part of the traffic.")
    canary_users: int = Field(
        description="Users that the canary has answered; exact up to 256, about right beyond."
    )
    threshold: float = Field(description="E-value at which a test rolls back.")
    jobs: dict[str, int] = Field(
        description="Jobs compared, of `stable` and `canary`.",
        examples=[{"stable": 900, "canary": 100}],
    )
    p95_seconds: Compared = Field(description="95th percentile from acceptance to end.")
    p95_running_seconds: Compared = Field(description="The same from the first claim.")
    memory_bytes: Compared = Field(description="Main memory of the largest replica of each.")
    device_bytes: Compared = Field(
        description="The most that the engine of one replica of each took on its device."
    )
    tests: dict[str, TestView] = Field(
        description="`errors`, `latency`, `running` and `quality`.",
        examples=[{"errors": {"evidence": 0.7, "stable": 0.01, "canary": 0.008}}],
    )


class EntryView(BaseModel):
    """What a release did, and by what numbers."""

    at: datetime
    what: str = Field(
        description="`started`, `stepped`, `promoted`, `rolled_back`, `paused`, `resumed` or "
        "`aborted`.",
        examples=["stepped"],
    )
    why: str = Field(examples=["choreo takes 25 %"])
    figures: Figures


class RatingRequest(BaseModel):
    """What somebody says of two results who was not told which is whose."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[JobName] = Field(
        min_length=2,
        max_length=2,
        description="A job of the stable model and one of the canary, both done, of one request.",
        examples=[["01KAZ6T3V9S2Q4W8E0R5Y7T1S3", "01KAZ6T3V9S2Q4W8E0R5Y7T1S4"]],
    )
    better: JobName | None = Field(
        description="The better of them, or null where neither is.",
        examples=["01KAZ6T3V9S2Q4W8E0R5Y7T1S4"],
    )

    @model_validator(mode="after")
    def _among(self) -> "RatingRequest":
        if self.better is not None and self.better not in self.jobs:
            raise ValueError("better is one of the jobs")
        return self


class RatingsView(BaseModel):
    """How many pairs people rated, and how."""

    stable: int = Field(description="The stable model's was better.")
    canary: int = Field(description="The canary's was better.")
    same: int = Field(description="Neither was.")


class ReleaseView(BaseModel):
    """A release."""

    id: str
    task: str
    stable: str = Field(description="The model that answered before.")
    canary: str = Field(description="The new one.")
    state: str = Field(
        description="`running`, `paused`, `promoted`, `rolled_back` or `aborted`.",
        examples=["running"],
    )
    step: int = Field(description="Index into the steps, from 0.", examples=[0])
    started_at: datetime
    step_at: datetime = Field(description="When the present step began, or went on.")
    terms: ReleaseTerms
    figures: Figures = Field(description="As they are now.")
    record: list[EntryView] = Field(description="What happened, the oldest first.")
    ratings: RatingsView = Field(description="What people said of pairs. It decides nothing.")


class ReleaseList(BaseModel):
    """The last release of each task."""

    items: list[ReleaseView]


_ANY: Final = ("INVALID_REQUEST", "LEDGER_UNAVAILABLE")
_GONE: Final = documented("RELEASE_NOT_FOUND", *_ANY)


@router.get(
    "",
    openapi_extra=OPERATORS,
    summary="List releases",
    responses=documented("LEDGER_UNAVAILABLE"),
)
async def releases(at: At) -> ReleaseList:
    """The last release of each task, running or over."""
    found = await at.service.releases.current()
    return ReleaseList(items=[_view(found[task]) for task in sorted(found)])


@router.get("/{task}", openapi_extra=OPERATORS, summary="Look at a task's release", responses=_GONE)
async def release(task: TaskName, at: At) -> ReleaseView:
    """The last release of a task, with the numbers it decides by."""
    return _view(await at.service.releases.get(task))


@router.put(
    "/{task}",
    dependencies=[JsonOnly],
    openapi_extra=OPERATORS,
    summary="Begin a release",
    responses=documented(
        "MALFORMED_JSON", "RELEASE_RUNNING", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE",
        "MODEL_UNKNOWN", *_ANY,
    ),
)  # fmt: skip
async def start_release(task: TaskName, body: ReleaseRequest, at: At) -> ReleaseView:
    """Begin to move traffic to a new model. The same again, while it runs, changes nothing."""
    terms = Terms(
        steps=tuple(body.steps),
        hold=body.hold_seconds,
        samples=body.samples,
        alpha=body.alpha,
        slower=body.slower,
        memory=body.memory,
    )
    return _view(await at.service.releases.start(task, body.canary, terms))


_OVER: Final = documented("RELEASE_NOT_FOUND", "RELEASE_OVER", *_ANY)


@router.post("/{task}/pause", openapi_extra=OPERATORS, summary="Pause a release", responses=_OVER)
async def pause_release(task: TaskName, at: At) -> ReleaseView:
    """Stay at the present step. A gate that trips still rolls back."""
    return _view(await at.service.releases.order(task, Order.PAUSE))


@router.post("/{task}/resume", openapi_extra=OPERATORS, summary="Resume a release", responses=_OVER)
async def resume_release(task: TaskName, at: At) -> ReleaseView:
    """Go on after a pause; the present step's time begins anew."""
    return _view(await at.service.releases.order(task, Order.RESUME))


@router.post(
    "/{task}/promote", openapi_extra=OPERATORS, summary="Promote a canary", responses=_OVER
)
async def promote_release(task: TaskName, at: At) -> ReleaseView:
    """Give the canary all traffic now, whatever the gates say."""
    return _view(await at.service.releases.order(task, Order.PROMOTE))


@router.post("/{task}/abort", openapi_extra=OPERATORS, summary="Abort a release", responses=_OVER)
async def abort_release(task: TaskName, at: At) -> ReleaseView:
    """Give the stable model all traffic now."""
    return _view(await at.service.releases.order(task, Order.ABORT))


@router.post(
    "/{task}/ratings",
    dependencies=[JsonOnly],
    openapi_extra=OPERATORS,
    summary="Rate a pair",
    responses=documented(
        "MALFORMED_JSON", "RELEASE_NOT_FOUND", "RELEASE_OVER", "BODY_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE", *_ANY,
    ),
)  # fmt: skip
async def rate_pair(task: TaskName, body: RatingRequest, caller: Ask, at: At) -> ReleaseView:
    """Say which of two results is better. Of each pair one counts for each who rates it."""
    found = await at.service.releases.rate(task, body.jobs, body.better, caller.user)
    return _view(found)


def _view(found: Release) -> ReleaseView:
    terms = found.terms
    return ReleaseView(
        id=found.id,
        task=found.task,
        stable=found.stable,
        canary=found.canary,
        state=found.phase.value,
        step=found.step,
        started_at=instant(found.started_at),
        step_at=instant(found.step_at),
        terms=ReleaseTerms(
            steps=list(terms.steps),
            hold_seconds=terms.hold,
            samples=terms.samples,
            alpha=terms.alpha,
            slower=terms.slower,
            memory=terms.memory,
        ),
        figures=_figures(figures(found)),
        record=[
            EntryView(at=instant(e.at), what=e.what, why=e.why, figures=_figures(e.figures))
            for e in found.record
        ],
        ratings=RatingsView(
            stable=found.ratings.stable, canary=found.ratings.canary, same=found.ratings.same
        ),
    )


def _figures(told: Mapping[str, Any]) -> Figures:
    return Figures.model_validate(told)
