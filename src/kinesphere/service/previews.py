"""What would happen to a request, as far as that can be told without accepting it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from kinesphere.core import prompts, requests
from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Catalog, Model, Task
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, Json
from kinesphere.core.prompts import Budget
from kinesphere.core.requests import MeshAsk, MotionAsk
from kinesphere.core.routing import Route
from kinesphere.core.understanding import Understanding
from kinesphere.ports import Clock, Errands, Pools
from kinesphere.service.intake import Intake, hook, until_one_ends
from kinesphere.service.outlook import Outlook
from kinesphere.service.prices import Prices
from kinesphere.service.routing import Router
from kinesphere.service.values import Caller, Remote, Terms

LONGEST_READ: Final = 1_000
"""Characters of a prompt beyond which no model is asked what it understands."""

FIND_SECONDS: Final = 20.0
"""Seconds that finding the object in a picture may take; it takes under one."""

_NONE: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request would lead to.

    Attributes:
        route: The model that would answer, and why it; None where none would.
        problems: Why the request would be refused, each as it would be told.
        estimate: When it would be done; None where that cannot be told.
        cost: Of the replicas' time for it alone, in the currency of the prices; None where no
            price is known.
        cached: Whether there is a result that would be served at once.
        joined: Whether it would share a run that is under way.
    """

    route: Route | None
    problems: tuple[Rejected, ...]
    estimate: Estimate | None = None
    cost: float | None = None
    cached: bool = False
    joined: bool = False


@dataclass(frozen=True, slots=True)
class MotionPreview:
    """What would become of a prompt.

    Attributes:
        outcome: What the request would lead to.
        budget: How long the prompt is beside what the model takes.
        understanding: What the model reads in it; None where the model does not tell.
    """

    outcome: Outcome
    budget: Budget | None
    understanding: Understanding | None


@dataclass(frozen=True, slots=True)
class Found:
    """The object in a picture, as the model would find it.

    Attributes:
        png: A mask as PNG, white where the object is, of the picture's proportions.
        width: Of the mask, in pixels.
        height: Of the mask, in pixels.
        method: How it was found, in the model's own words.
        confidence: 0 to 1, how sure the mask is.
        advice: What would help where it is not, or "".
    """

    png: bytes
    width: int
    height: int
    method: str
    confidence: float
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MeshPreview:
    """What would become of a picture.

    Attributes:
        outcome: What the request would lead to.
        picture: Facts about the picture, by name; None where it is not one.
        found: The object in it; None where the model does not tell, or there is none.
    """

    outcome: Outcome
    picture: Mapping[str, Json] | None
    found: Found | None


