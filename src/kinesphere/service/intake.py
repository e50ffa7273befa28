"""Accepting work: when these return, the job is committed and will not be lost."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from kinesphere.core import requests
from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import ArtifactRef, Job, Json
from kinesphere.core.requests import MeshAsk, MotionAsk
from kinesphere.ports import (
    Artifacts,
    Clock,
    Hints,
    IdempotencyConflict,
    IdempotencyKey,
    Ledger,
)
from kinesphere.service import files
from kinesphere.service.outlook import NOTHING, Outlook
from kinesphere.service.values import Accepted, Caller, Terms


class Intake:
    """Turns what a caller asks for into jobs, or says why not."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        ledger: Ledger,
        hints: Hints,
        artifacts: Artifacts,
        outlook: Outlook,
        clock: Clock,
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
        terms: Terms,
    ) -> None:
        self.closed = False
        self._catalog = catalog
        self._ledger = ledger
        self._hints = hints
        self._artifacts = artifacts
        self._outlook = outlook
        self._clock = clock
        self._new_id = new_id
        self._new_seed = new_seed
        self._terms = terms
        self._examiners = {m.name: _examiner(m) for m in catalog.models if m.examine}

    async def motion(self, ask: MotionAsk, caller: Caller, key: str | None = None) -> Accepted:
        """Accept a motion: when this returns, the job is committed and will not be lost.

        Raises:
            Rejected: PROMPT_TOO_LONG, PROMPT_NOT_UNDERSTOOD, MODEL_UNKNOWN, INVALID_REQUEST,
                IDEMPOTENCY_CONFLICT, SHUTTING_DOWN, QUEUE_FULL.
            LedgerUnavailable: nothing was accepted.
        """
        model = requests.choose(self._catalog, "motion", ask.model)
        request = requests.check_motion(ask, model, self._clock.now())
        if model.name in self._examiners:
            self._examiners[model.name](request)
        job = self._new_job(ask, model, request, caller)
        return await self._submit(job, IdempotencyKey(key, ask.digest()) if key else None)

    async def mesh(
        self,
        ask: MeshAsk,
        picture: bytes,
        mask: bytes | None,
        caller: Caller,
        key: str | None = None,
    ) -> Accepted:
        """Accept a mesh to be made from a picture, with the caller's own mask or without.

        Raises:
            Rejected: IMAGE_REJECTED, IMAGE_TOO_LARGE, MODEL_UNKNOWN, INVALID_REQUEST,
                IDEMPOTENCY_CONFLICT, SHUTTING_DOWN, QUEUE_FULL.
            LedgerUnavailable, StorageFailed: nothing was accepted.
        """
        model = requests.choose(self._catalog, "mesh", ask.model)
        request = requests.check_mesh(ask, model, self._clock.now())
        given = {"picture": picture} | ({"mask": mask} if mask is not None else {})
        terms = self._terms
        for name, data in given.items():
            files.check_size(name, data, terms.picture_bytes)
            request[name] = await asyncio.to_thread(
                files.examined, name, data, terms.picture_pixels
            )
        job = self._new_job(ask, model, request, caller)
        if not ask.texture:
            job = replace(job, pools=model.pools[:1])
        refs = tuple(files.input_ref(job.id, name, data) for name, data in given.items())
        # The files first: a job in the ledger has all that it needs.
        for ref, data in zip(refs, given.values(), strict=True):
            await self._artifacts.put(ref.key, data)
        digest = IdempotencyKey(key, ask.digest(*given.values())) if key else None
        try:
            accepted = await self._submit(replace(job, inputs=refs), digest)
        except Rejected:
            await self._remove(refs)
            raise
        # After any other error the job may be there after all; the sweep knows.
        if not accepted.created:
            await self._remove(refs)
        return accepted

    async def _remove(self, refs: Sequence[ArtifactRef]) -> None:
        for ref in refs:
            await self._artifacts.delete(ref.key)

    def _new_job(
        self, ask: MotionAsk | MeshAsk, model: Model, request: dict[str, Json], caller: Caller
    ) -> Job:
        now = self._clock.now()
        if "seed" not in request:
            request |= {"seed": self._new_seed(), "seed_drawn": True}
        return Job(
            id=self._new_id(),
            task=model.task,
            model=model.name,
            model_version=model.version,
            user=caller.user,
            request=request,
            pools=model.pools,
            created_at=now,
            ready_at=now,
            priority=ask.priority,
            deadline=ask.deadline,
            request_id=caller.request_id,
        )

    async def _submit(self, job: Job, key: IdempotencyKey | None) -> Accepted:
        if self.closed:
            raise Rejected("SHUTTING_DOWN", "The server is stopping.", retry_after=5.0)
        backlog = (await self._ledger.backlogs()).get(job.pool, NOTHING)
        if backlog.waiting >= self._terms.max_queue:
            ahead = self._outlook.estimate(job.pool, backlog)
            raise Rejected(
                "QUEUE_FULL",
                f"{backlog.waiting} jobs are waiting for {job.model}; no more are taken.",
                retry_after=max(1.0, ahead.seconds / 2) if ahead else 30.0,
            )
        try:
            submission = await self._ledger.submit(job, key)
        except IdempotencyConflict:
            problem = "was used before with another body"
            raise Rejected(
                "IDEMPOTENCY_CONFLICT",
                f"The Idempotency-Key {problem}.",
                (FieldError("Idempotency-Key", problem, "a new key, or the same body"),),
            ) from None
        if submission.created:
            self._hints.ring(job.pool)
        eta = None if submission.job.ended else self._outlook.estimate(submission.job.pool, backlog)
        return Accepted(submission.job, eta, submission.created)


def _examiner(model: Model) -> Callable[[Mapping[str, Json]], None]:
    module, _, name = model.examine.partition(":")
    examine: Callable[[Mapping[str, Json]], None] = getattr(import_module(module), name)
    return examine
