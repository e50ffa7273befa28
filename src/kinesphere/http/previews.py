"""What would become of a request, told while it is still being written."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Model
from kinesphere.core.failures import Rejected
from kinesphere.core.prompts import Budget
from kinesphere.core.understanding import Understanding
from kinesphere.http.bodies import MotionRequest
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At, Gateway, JsonOnly
from kinesphere.http.meshes import BODY, MeshGiven, given_of, named, remote
from kinesphere.http.schemas import ModelRef
from kinesphere.service.previews import Found, Outcome, duration

_MALFORMED: Final = (
    "MALFORMED_JSON",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "INVALID_REQUEST",
    "LEDGER_UNAVAILABLE",
)

motions = APIRouter(tags=["motions"])
meshes = APIRouter(tags=["meshes"])


class PreviewProblem(BaseModel):
    """Why the request would be refused."""

    field: str = Field(examples=["prompt"], description="Dotted path; empty for the whole.")
    error_code: str = Field(
        examples=["PROMPT_NOT_UNDERSTOOD"], description="What the refusal would say."
    )
    detail: str = Field(examples=["The model recognised no action in this prompt."])
    problem: str = Field(examples=["names no action that this model knows"])
    allowed: str = Field(
        examples=["walk, wave, jump"], description="What would be right; may be empty."
    )


class PreviewEta(BaseModel):
    """When it would be done, from now."""

    start: float = Field(description="Seconds until a replica begins with it.", examples=[0.0])
    seconds: float = Field(description="Seconds until it is done.", examples=[0.05])
    ahead: int = Field(description="Jobs that would be made before it.", examples=[0])
    measured: bool = Field(description="Whether speeds were measured, or are declared.")


class PreviewCost(BaseModel):
    """The price of the replicas' time for it alone; none for what is there already."""

    amount: float = Field(examples=[0.0021])
    currency: str = Field(
        examples=["USD"], description="As the policy file says; empty where it does not."
    )


class Preview(BaseModel):
    """What a request would lead to."""

    model: ModelRef | None = Field(description="The model that would answer; null for none.")
    routed: str | None = Field(
        examples=["default"], description="Why that model: as `routed` in a job."
    )
    cached: bool = Field(description="Whether there is a result that would be served at once.")
    joined: bool = Field(description="Whether it would share a run that is under way.")
    eta: PreviewEta | None = Field(description="Null where it cannot be told.")
    cost: PreviewCost | None = Field(description="Null where no price is known.")
    problems: list[PreviewProblem] = Field(
        description="Why it would be refused; empty where it would be accepted."
    )


class PreviewWords(BaseModel):
    """How long the prompt is. It is too long where `count` is over `limit`."""

    count: int = Field(
        examples=[9], description="Of a prompt in two scripts, one reckoned as the other."
    )
    limit: int = Field(examples=[30])
    unit: str = Field(examples=["words"], description="`words` or `characters`.")


class UnderstoodView(BaseModel):
    """One thing that will be done, in the order in which it is played."""

    text: str = Field(examples=["waves"], description="The words that name it.")
    start: int = Field(examples=[21], description="Where they begin, in Unicode code points.")
    end: int = Field(examples=[26], description="Where they end.")
    action: str = Field(examples=["wave"], description="The model's own name for it.")
    manner: list[str] = Field(
        examples=[["tired", "left"]],
        description="How: styles, sides, directions, paths, `slow`, `fast`, `small`, `large`.",
    )
    count: float | None = Field(examples=[2], description="How often; null for as fits.")
    seconds: float | None = Field(
        examples=[3.0], description="Time asked for it; null where the model shares out the time."
    )


class SpanView(BaseModel):
    """A word or phrase, and whether it shapes what is made."""

    start: int = Field(examples=[21], description="In Unicode code points.")
    end: int = Field(examples=[26])
    understood: bool


class MotionPreviewView(Preview):
    """What a motion would lead to."""

    words: PreviewWords | None = Field(description="Null where no model would answer.")
    understood: list[UnderstoodView] | None = Field(
        description="What will be done; null where the model does not tell."
    )
    spans: list[SpanView] | None = Field(
        description="The words that count, in reading order; null as above."
    )
    unknown: list[str] = Field(
        examples=[["defenestrates"]], description="Words that are passed over."
    )
    duration: float | None = Field(examples=[4.0], description="Seconds of the clip.")


class PictureView(BaseModel):
    """The picture as it was read."""

    media_type: str = Field(examples=["image/png"])
    width: int = Field(examples=[1024], description="Pixels, upright.")
    height: int = Field(examples=[768], description="Pixels, upright.")


class MaskView(BaseModel):
    """The object as the model finds it. It may be sent back as `mask`, changed or not."""

    png: str = Field(
        examples=["iVBORw0KGgo="],
        description="PNG in base64: white is the object. Of the picture's proportions, smaller.",
    )
    width: int = Field(examples=[512])
    height: int = Field(examples=[384])
    method: str = Field(examples=["backdrop"], description="How it was found.")
    confidence: float = Field(examples=[0.93], description="0 to 1, how sure the mask is.")
    advice: str = Field(examples=[""], description="What would help where it is not; or empty.")


