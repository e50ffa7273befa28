"""Releases: what an operator orders, and the loop that decides by what jobs come to."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NoReturn, Protocol

from kinesphere.core import rollout
from kinesphere.core.catalog import Catalog, Model, Task
from kinesphere.core.evidence import Sample
from kinesphere.core.failures import Fault, FieldError, Rejected, kind
from kinesphere.core.jobs import EventKind, Job, State
from kinesphere.core.rating import comparable
from kinesphere.core.replicas import Status
from kinesphere.core.rollout import Ended, Entry, Order, Phase, Release, Seen, Terms
from kinesphere.core.routing import Routed
from kinesphere.ports import Clock, Ledger, LedgerUnavailable, Record, Releases

_log = logging.getLogger("kinesphere.releases")

LOOK: Final = 0.5
"""Seconds between two looks at the jobs that ended."""

PAGE: Final = 1_000
_TRIES: Final = 20
_REJECTED: Final = "QUALITY_REJECTED"
_ENDS: Final = frozenset({EventKind.SUCCEEDED, EventKind.FAILED})


class Verdicts(Protocol):
    """Is told what releases do, for the metrics."""

    def release(self, task: str, what: str) -> None:
        """Count one step, promotion, rollback or order."""
        ...


class Rollouts:
    """Begins releases, obeys operators, and decides by what it sees."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        releases: Releases,
        ledger: Ledger,
        replicas: Callable[[], Sequence[Status]],
        clock: Clock,
        new_id: Callable[[], str],
        changed: Callable[[], None],
        verdicts: Verdicts | None = None,
    ) -> None:
        self._catalog = catalog
        self._releases = releases
        self._ledger = ledger
        self._replicas = replicas
        self._clock = clock
        self._new_id = new_id
        self._changed = changed
        self._verdicts = verdicts

    # --------------------------------------------------------------------------------- orders

    async def current(self) -> Mapping[str, Release]:
        """The last release of each task."""
        return await self._releases.current()

    async def get(self, task: str) -> Release:
        """The last release of a task. Raises Rejected with RELEASE_NOT_FOUND."""
        found = (await self._releases.current()).get(task)
        if found is None:
            raise Rejected("RELEASE_NOT_FOUND", f"The task {task!r} has had no release.")
        return found

    async def start(self, task: Task, canary: str, terms: Terms) -> Release:
        """Begin a release; one that runs with the same canary and terms is returned as it is.

        Raises Rejected: MODEL_UNKNOWN, INVALID_REQUEST, RELEASE_RUNNING.
        """
        _check_terms(terms)
        known = (await self._releases.current()).get(task)
        if known is not None and not known.over:
            return _same(known, canary, terms)
        stable = self._stable(task, known)
        self._check_canary(task, stable, canary)
        new = rollout.begun(
            release_id=self._new_id(), task=task, stable=stable.name, canary=canary, terms=terms,
            now=self._clock.now(),
        )  # fmt: skip
        begun = await self._releases.begin(new)
        if begun is None:
            return _same(await self.get(task), canary, terms)
        self._tell(begun, begun.record)
        return begun

    async def order(self, task: str, order: Order) -> Release:
        """Do what an operator says. Raises Rejected: RELEASE_NOT_FOUND, RELEASE_OVER."""
        for _ in range(_TRIES):
            known = await self.get(task)
            try:
                after, told = rollout.obey(known, order, self._clock.now())
            except Ended:
                # Who asks twice is told that it is so.
                if _is_so(known, order):
                    return known
                detail = f"The release of {known.canary} is over: {known.phase.value}."
                raise Rejected("RELEASE_OVER", detail) from None
            if after == known:
                return known
            saved = await self._saved(after, told)
            if saved is not None:
                return saved
        raise LedgerUnavailable("the release changes faster than an order can be stored")

    async def rate(self, task: str, pair: Sequence[str], better: str | None, user: str) -> Release:
        """Count what a user says of two jobs: which of them is better, or None for neither.

        The same pair again changes nothing. Raises Rejected: RELEASE_NOT_FOUND, RELEASE_OVER,
        INVALID_REQUEST where they are not the two models' of one request.
        """
        jobs = [await self._ledger.get(job_id) for job_id in pair]
        for _ in range(_TRIES):
            known = await self.get(task)
            if known.over:
                detail = f"The release of {known.canary} is over: {known.phase.value}."
                raise Rejected("RELEASE_OVER", detail)
            arms = _arms(known, jobs)
            arm = next((name for name, job in arms.items() if job.id == better), None)
            ratings = known.ratings.rated(user, arms, arm)
            if ratings == known.ratings:
                return known
            saved = await self._saved(replace(known, ratings=ratings), ())
            if saved is not None:
                return saved
        raise LedgerUnavailable("the release changes faster than a rating can be stored")

    def _stable(self, task: Task, before: Release | None) -> Model:
        settled = self._catalog.find(task, before.settled) if before is not None else None
        stable = settled or self._catalog.default(task)
        if stable is None:
            raise Rejected("MODEL_UNKNOWN", f"nothing makes a {task}.")
        return stable

    def _check_canary(self, task: Task, stable: Model, name: str) -> None:
        canary = self._catalog.find(task, name)
        if canary is None:
            names = ", ".join(m.name for m in self._catalog.models if m.task == task)
            problem = f"no model named {name!r} makes a {task}"
            raise Rejected("MODEL_UNKNOWN", f"{problem}.", (FieldError("canary", problem, names),))
        problem = f"is {name!r}, which answers already" if canary == stable else ""
        missing = [f for f in stable.formats if f not in canary.formats]
        if missing:
            problem = f"does not make {', '.join(missing)}, which {stable.name} does"
        if problem:
            _refuse("canary", problem, "another model that takes whatever the stable one takes")

    # ----------------------------------------------------------------------------------- the loop

    async def run(self) -> None:
        """Look and decide until cancelled. One process does at a time; two would do no harm."""
        while True:
            try:
                await self.look()
            except LedgerUnavailable as error:
                extra = {"action": "release.unseen", "error_code": "LEDGER_UNAVAILABLE"}
                _log.warning("releases wait: %s", error, extra=extra)
            await self._clock.sleep(LOOK)

    async def look(self) -> None:
        """See what has ended since the last look, and decide."""
        for release in (await self._releases.current()).values():
            seeing: Release | None = release
            while seeing is not None and not seeing.over:
                seeing = await self._look(seeing)

    async def _look(self, release: Release) -> Release | None:
        """The release after a page of events, or None when there are no more for now."""
        records = await self._ledger.events(release.cursor, limit=PAGE)
        ends = [record for record in records if record.event.kind in _ENDS]
        jobs = await asyncio.gather(*(self._sample(release, end) for end in ends))
        seen = Seen(
            samples=[found for found in jobs if found is not None],
            cursor=records[-1].seq if records else release.cursor,
            memory=self._memory(release),
        )
        after, told = rollout.decide(release, seen, self._clock.now())
        saved = await self._saved(after, told) if after != release else None
        return saved if len(records) == PAGE else None

    async def _sample(self, release: Release, end: Record) -> tuple[str, bool, Sample] | None:
        """One ended job of the release: who asked, whether of the canary, and how it went."""
        job = await self._ledger.get(end.job_id)
        if job is None or not _counts(release, job):
            return None
        codes = [job.failure.code] if job.failure is not None else []
        # A retry that went well hides what it was for.
        if job.attempts > 1 or job.losses:
            codes += [
                str(record.event.data.get("code") or "")
                for record in await self._ledger.events(job_id=job.id)
                if record.event.kind is EventKind.REQUEUED
            ]
        others = [code for code in codes if code != _REJECTED]
        started = job.started_at if job.started_at is not None else job.created_at
        sample = Sample(
            seconds=max(0.0, end.at - job.created_at),
            running=max(0.0, end.at - started),
            troubled=any(code and kind(code).fault is not Fault.CALLER for code in others),
            poor=_REJECTED in codes or _warned(job),
        )
        return job.user, job.model == release.canary, sample

    def _memory(self, release: Release) -> dict[str, tuple[int, int]]:
        largest: Counter[tuple[str, str]] = Counter()
        for status in self._replicas():
            taken = {"main": status.memory, "device": status.placement.taken or 0}
            for name, size in taken.items():
                largest[name, status.model] = max(largest[name, status.model], size)
        pairs = {
            name: (largest[name, release.stable], largest[name, release.canary])
            for name in rollout.MEMORIES
        }
        return {name: pair for name, pair in pairs.items() if all(pair)}

    async def _saved(self, after: Release, told: Sequence[Entry]) -> Release | None:
        """The release as stored, or None where another has stored a version of it meanwhile."""
        stored = replace(after, version=after.version + 1)
        if not await self._releases.save(stored):
            return None
        self._tell(stored, told)
        return stored

    def _tell(self, release: Release, told: Sequence[Entry]) -> None:
        if told:
            self._changed()
        for entry in told:
            extra = {"action": f"release.{entry.what}", "model": release.canary}
            _log.info(
                "release of %s for %s, %s: %s; it answers %g %%, and has answered %d users",
                *(release.canary, release.task, entry.what, entry.why),
                *(100.0 * release.part, release.users.number),
                extra=extra,
            )
            if self._verdicts is not None:
                self._verdicts.release(release.task, entry.what)