class Previews:
    """Looks at requests; nothing is stored, and no place in a queue is taken."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        intake: Intake,
        router: Router,
        outlook: Outlook,
        pools: Pools,
        errands: Errands,
        prices: Prices,
        clock: Clock,
        terms: Terms,
    ) -> None:
        self._intake = intake
        self._router = router
        self._outlook = outlook
        self._pools = pools
        self._errands = errands
        self._prices = prices
        self._clock = clock
        self._terms = terms
        self._readers = {m.name: hook(m.understand) for m in catalog.models if m.understand}

    async def motion(
        self, ask: MotionAsk, caller: Caller, known: Sequence[Rejected] = ()
    ) -> MotionPreview:
        """What `Intake.motion` would answer; `known` is what is known to be wrong already.

        Raises LedgerUnavailable.
        """
        problems = list(known)
        request: dict[str, Json] | None = None
        try:
            route, request = await self._router.motion(ask, caller, self._intake.motion_check(ask))
        except Rejected as refused:
            problems.append(refused)
            found = await self._anyhow("motion", ask, caller)
            if found is None:
                return MotionPreview(Outcome(None, tuple(problems)), None, None)
            route = found
            request, further = self._sized(ask, route.model, refused)
            problems += further
        outcome = await self._outcome(ask, route, request, caller, problems)
        budget = prompts.budget(ask.prompt, route.model)
        return MotionPreview(outcome, budget, self._understanding(ask, route.model, problems))

    async def mesh(
        self,
        ask: MeshAsk,
        picture: bytes | Remote,
        mask: bytes | None,
        caller: Caller,
        *,
        sides: Mapping[str, bytes] = _NONE,
        known: Sequence[Rejected] = (),
    ) -> MeshPreview:
        """What `Intake.mesh` would answer, and what the model takes for the object.

        Raises:
            Rejected: BUSY, TOO_MUCH_WORK.
            LedgerUnavailable, ErrandFailed.
        """
        problems = list(known)
        request: dict[str, Json] | None = None
        facts: Mapping[str, Json] | None = None
        found = None
        try:
            check = self._intake.mesh_check(ask, sides.keys())
            route, request = await self._router.choose("mesh", ask.model, caller, check)
        except Rejected as refused:
            problems.append(refused)
            anyhow = await self._anyhow("mesh", ask, caller)
            if anyhow is None:
                return MeshPreview(Outcome(None, tuple(problems)), None, None)
            route = anyhow
        try:
            data = await picture.fetch() if isinstance(picture, Remote) else picture
            further = {} if mask is None else {"mask": mask}
            pictures = await self._intake.pictures({"picture": data, **further, **sides})
            # A picture says of itself what is needed to know it again.
            facts = _facts(pictures["picture"])
            if request is not None:
                request |= pictures
            found = await self._found(route.model, data, mask)
        except Rejected as refused:
            if refused.code in ("BUSY", "TOO_MUCH_WORK"):
                raise
            problems.append(refused)
        outcome = await self._outcome(ask, route, request, caller, problems)
        return MeshPreview(outcome, facts, found)

    async def _anyhow(self, task: Task, ask: MotionAsk | MeshAsk, caller: Caller) -> Route | None:
        """The model that would say no."""
        try:
            route, _ = await self._router.choose(task, ask.model, caller, lambda model: model)
        except Rejected:
            return None
        return route

    def _sized(
        self, ask: MotionAsk, model: Model, refused: Rejected
    ) -> tuple[dict[str, Json] | None, list[Rejected]]:
        """A request of the same size where only the prompt is at fault, and what else is."""
        if any(field.field != "prompt" for field in refused.fields):
            return None, []
        try:
            return requests.check_motion(replace(ask, prompt="-"), model, self._clock.now()), []
        except Rejected as further:
            return None, [further]

    async def _outcome(
        self,
        ask: MotionAsk | MeshAsk,
        route: Route,
        request: dict[str, Json] | None,
        caller: Caller,
        problems: list[Rejected],
    ) -> Outcome:
        """What admission would say, when, and for how much."""
        try:
            self._intake.check_open()
        except Rejected as refused:
            problems.append(refused)
        if request is None:
            return Outcome(route, tuple(problems))
        job = self._intake.new_job(ask, route, request, caller)
        answering, _ = (None, ()) if problems else await self._intake.answering(job.content)
        if answering is not None and answering.ended:
            return Outcome(route, (), None, 0.0 if self._cost(job) is not None else None, True)
        forecast = await self._outlook.forecast(answering or job)
        try:
            if answering is None:
                self._intake.admit(job, forecast)
            await self._intake.quota.check(job.user, until_one_ends(forecast))
        except Rejected as refused:
            problems.append(refused)
        cost = self._cost(job)
        return Outcome(
            route,
            tuple(problems),
            forecast.estimate,
            0.0 if answering is not None and cost is not None else cost,
            joined=answering is not None,
        )

    def _cost(self, job: Job) -> float | None:
        statuses = self._pools.statuses()
        if any(pool not in statuses for pool in job.pools):
            return None
        return self._prices.job({pool: statuses[pool] for pool in job.pools}, job.weight)

    def _understanding(
        self, ask: MotionAsk, model: Model, problems: Sequence[Rejected]
    ) -> Understanding | None:
        read = self._readers.get(model.name)
        # What is not text is not read: an empty prompt is, and nothing is in it.
        unreadable = len(ask.prompt) > LONGEST_READ or any(
            refused.code == "INVALID_REQUEST" and [f.field for f in refused.fields] == ["prompt"]
            for refused in problems
        )
        if read is None or (unreadable and ask.prompt.strip()):
            return None
        found: Understanding = read(ask.prompt)
        return found

    async def _found(self, model: Model, picture: bytes, mask: bytes | None) -> Found | None:
        if not model.find:
            return None
        given: dict[str, Any] = {
            "picture": picture,
            "mask": mask,
            "pixels": self._terms.picture_pixels,
            "options": dict(model.stages[0].options),
        }
        return Found(**await self._errands.run(model.find, given, FIND_SECONDS))


def duration(ask: MotionAsk) -> float | None:
    """Seconds of the clip, where they are a number."""
    return ask.duration if math.isfinite(ask.duration) else None


def _facts(picture: Json) -> Mapping[str, Json]:
    return picture if isinstance(picture, Mapping) else {}
