"""What callers ask for, checked against the model that will make it."""

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from kinesphere.core import prompts
from kinesphere.core.catalog import Catalog, Model, Task
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY, Json

DEFAULT_DURATION: Final = 4.0
LARGEST_SEED: Final = 2**32 - 1
SIDES: Final = ("left", "back", "right")
"""Names of further pictures of the object, which models may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionAsk:
    """A motion as the caller asks for it.

    Attributes:
        prompt: What the figure does.
        duration: Seconds.
        seed: 0 to 2**32 - 1; None: one is drawn, and told in the job.
        format: File format; None: the model's default.
        model: Name of the model; None: the best that fits.
        priority: 0 to 9, 9 first.
        deadline: When the result is worth nothing any more, in seconds since the epoch.
        webhook: URL that is told of the job's end, checked; or None.
        cache: Whether it may be served what was made before, and others what it makes.
    """

    prompt: str
    duration: float = DEFAULT_DURATION
    seed: int | None = None
    format: str | None = None
    model: str | None = None
    priority: int = DEFAULT_PRIORITY
    deadline: float | None = None
    webhook: str | None = None
    cache: bool = True

    def digest(self) -> str:
        """SHA-256 over every field: equal for equal requests, for idempotency keys."""
        fields = [getattr(self, name) for name in self.__slots__]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAsk:
    """A mesh as the caller asks for it, its picture apart.

    Attributes:
        texture: Whether the mesh is textured; if not, the second stage is left out.
        faces: Triangles, within 5 %; None: as the model sees fit.
        seed: As for a motion.
        format: As for a motion.
        model: As for a motion.
        priority: As for a motion.
        deadline: As for a motion.
        webhook: As for a motion.
        cache: As for a motion.
    """

    texture: bool = True
    faces: int | None = None
    seed: int | None = None
    format: str | None = None
    model: str | None = None
    priority: int = DEFAULT_PRIORITY
    deadline: float | None = None
    webhook: str | None = None
    cache: bool = True

    def digest(self, *pictures: bytes) -> str:
        """SHA-256 over every field and the pictures."""
        fields = [getattr(self, name) for name in self.__slots__]
        fields += [hashlib.sha256(picture).hexdigest() for picture in pictures]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def choose(catalog: Catalog, task: Task, pinned: str | None) -> Model:
    """The model that will answer. Raises Rejected with MODEL_UNKNOWN."""
    model = catalog.find(task, pinned) if pinned is not None else catalog.default(task)
    if model is None:
        names = ", ".join(m.name for m in catalog.models if m.task == task) or "none is installed"
        problem = (
            f"no model named {pinned!r} makes a {task}" if pinned else f"nothing makes a {task}"
        )
        raise Rejected("MODEL_UNKNOWN", f"{problem}.", (FieldError("model", problem, names),))
    return model


def check_motion(ask: MotionAsk, model: Model, now: float) -> dict[str, Json]:
    """The request as the ledger keeps it, less the seed where none was given.

    Raises:
        Rejected: with every field that is wrong; the prompt's own faults come first and alone.
    """
    prompts.check(ask.prompt, model)
    wrong: list[FieldError] = []
    shortest, longest = model.durations or (0.0, math.inf)
    if not (math.isfinite(ask.duration) and shortest <= ask.duration <= longest):
        problem = f"is {ask.duration:g}"
        wrong.append(FieldError("duration", problem, f"{shortest:g} to {longest:g} seconds"))
    _refuse(wrong + _common_faults(ask, model, now))
    request: dict[str, Json] = {
        "prompt": ask.prompt,
        "duration": ask.duration,
        "format": ask.format or model.formats[0],
    }
    if ask.seed is not None:
        request["seed"] = ask.seed
    return request


def check_mesh(
    ask: MeshAsk, model: Model, now: float, sides: Collection[str] = ()
) -> dict[str, Json]:
    """The same for a mesh, of which pictures of these `sides` are given beside the front."""
    wrong: list[FieldError] = []
    allowed = f"a model that takes it; {model.name} takes {', '.join(model.sides) or 'none'}"
    wrong += [FieldError(s, "is not taken", allowed) for s in sides if s not in model.sides]
    fewest, most = model.faces or (1, 2**31)
    if ask.faces is not None and not fewest <= ask.faces <= most:
        wrong.append(FieldError("faces", f"is {ask.faces}", f"{fewest} to {most}"))
    _refuse(wrong + _common_faults(ask, model, now))
    request: dict[str, Json] = {
        "texture": ask.texture,
        "faces": ask.faces,
        "format": ask.format or model.formats[0],
    }
    if ask.seed is not None:
        request["seed"] = ask.seed
    return request


def _common_faults(ask: MotionAsk | MeshAsk, model: Model, now: float) -> list[FieldError]:
    wrong: list[FieldError] = []
    if ask.seed is not None and not 0 <= ask.seed <= LARGEST_SEED:
        wrong.append(FieldError("seed", f"is {ask.seed}", f"0 to {LARGEST_SEED}"))
    if ask.format is not None and ask.format not in model.formats:
        wrong.append(FieldError("format", f"is {ask.format!r}", ", ".join(model.formats)))
    if not LOWEST_PRIORITY <= ask.priority <= HIGHEST_PRIORITY:
        allowed = f"{LOWEST_PRIORITY} to {HIGHEST_PRIORITY}"
        wrong.append(FieldError("priority", f"is {ask.priority}", allowed))
    if ask.deadline is not None and not (math.isfinite(ask.deadline) and ask.deadline > now):
        wrong.append(FieldError("deadline", "is in the past", "a time in the future"))
    return wrong


def _refuse(wrong: list[FieldError]) -> None:
    if wrong:
        summary = "; ".join(f"{w.field} {w.problem}" for w in wrong)
        raise Rejected("INVALID_REQUEST", f"The request is not right: {summary}.", tuple(wrong))