def _arms(release: Release, jobs: Sequence[Job | None]) -> dict[str, Job]:
    """The jobs of a pair by arm."""
    by_model = {job.model: job for job in jobs if job is not None}
    stable, canary = by_model.get(release.stable), by_model.get(release.canary)
    if stable is None or canary is None or not comparable(stable, canary):
        allowed = f"one done by {release.stable} and one by {release.canary}, of one request"
        _refuse("jobs", "are no pair of this release", allowed)
    return {"stable": stable, "canary": canary}


def _counts(release: Release, job: Job) -> bool:
    """Whether a job speaks for its model: given by this release, and run for itself."""
    return (
        job.task == release.task
        and job.routed == Routed.RELEASE
        and job.created_at >= release.started_at
        and job.model in (release.stable, release.canary)
        and not (job.cached or job.joined)
        and job.state in (State.SUCCEEDED, State.FAILED)
    )


def _warned(job: Job) -> bool:
    """Whether a check of a joint warned of what it made."""
    quality = job.notes.get("quality")
    warned = quality.get("warned") if isinstance(quality, dict) else None
    return isinstance(warned, list) and any(str(name).startswith("limit_") for name in warned)


def _is_so(release: Release, order: Order) -> bool:
    done = {Order.PROMOTE: Phase.PROMOTED, Order.ABORT: Phase.ABORTED}
    return done.get(order) is release.phase


def _same(known: Release, canary: str, terms: Terms) -> Release:
    if (known.canary, known.terms) == (canary, terms):
        return known
    detail = f"A release of {known.canary} is {known.phase.value}; promote or abort it first."
    raise Rejected("RELEASE_RUNNING", detail)


def _check_terms(terms: Terms) -> None:
    rising = all(a < b for a, b in zip(terms.steps, terms.steps[1:], strict=False))
    if not terms.steps or not rising or terms.steps[0] <= 0.0 or terms.steps[-1] > 100.0:
        _refuse("steps", "are not right", "rising percentages over 0 and up to 100")


def _refuse(field: str, problem: str, allowed: str) -> NoReturn:
    fault = FieldError(field, problem, allowed)
    raise Rejected("INVALID_REQUEST", f"The request is not right: {field} {problem}.", (fault,))