class MeshPreviewView(Preview):
    """What a mesh would lead to."""

    picture: PictureView | None = Field(description="Null where it is not a picture.")
    mask: MaskView | None = Field(
        description="Null where the model does not tell, or finds no object."
    )


@motions.post(
    "/v1/motions/preview",
    dependencies=[JsonOnly],
    summary="Look at what a motion would be",
    responses=documented(*_MALFORMED),
)
async def preview_motion(body: MotionRequest, caller: Ask, at: At) -> MotionPreviewView:
    """What `POST /v1/motions` would do with this body. Nothing is accepted, stored or made.

    A request that would be refused is answered with 200 and its `problems`, so that a page can
    tell them while the prompt is being typed.
    """
    ask = body.ask()
    found = await at.service.previews.motion(ask, caller, await _webhook(at, body.webhook))
    understanding = found.understanding
    return MotionPreviewView(
        **_outcome(at, found.outcome),
        words=None if found.budget is None else _words(found.budget),
        understood=None if understanding is None else _understood(body.prompt, understanding),
        spans=None
        if understanding is None
        else [
            SpanView(start=each.start, end=each.end, understood=each.understood)
            for each in understanding.spans
        ],
        unknown=[
            body.prompt[each.start : each.end]
            for each in (understanding.spans if understanding else ())
            if not each.understood
        ],
        duration=duration(ask),
    )


@meshes.post(
    "/v1/meshes/preview",
    summary="Look at what a mesh would be made of",
    responses=documented(
        *_MALFORMED, "IMAGE_TOO_LARGE", "BUSY", "TOO_MUCH_WORK", "OOM_HOST",
    ),
    openapi_extra=BODY,
)  # fmt: skip
async def preview_mesh(
    given: Annotated[MeshGiven, Depends(given_of)], caller: Ask, at: At
) -> MeshPreviewView:
    """What `POST /v1/meshes` would take for the object. Nothing is accepted, stored or made.

    Problems are told as for a motion. Masks are found one at a time.
    """
    fields = given.fields
    found = await at.service.previews.mesh(
        fields.ask(),
        given.picture if isinstance(given.picture, bytes) else remote(at, given.picture),
        given.mask,
        caller,
        sides=given.sides,
        known=await _webhook(at, fields.webhook),
    )
    picture = found.picture
    return MeshPreviewView(
        **_outcome(at, found.outcome, given.source),
        picture=None if picture is None else PictureView.model_validate(dict(picture)),
        mask=None if found.found is None else _mask(found.found),
    )


async def _webhook(at: Gateway, url: str | None) -> list[Rejected]:
    if url is None:
        return []
    try:
        await at.webhooks.check(url)
    except Rejected as refused:
        return [refused]
    return []


def _outcome(at: Gateway, found: Outcome, source: str = "") -> dict[str, Any]:
    """The fields that previews have in common."""
    route, eta = found.route, found.estimate
    preview = Preview(
        model=None if route is None else _model(route.model),
        routed=None if route is None else route.routed.value,
        cached=found.cached,
        joined=found.joined,
        eta=None if eta is None else _eta(eta),
        cost=None
        if found.cost is None
        else PreviewCost(amount=round(found.cost, 9), currency=at.service.prices.currency),
        problems=_problems([named(each, source) for each in found.problems]),
    )
    return dict(preview)


def _model(model: Model) -> ModelRef:
    return ModelRef(name=model.name, version=model.version, simulated=model.simulated)


def _eta(eta: Estimate) -> PreviewEta:
    return PreviewEta(
        start=round(eta.start, 3),
        seconds=round(eta.seconds, 3),
        ahead=eta.ahead,
        measured=eta.measured,
    )


def _problems(refusals: Sequence[Rejected]) -> list[PreviewProblem]:
    found = [
        PreviewProblem(
            field=field.field,
            error_code=refused.code,
            detail=refused.detail,
            problem=field.problem,
            allowed=field.allowed,
        )
        for refused in refusals
        for field in refused.fields
    ]
    return found + [
        PreviewProblem(
            field="", error_code=refused.code, detail=refused.detail, problem="", allowed=""
        )
        for refused in refusals
        if not refused.fields
    ]


def _words(budget: Budget) -> PreviewWords:
    return PreviewWords(count=budget.count, limit=budget.limit, unit=budget.unit)


def _understood(prompt: str, understanding: Understanding) -> list[UnderstoodView]:
    return [
        UnderstoodView(
            text=prompt[each.start : each.end],
            start=each.start,
            end=each.end,
            action=each.action,
            manner=list(each.manner),
            count=each.count,
            seconds=each.seconds,
        )
        for each in understanding.meant
    ]


def _mask(found: Found) -> MaskView:
    return MaskView(
        png=b64encode(found.png).decode(),
        width=found.width,
        height=found.height,
        method=found.method,
        confidence=found.confidence,
        advice=found.advice,
    )


router = APIRouter()
router.include_router(motions)
router.include_router(meshes)
