"""The use cases: everything that happens to the platform enters here, whoever asks.

HTTP, the command line and tests call these methods; none of them knows a status code or a header.
Every refusal is a `Rejected` with a stable code.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module

from kinesphere.core import admission, requests
from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import (
    ArtifactRef,
    Cancel,
    EventKind,
    Job,
    Json,
    State,
    WrongState,
)
from kinesphere.core.requests import MeshAsk, MotionAsk
from kinesphere.ports import (
    Artifacts,
    Backlog,
    Clock,
    Feed,
    Hints,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    JobUnknown,
    Ledger,
    Pools,
    Progress,
    Record,
)
from kinesphere.service import files
from kinesphere.service.values import Accepted, Caller, Content, Link, Pool, Terms

_LAST = frozenset(
    {EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED, EventKind.EXPIRED}
)  # fmt: skip
_NOTHING = Backlog(waiting=0, running=0, oldest=None)


class Service:
    """The platform's use cases over its ports."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        ledger: Ledger,
        hints: Hints,
        feed: Feed,
        artifacts: Artifacts,
        pools: Pools,
        clock: Clock,
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
        terms: Terms,
    ) -> None:
        self.catalog = catalog
        self.draining = False
        self._ledger = ledger
        self._hints = hints
        self._feed = feed
        self._artifacts = artifacts
        self._pools = pools
        self._clock = clock
        self._new_id = new_id
        self._new_seed = new_seed
        self._terms = terms
        self._waits: set[asyncio.Timeout] = set()
        self._examiners = {m.name: _examiner(m) for m in catalog.models if m.examine}

    # ------------------------------------------------------------------------------- jobs

    async def submit_motion(
        self, ask: MotionAsk, caller: Caller, key: str | None = None
    ) -> Accepted:
        """Accept a motion: when this returns, the job is committed and will not be lost.

        Raises:
            Rejected: PROMPT_TOO_LONG, PROMPT_NOT_UNDERSTOOD, MODEL_UNKNOWN, INVALID_REQUEST,
                IDEMPOTENCY_CONFLICT, SHUTTING_DOWN, QUEUE_FULL.
            LedgerUnavailable: nothing was accepted.
        """
        model = requests.choose(self.catalog, "motion", ask.model)
        request = requests.check_motion(ask, model, self._clock.now())
        if model.name in self._examiners:
            self._examiners[model.name](request)
        job = self._new_job(ask, model, request, caller)
        return await self._submit(job, IdempotencyKey(key, ask.digest()) if key else None)

    async def submit_mesh(
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
        model = requests.choose(self.catalog, "mesh", ask.model)
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
        if self.draining:
            raise Rejected("SHUTTING_DOWN", "The server is stopping.", retry_after=5.0)
        backlog = (await self._ledger.backlogs()).get(job.pool, _NOTHING)
        if backlog.waiting >= self._terms.max_queue:
            ahead = self._estimate(job.pool, backlog)
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
        eta = None if submission.job.ended else self._estimate(submission.job.pool, backlog)
        return Accepted(submission.job, eta, submission.created)

    async def job(self, job_id: str, caller: Caller) -> Job:
        """One of the caller's jobs. Raises Rejected with JOB_NOT_FOUND."""
        job = await self._ledger.get(job_id)
        if job is None or not (caller.operator or job.user == caller.user):
            raise Rejected("JOB_NOT_FOUND", f"There is no job {job_id!r}.")
        return job

    async def jobs(self, query: JobQuery) -> tuple[Job, ...]:
        """A page of jobs, newest first."""
        return await self._ledger.list(query)

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """End a job that has not ended. Raises Rejected: JOB_NOT_FOUND, JOB_FINISHED."""
        await self.job(job_id, caller)
        try:
            return await self._ledger.apply(job_id, Cancel())
        except WrongState:
            job = await self.job(job_id, caller)
            raise Rejected(
                "JOB_FINISHED", f"The job has already ended: {job.state.value}."
            ) from None
        except JobUnknown:
            raise Rejected("JOB_NOT_FOUND", f"There is no job {job_id!r}.") from None

    async def wait(self, job_id: str, caller: Caller, seconds: float) -> Job:
        """The job when it has ended, or as it stands after `seconds` or when the server stops."""
        async with self._feed.listen(job_id) as news:
            job = await self.job(job_id, caller)
            if job.ended:
                return job
            async with self._patience(seconds):
                async for item in news:
                    if isinstance(item, Record) and item.event.kind in _LAST:
                        break
            return await self.job(job_id, caller)

    async def follow(
        self, job_id: str, caller: Caller, after: int = 0
    ) -> AsyncIterator[Record | Progress]:
        """Stored events after `after`, then news as it comes, until the job has ended.

        It ends too when the server stops; then the last event is not a terminal one.
        """
        await self.job(job_id, caller)
        async with self._feed.listen(job_id) as news, self._patience(None):
            last = after
            # Asked before the events are read: an end that comes between is then in what follows.
            over = await self._ended(job_id)
            for record in await self._ledger.events(after, job_id):
                yield record
                last = record.seq
                over = over or record.event.kind in _LAST
                over = over and record.event.kind is not EventKind.REVIVED
            if over:
                return
            async for item in news:
                if isinstance(item, Progress):
                    yield item
                elif item.seq > last:
                    yield item
                    last = item.seq
                    if item.event.kind in _LAST:
                        return

    def let_go(self) -> None:
        """End every `wait` and `follow`: the server stops, and they would wait in vain."""
        for patience in self._waits:
            patience.reschedule(0.0)

    @asynccontextmanager
    async def _patience(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds) as patience:
                self._waits.add(patience)
                try:
                    yield
                finally:
                    self._waits.discard(patience)
        except TimeoutError:
            pass

    async def _ended(self, job_id: str) -> bool:
        job = await self._ledger.get(job_id)
        return job is None or job.ended

    def progress(self, job: Job) -> tuple[float, str]:
        """How far a job is, 0 to 1 over all its stages, and what is being done."""
        latest = self._feed.latest(job.id) if job.state is State.RUNNING else None
        within, phase = job.progress, ""
        if latest is not None and latest.token == job.token:
            within, phase = latest.fraction, latest.phase
        if job.state is State.SUCCEEDED:
            return 1.0, ""
        return (job.stage + within) / len(job.pools), phase

    def links(self, job: Job) -> tuple[Link, ...]:
        """Fresh signed links to everything that the job has made."""
        expires = float(int(self._clock.now() + self._terms.link_seconds))
        return tuple(Link(a, self._artifacts.link(a, expires), expires) for a in job.artifacts)

    async def converted(self, job_id: str, caller: Caller, wanted: str) -> Content:
        """What a job has made, in another format, without running the model again.

        Raises Rejected: JOB_NOT_FOUND, FORMAT_UNAVAILABLE.
        """
        job = await self.job(job_id, caller)
        source = files.source_of(job, wanted)
        data = await self._artifacts.read(source.key)
        return await asyncio.to_thread(files.converted, source, data, wanted)

    async def judged(self, name: str, data: bytes) -> dict[str, Json]:
        """Every quality measure of a motion or mesh file. Raises Rejected: FILE_REJECTED."""
        return await asyncio.to_thread(files.judged, name, data)

    async def judged_job(self, job_id: str, caller: Caller) -> dict[str, Json]:
        """The same of what a job has made. Raises Rejected, as `converted` does."""
        source = files.source_of(await self.job(job_id, caller), None)
        return await self.judged(source.name, await self._artifacts.read(source.key))

    async def eta(self, job: Job) -> Estimate | None:
        """When an unfinished job may be done; an upper figure, as if it were last in line."""
        if job.ended:
            return None
        return self._estimate(job.pool, (await self._ledger.backlogs()).get(job.pool, _NOTHING))

    def _estimate(self, pool: str, backlog: Backlog) -> Estimate | None:
        status = self._pools.statuses().get(pool)
        if status is None:
            return None
        stage = self.catalog.pools()[pool][1]
        return admission.estimate(
            status.service,
            backlog.waiting,
            backlog.running,
            status.serving,
            start_up=min(stage.load_limit, 5.0),
        )

    # -------------------------------------------------------------------------- operations

    async def pools(self) -> tuple[Pool, ...]:
        """Every pool with its replicas and its backlog."""
        backlogs = await self._ledger.backlogs()
        statuses = self._pools.statuses()
        return tuple(
            Pool(name, model, statuses[name], backlogs.get(name, _NOTHING))
            for name, (model, _) in self.catalog.pools().items()
            if name in statuses
        )

    def unready(self) -> Mapping[str, str]:
        """Why the platform cannot take work now, by pool; empty when it can."""
        if self.draining:
            return {"server": "stopping"}
        return {
            pool: status.detail or "starting"
            for pool, status in self._pools.statuses().items()
            if status.serving == 0
        }

    async def warm(self, seconds: float) -> Mapping[str, str]:
        """Wait up to `seconds` for every pool to be ready; what is not, by pool."""
        await self._pools.warm(seconds)
        return self.unready()

    def now(self) -> float:
        """The platform's time, in seconds since the epoch."""
        return self._clock.now()


def _examiner(model: Model) -> Callable[[Mapping[str, Json]], None]:
    module, _, name = model.examine.partition(":")
    examine: Callable[[Mapping[str, Json]], None] = getattr(import_module(module), name)
    return examine
