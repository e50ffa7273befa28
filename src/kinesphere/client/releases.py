"""Releases that an operator begins, watches and stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kinesphere.client.effects import Flow, Request
from kinesphere.client.flows import Flows
from kinesphere.client.values import read, read_items


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEntry:
    """What a release did, when and why, and the figures that it decided by."""

    at: datetime
    what: str
    why: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of a model.

    Attributes:
        id: ULID.
        task: "motion" or "mesh".
        stable: Name of the model that answered before.
        canary: Name of the new one.
        state: "running", "paused", "promoted", "rolled_back" or "aborted".
        step: Index into the steps, from 0.
        started_at, step_at: When it and its present step began.
        terms: `steps` in percent, `hold_seconds`, `samples`, `alpha`, `slower`, `memory`.
        figures: The numbers as they are now: `canary_percent`, `canary_users`, `jobs`, `tests`, …
        record: What happened, the oldest first.
    """

    id: str
    task: str
    stable: str
    canary: str
    state: str
    step: int
    started_at: datetime
    step_at: datetime
    terms: Mapping[str, Any]
    figures: Mapping[str, Any]
    record: tuple[ReleaseEntry, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing can change it any more."""
        return self.state not in ("running", "paused")


def releases(flows: Flows) -> Flow[tuple[Release, ...]]:
    """The last release of each task."""
    return read_items((yield from flows.get("/v1/releases")), Release)


def release(flows: Flows, task: str) -> Flow[Release]:
    """The last release of a task."""
    return read((yield from flows.get(_path(task))), Release)


def start_release(
    flows: Flows, task: str, canary: str, steps: Sequence[float] | None, terms: Mapping[str, float]
) -> Flow[Release]:
    """Begin one. The same again, while it runs, changes nothing, so it may be sent twice."""
    body: dict[str, Any] = {"canary": canary, **terms}
    if steps is not None:
        body["steps"] = list(steps)
    answer = yield from flows.send(Request(method="PUT", url=_path(task), json=body, safe=True))
    return read(answer.body, Release)


def order_release(flows: Flows, task: str, order: str) -> Flow[Release]:
    """Pause, resume, promote or abort it; twice is as once."""
    request = Request(method="POST", url=f"{_path(task)}/{order}", safe=True)
    return read((yield from flows.send(request)).body, Release)


def _path(task: str) -> str:
    return f"/v1/releases/{quote(task, safe='')}"
