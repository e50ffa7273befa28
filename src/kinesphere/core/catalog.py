"""What a model declares about itself: enough to admit, route and schedule without loading it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kinesphere.core.fitting import Profile

Task = Literal["motion", "mesh"]

TASKS: Final[tuple[Task, ...]] = ("motion", "mesh")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a model, run by one pool.

    Attributes:
        name: "" for the only stage of a model, else such as "shape".
        engine: "package.module:Class" of the engine, imported in the replica's child process only.
        batch_limit: Jobs in one `run` at most.
        seconds: (fixed, per job) first guess of a batch's time, until it has been measured.
        load_limit: Seconds that `load` and `warm_up` together may take.
        run_limit: Seconds that one `run` may take before its process is killed.
        options: Passed to the engine's constructor as keywords; JSON values.
        profiles: Ways to run it, best first; the replica takes the first that fits its device and
            passes its options too. None where the model needs no choice.
    """

    name: str
    engine: str
    batch_limit: int = 1
    seconds: tuple[float, float] = (0.0, 1.0)
    load_limit: float = 600.0
    run_limit: float = 300.0
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """How a model's work grows with its requests.

    Attributes:
        field: Name of the number in the request that it grows with.
        typical: That number in a typical request, and where a request leaves it out.
        share: Part of a typical request's time that grows in proportion to it, 0 to 1.
    """

    field: str
    typical: float
    share: float = 1.0

    def weight(self, request: Mapping[str, object]) -> float:
        """The work of a request beside a typical one, which weighs 1."""
        given = request.get(self.field)
        number = float(given) if isinstance(given, int | float) else self.typical
        return 1.0 - self.share + self.share * number / self.typical


@dataclass(frozen=True, slots=True)
class Model:
    """A named, versioned engine with its limits.

    Attributes:
        name: Stable name that callers may pin.
        version: Changes whenever the same request may give other bytes.
        task: What it makes.
        title: One line for people.
        stages: At least one.
        formats: File formats it can deliver, the default first.
        languages: BCP 47 tags of prompts that it reads.
        max_words: Longest prompt, in words of languages written with spaces.
        max_cjk: Longest prompt, in Chinese, Japanese and Korean characters.
        durations: (shortest, longest) clip in seconds; None for meshes.
        faces: (fewest, most) triangles that a mesh may be asked to have; None for motions.
        sides: Names of further pictures, of other sides than the front, that it takes.
        size: What its work grows with; None where all requests take alike.
        examine: "package.module:function" that reads a request cheaply before it is accepted and
            raises `Rejected`; imported in the API process, so it must be light. "" for none.
        understand: "package.module:function" that tells what the model understands of a prompt: a
            `core.understanding.Understanding`. As light as `examine`. "" for none.
        find: "package.module:function" that finds the object in a picture as the model would; run
            in a process apart, see `kinesphere.ports.Errands`. "" for none.
        rank: Which model answers when none is pinned: the highest that fits the devices.
        lite_of: Name of the model that this is the lighter form of, or "".
        embedded: Whether it runs on any CPU, with nothing to download.
        simulated: Whether it stands in for a device and makes no real asset.
        finished: Whether it hands over finished files, so that no codec need be warm for it.
        licence: SPDX identifier or the licence's name.
    """

    name: str
    version: str
    task: Task
    title: str
    stages: tuple[Stage, ...]
    formats: tuple[str, ...]
    languages: tuple[str, ...] = ("en", "zh")
    max_words: int = 30
    max_cjk: int = 60
    durations: tuple[float, float] | None = None
    faces: tuple[int, int] | None = None
    sides: tuple[str, ...] = ()
    size: Size | None = None
    examine: str = ""
    understand: str = ""
    find: str = ""
    rank: int = 0
    lite_of: str = ""
    embedded: bool = False
    simulated: bool = False
    finished: bool = False
    licence: str = "Apache-2.0"

    def weight(self, request: Mapping[str, object]) -> float:
        """The work of a request beside a typical one."""
        return 1.0 if self.size is None else self.size.weight(request)

    @property
    def pools(self) -> tuple[str, ...]:
        """Pool names in stage order: the model's name, or "name.stage" where stages have names."""
        return tuple(f"{self.name}.{s.name}" if s.name else self.name for s in self.stages)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models that this installation serves."""

    models: tuple[Model, ...]

    def find(self, task: Task, name: str) -> Model | None:
        """The model of this name for this task, or None."""
        return next((m for m in self.models if m.task == task and m.name == name), None)

    def default(self, task: Task) -> Model | None:
        """The model that answers when none is pinned, or None where nothing serves the task."""
        fitting = [m for m in self.models if m.task == task]
        return max(fitting, key=lambda m: m.rank, default=None)

    def pools(self) -> dict[str, tuple[Model, Stage]]:
        """Every pool with the model and the stage that it runs."""
        return {
            pool: (model, stage)
            for model in self.models
            for pool, stage in zip(model.pools, model.stages, strict=True)
        }
