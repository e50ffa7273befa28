"""Accepting work: when these return, the job is committed and will not be lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from kinesphere.core import requests
from kinesphere.core.admission import Bounds, refusal
from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import ArtifactRef, Job, Json
from kinesphere.core.requests import MeshAsk, MotionAsk
from kinesphere.core.routing import Route
from kinesphere.core.sharing import content_of
from kinesphere.ports import (
    Artifacts,
    Bell,
    Clock,
    IdempotencyConflict,
    IdempotencyKey,
    Ledger,
    StorageFailed,
)
from kinesphere.service import files
from kinesphere.service.outlook import Forecast, Outlook
from kinesphere.service.quota import Quota
from kinesphere.service.routing import Router
from kinesphere.service.values import Accepted, Caller, Remote, Terms

_NONE: Final[Mapping[str, bytes]] = MappingProxyType({})


class Intake:
    """Turns what a caller asks for into jobs, or says why not."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        router: Router,
        ledger: Ledger,
        hints: Bell,
        artifacts: Artifacts,
        outlook: Outlook,
        clock: Clock,
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
        terms: Terms,
    ) -> None:
        self.closed = False
        self._router = router
        self._ledger = ledger
        self._hints = hints
        self._artifacts = artifacts
        self._outlook = outlook
        self._clock = clock
        self._new_id = new_id
        self._new_seed = new_seed
        self._terms = terms
        self.quota = Quota(ledger, terms.user_queue)
        self._examiners = {m.name: _examiner(m) for m in catalog.models if m.examine}

    async def motion(self, ask: MotionAsk, caller: Caller, key: str | None = None) -> Accepted:
        """Accept a motion: when this returns, the job is committed and will not be lost.

        Raises:
            Rejected: PROMPT_TOO_LONG, PROMPT_NOT_UNDERSTOOD, MODEL_UNKNOWN, INVALID_REQUEST,
                IDEMPOTENCY_CONFLICT, SHUTTING_DOWN, QUEUE_FULL, QUOTA_EXCEEDED,
                DEADLINE_UNREACHABLE, MODEL_NOT_READY.
            LedgerUnavailable: nothing was accepted.
        """
        keyed = IdempotencyKey(key, ask.digest()) if key else None
        return await self._once(self._motion(ask, caller, keyed), caller, keyed)

    async def _motion(self, ask: MotionAsk, caller: Caller, key: IdempotencyKey | None) -> Accepted:
        route, request = await self._router.motion(ask, caller, self.motion_check(ask))
        return await self._submit(self.new_job(ask, route, request, caller), key)

    def motion_check(self, ask: MotionAsk) -> Callable[[Model], dict[str, Json]]:
        """What a model makes of what is asked: the request. That raises Rejected."""

        def check(model: Model) -> dict[str, Json]:
            request = requests.check_motion(ask, model, self._clock.now())
            if model.name in self._examiners:
                self._examiners[model.name](request)
            return request

        return check

    async def mesh(
        self,
        ask: MeshAsk,
        picture: bytes | Remote,
        mask: bytes | None,
        caller: Caller,
        key: str | None = None,
        *,
        sides: Mapping[str, bytes] = _NONE,
    ) -> Accepted:
        """Accept a mesh to be made from a picture, with the caller's own mask or without.

        `sides` are pictures of other sides than the front, by names of `core.requests.SIDES`.

        Raises:
            Rejected: IMAGE_REJECTED, IMAGE_TOO_LARGE, MODEL_UNKNOWN, INVALID_REQUEST,
                IDEMPOTENCY_CONFLICT, SHUTTING_DOWN, QUEUE_FULL, QUOTA_EXCEEDED,
                DEADLINE_UNREACHABLE, MODEL_NOT_READY; and what fetching raises.
            LedgerUnavailable, StorageFailed: nothing was accepted.
        """
        named = picture.url.encode() if isinstance(picture, Remote) else picture
        further = ({"mask": mask} if mask is not None else {}) | dict(sides)
        parts = [part for name in sides for part in (name.encode(), sides[name])]
        masks = [mask] if mask is not None else []
        keyed = IdempotencyKey(key, ask.digest(named, *masks, *parts)) if key else None
        return await self._once(self._mesh(ask, picture, further, caller, keyed), caller, keyed)

    async def _mesh(
        self,
        ask: MeshAsk,
        picture: bytes | Remote,
        further: Mapping[str, bytes],
        caller: Caller,
        key: IdempotencyKey | None,
    ) -> Accepted:
        check = self.mesh_check(ask, further.keys() - {"mask"})
        route, request = await self._router.choose("mesh", ask.model, caller, check)
        if isinstance(picture, Remote):
            # The job that the key led to is answered though its picture may be gone by now.
            if key is not None and (known := await self._ledger.replay(caller.user, key)):
                return Accepted(known, await self._outlook.eta(known), created=False)
            picture = await picture.fetch()
        given = {"picture": picture, **further}
        request |= await self.pictures(given)
        job = self.new_job(ask, route, request, caller)
        refs = tuple(files.input_ref(job.id, name, data) for name, data in given.items())
        # The files first: a job in the ledger has all that it needs.
        for ref, data in zip(refs, given.values(), strict=True):
            await self._artifacts.put(ref.key, data, ref.media_type)
        try:
            accepted = await self._submit(replace(job, inputs=refs), key)
        except (Rejected, IdempotencyConflict):
            await self._remove(refs)
            raise
        # After any other error the job may be there after all; the sweep knows.
        if not accepted.created or accepted.job.cached:
            await self._remove(refs)
        return accepted

    def mesh_check(
        self, ask: MeshAsk, sides: Collection[str]
    ) -> Callable[[Model], dict[str, Json]]:
        """The same for a mesh, of which pictures of these `sides` are given beside the front."""

        def check(model: Model) -> dict[str, Json]:
            return requests.check_mesh(ask, model, self._clock.now(), sorted(sides))

        return check

    async def pictures(self, given: Mapping[str, bytes]) -> dict[str, Json]:
        """What a request says of its pictures, by name. Raises Rejected."""
        facts: dict[str, Json] = {}
        for name, data in given.items():
            files.check_size(name, data, self._terms.picture_bytes)
            facts[name] = await asyncio.to_thread(
                files.examined, name, data, self._terms.picture_pixels
            )
        return facts

    async def _once(
        self, accepting: Awaitable[Accepted], caller: Caller, key: IdempotencyKey | None
    ) -> Accepted:
        """What is accepted, or the job that the key led to before, whatever would be refused now.

        A full queue, or a deadline that has passed since, says nothing about a job that is there.
        """
        try:
            try:
                return await accepting
            except Rejected:
                known = None if key is None else await self._ledger.replay(caller.user, key)
                if known is None:
                    raise
        except IdempotencyConflict:
            problem = "was used before with another body"
            raise Rejected(
                "IDEMPOTENCY_CONFLICT",
                f"The Idempotency-Key {problem}.",
                (FieldError("Idempotency-Key", problem, "a new key, or the same body"),),
            ) from None
        return Accepted(known, await self._outlook.eta(known), created=False)

    async def _remove(self, refs: Sequence[ArtifactRef]) -> None:
        for ref in refs:
            await self._artifacts.delete(ref.key)

    def new_job(
        self, ask: MotionAsk | MeshAsk, route: Route, request: dict[str, Json], caller: Caller
    ) -> Job:
        """The job as it would be submitted; its seed is drawn where none was given."""
        now, model = self._clock.now(), route.model
        if "seed" not in request:
            request |= {"seed": self._new_seed(), "seed_drawn": True}
        job = Job(
            id=self._new_id(),
            task=model.task,
            model=model.name,
            model_version=model.version,
            user=caller.user,
            request=request,
            pools=model.pools[:1] if request.get("texture") is False else model.pools,
            created_at=now,
            ready_at=now,
            priority=ask.priority,
            weight=model.weight(request),
            deadline=ask.deadline,
            request_id=caller.request_id,
            trace=caller.trace,
            webhook=ask.webhook,
            routed=route.routed.value,
        )
        return replace(job, content=content_of(job, self._terms.cache_share)) if ask.cache else job

    def check_open(self) -> None:
        """Raise Rejected with SHUTTING_DOWN where no more work is taken."""
        if self.closed:
            raise Rejected("SHUTTING_DOWN", "The server is stopping.", retry_after=5.0)

    async def _submit(self, job: Job, key: IdempotencyKey | None) -> Accepted:
        self.check_open()
        answering, missing = await self.answering(job.content)
        forecast = None
        if answering is None:
            forecast = await self._outlook.forecast(job)
            self.admit(job, forecast)
        if answering is not None and answering.ended:
            submission = await self._ledger.submit(job, key, missing)
        else:
            async with self.quota.place(job.user, until_one_ends(forecast)):
                submission = await self._ledger.submit(job, key, missing)
        taken = submission.job
        if not (submission.created and taken.in_line):
            return Accepted(taken, await self._outlook.eta(taken), submission.created)
        self._hints.ring(taken.pool, taken.id)
        self._outlook.arrived(taken)
        eta = forecast.estimate if forecast else await self._outlook.eta(taken)
        return Accepted(taken, eta, submission.created)

    async def answering(self, content: str) -> tuple[Job | None, Sequence[str]]:
        """The job that has this content made, or makes it; and which of its files are gone.

        With it there is no new work, and nothing to refuse.
        """
        job = await self._ledger.answering(content) if content else None
        if job is None or not job.ended:
            return job, ()
        with suppress(StorageFailed):
            keys = [artifact.key for artifact in job.artifacts]
            missing = [key for key in keys if not await self._artifacts.exists(key)]
            return (None if missing else job), missing
        # A store that does not answer now has lost nothing.
        return job, ()

    def admit(self, job: Job, forecast: Forecast) -> None:
        """Refuse at once what cannot be served in time, or at all. Raises Rejected."""
        if forecast.hopeless:
            detail = f"{job.model} cannot be served: {forecast.hopeless}"
            raise Rejected("MODEL_NOT_READY", detail, retry_after=self._terms.defunct_retry)
        if forecast.estimate is None:
            return
        left = None if job.deadline is None else job.deadline - self._clock.now()
        bounds = Bounds(self._terms.max_queue, self._terms.max_wait)
        refused = refusal(forecast.estimate, forecast.waiting, left, bounds, forecast.hoped)
        if refused is not None:
            raise Rejected(refused.code, refused.detail, retry_after=refused.retry_after)


def until_one_ends(forecast: Forecast | None) -> float:
    """Seconds after which one of the jobs before it may have ended: a guess, not a promise."""
    if forecast is None or forecast.estimate is None:
        return 30.0
    return forecast.estimate.seconds / max(1, forecast.waiting)


def _examiner(model: Model) -> Callable[[Mapping[str, Json]], None]:
    examine: Callable[[Mapping[str, Json]], None] = hook(model.examine)
    return examine


def hook(named: str) -> Any:
    """What a model names as "package.module:function"."""
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)
