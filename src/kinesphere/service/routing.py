"""Choosing the model of a new job, by what releases and replicas say now."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from kinesphere.core.catalog import Catalog, Model, Task
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, Json
from kinesphere.core.requests import MotionAsk
from kinesphere.core.rollout import Release
from kinesphere.core.routing import SHORT, Route, Routed, Split, behind, lite, routes
from kinesphere.ports import Clock, LedgerUnavailable, Releases
from kinesphere.service.outlook import Outlook
from kinesphere.service.values import Caller

T = TypeVar("T")

FRESH: Final = 1.0
"""Seconds that what is known of the releases is used without looking again."""


class Router:
    """Knows the releases, within a second, and which pools are behind."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        releases: Releases,
        outlook: Outlook,
        clock: Clock,
        new_id: Callable[[], str],
        lite_wait: float,
    ) -> None:
        self._catalog = catalog
        self._releases = releases
        self._outlook = outlook
        self._clock = clock
        self._new_id = new_id
        self._lite_wait = lite_wait
        self._known: Mapping[str, Release] = {}
        self._until = -math.inf
        self._changes = 0
        self._changed = True
        self._looking = asyncio.Lock()
        self._behind: dict[str, bool] = {}

    def forget(self) -> None:
        """Answer no request from now on before the releases were looked at again."""
        self._changes += 1
        self._changed = True

    async def choose(
        self, task: Task, pinned: str | None, caller: Caller, check: Callable[[Model], T]
    ) -> tuple[Route, T]:
        """The model that answers, and what `check` makes of it. Raises Rejected.

        `check` raises Rejected for a model that cannot take the request.
        """
        # Nobody is known behind an anonymous caller, so each of his jobs stands for itself.
        split = await self._split(task) if pinned is None else None
        user = self._new_id() if caller.anonymous and split is not None else caller.user
        *others, last = routes(self._catalog, task, pinned, split, user)
        for route in others:
            with suppress(Rejected):
                return route, check(route.model)
        return last, check(last.model)

    async def motion(
        self, ask: MotionAsk, caller: Caller, check: Callable[[Model], dict[str, Json]]
    ) -> tuple[Route, dict[str, Json]]:
        """The same for a motion, which a lighter model may take when it is short."""
        route, request = await self.choose("motion", ask.model, caller, check)
        lighter = lite(self._catalog, route.model)
        if route.routed is Routed.PINNED or ask.duration >= SHORT or lighter is None:
            return route, request
        wait = await self._wait(route.model, request, caller, ask.priority)
        if not self._is_behind(route.model, wait):
            return route, request
        with suppress(Rejected):
            lite_request = check(lighter)
            # It may have more than it can do itself.
            if await self._wait(lighter, lite_request, caller, ask.priority) < wait:
                return Route(lighter, Routed.LITE), lite_request
        return route, request

    async def default(self, task: Task) -> Model | None:
        """Who answers when no model is named, apart from a canary's part: what was promoted last.

        None where nothing serves the task.
        """
        release = await self._release(task)
        settled = self._catalog.find(task, release.settled) if release is not None else None
        return settled or self._catalog.default(task)

    async def _release(self, task: Task) -> Release | None:
        """The task's last release, as it was within the last second."""
        if self._changed:
            async with self._looking:
                if self._changed:
                    await self._look()
        elif self._clock.monotonic() >= self._until:
            # Of many requests at once, one looks, and the others go on.
            await self._look()
        return self._known.get(task)

    async def _look(self) -> None:
        self._until = self._clock.monotonic() + FRESH
        changes = self._changes
        with suppress(LedgerUnavailable):
            known = await self._releases.current()
            # A look that began before a change may end after one that began later.
            if changes == self._changes:
                self._known, self._changed = known, False

    async def _split(self, task: Task) -> Split | None:
        release = await self._release(task)
        if release is None:
            return None
        default = self._catalog.default(task)
        if release.over and default is not None and release.settled == default.name:
            return None
        return release.split

    def _is_behind(self, model: Model, wait: float) -> bool:
        was = self._behind.get(model.name, False)
        self._behind[model.name] = behind(was, wait, self._lite_wait)
        return self._behind[model.name]

    async def _wait(
        self, model: Model, request: Mapping[str, Json], caller: Caller, priority: int
    ) -> float:
        """Seconds until a job of this model would begin."""
        now = self._clock.now()
        job = Job(
            id="", task=model.task, model=model.name, model_version=model.version,
            user=caller.user, request=request, pools=model.pools, created_at=now, ready_at=now,
            priority=priority, weight=model.weight(request),
        )  # fmt: skip
        forecast = await self._outlook.forecast(job)
        if forecast.hopeless:
            return math.inf
        return forecast.estimate.start if forecast.estimate is not None else 0.0
