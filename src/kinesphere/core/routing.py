"""Which model answers: the one that was pinned, the one that a release gives, or a lighter one.

A user's place in a release is a number in [0, 1) made from his name and the release's id. He has
the canary where it is below the canary's part: so parts are exact in the long run, a user keeps his
model, and raising the part moves users to the canary and none away from it.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kinesphere.core.catalog import Catalog, Model, Task
from kinesphere.core.requests import choose

SHORT: Final = 3.0
"""Seconds of motion below which a lighter model may answer."""

RELIEF: Final = 0.25
"""Part of the wait at which the lighter model began to answer, at which it no longer does."""


class Routed(StrEnum):
    """Why this model answers.

    PINNED: the caller named it. DEFAULT: nothing else was said. RELEASE: a release gave it. LITE:
    the motion is short, and the model that would have answered is behind.
    """

    PINNED = "pinned"
    DEFAULT = "default"
    RELEASE = "release"
    LITE = "lite"


@dataclass(frozen=True, slots=True)
class Split:
    """How a release shares a task's traffic.

    Attributes:
        release: Its id.
        stable: Model of whoever does not have the canary.
        canary: The new model.
        part: The canary's part, 0 to 1.
    """

    release: str
    stable: str
    canary: str
    part: float

    def model(self, user: str) -> str:
        """The name of a user's model."""
        return self.canary if place(user, self.release) < self.part else self.stable


@dataclass(frozen=True, slots=True)
class Route:
    """A model, and why it."""

    model: Model
    routed: Routed


def place(user: str, release: str) -> float:
    """Where a user stands in a release, in [0, 1): uniform over users, apart between releases."""
    digest = hashlib.sha256(f"{release}\0{user}".encode()).digest()
    # 53 bits: a float takes no more, and rounding up would make a 1.
    return (int.from_bytes(digest[:8]) >> 11) / 2.0**53


def routes(
    catalog: Catalog, task: Task, pinned: str | None, split: Split | None, user: str
) -> tuple[Route, ...]:
    """The models that may answer, the first that takes the request does. Raises Rejected.

    More than one only where the release's canary comes first: what it refuses, the stable model may
    take, as it did before there was a release.
    """
    if pinned is not None:
        return (Route(choose(catalog, task, pinned), Routed.PINNED),)
    default = choose(catalog, task, None)
    if split is None:
        return (Route(default, Routed.DEFAULT),)
    name = split.model(user)
    chosen, stable = catalog.find(task, name), catalog.find(task, split.stable) or default
    if chosen is None:
        return (Route(stable, Routed.DEFAULT),)
    if name == split.canary and split.part < 1.0:
        return Route(chosen, Routed.RELEASE), Route(stable, Routed.DEFAULT)
    return (Route(chosen, Routed.RELEASE),)


def lite(catalog: Catalog, model: Model) -> Model | None:
    """The lighter form of a model, the highest in rank where there are several."""
    found = [m for m in catalog.models if m.task == model.task and m.lite_of == model.name]
    return max(found, key=lambda m: m.rank, default=None)


def behind(was: bool, wait: float, limit: float) -> bool:
    """Whether a pool is behind, given whether it was, and the wait for it in seconds.

    It is from `limit` seconds on, and until the wait is a quarter of that: else each short motion
    that goes elsewhere would call back the next.
    """
    return wait >= (limit * RELIEF if was else limit)
