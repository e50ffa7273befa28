"""What `kinesphere generate` can be asked for: a motion of a prompt, a mesh of a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from kinesphere.cli import console
from kinesphere.cli.exits import Exit, leave
from kinesphere.core.catalog import Task
from kinesphere.core.requests import DEFAULT_DURATION, MeshAsk, MotionAsk
from kinesphere.formats.mesh import MESH_FORMATS, BadMesh
from kinesphere.formats.motion import MOTION_FORMATS, BadClip

if TYPE_CHECKING:
    from kinesphere.client import Client, Job
    from kinesphere.service import Accepted, Caller, Service

_PICTURES: Final = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS",
    b"\0\0\1\0", b"\xff\x0a", b"qoif",
)  # fmt: skip
"""How picture files begin; the server says which of them it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a motion and a mesh may both be asked for with."""

    seed: int | None
    format: str | None
    model: str | None
    cache: bool = True


class Ask(Protocol):
    """One asset that is asked for."""

    @property
    def task(self) -> Task:
        """What is to be made."""
        ...

    @property
    def title(self) -> str:
        """What the file is named after."""
        ...

    @property
    def choices(self) -> Choices:
        """As given."""
        ...

    def send(self, client: "Client") -> "Job":
        """Ask a server."""
        ...

    async def submit(self, service: "Service", caller: "Caller") -> "Accepted":
        """Ask the platform in this process. Raises Rejected."""
        ...

    def drawn(self, data: bytes, name: str) -> bytes:
        """A picture of the file that was made, PNG. Raises ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class MotionOfPrompt:
    """A motion."""

    prompt: str
    duration: float
    choices: Choices
    task: Task = "motion"

    @property
    def title(self) -> str:
        """See `Ask`."""
        return self.prompt

    def send(self, client: "Client") -> "Job":
        """See `Ask`."""
        c = self.choices
        return client.submit(
            self.prompt, duration=self.duration, seed=c.seed, format=c.format, model=c.model,
            cache=c.cache,
        )  # fmt: skip

    async def submit(self, service: "Service", caller: "Caller") -> "Accepted":
        """See `Ask`."""
        c = self.choices
        ask = MotionAsk(
            prompt=self.prompt, duration=self.duration, seed=c.seed, format=c.format, model=c.model,
            cache=c.cache,
        )  # fmt: skip
        return await service.intake.motion(ask, caller)

    def drawn(self, data: bytes, name: str) -> bytes:
        """See `Ask`: a sheet of poses."""
        return sheet(data, Path(name).suffix, self.prompt)


@dataclass(frozen=True, slots=True)
class MeshOfPicture:
    """A mesh."""

    path: Path
    picture: bytes
    mask: bytes | None
    sides: Mapping[str, bytes]
    texture: bool
    faces: int | None
    choices: Choices
    task: Task = "mesh"

    @property
    def title(self) -> str:
        """See `Ask`."""
        return self.path.stem

    def send(self, client: "Client") -> "Job":
        """See `Ask`."""
        c = self.choices
        return client.submit_mesh(
            self.picture, mask=self.mask, sides=self.sides, texture=self.texture, faces=self.faces,
            seed=c.seed, format=c.format, model=c.model, cache=c.cache,
        )  # fmt: skip

    async def submit(self, service: "Service", caller: "Caller") -> "Accepted":
        """See `Ask`."""
        c = self.choices
        ask = MeshAsk(
            texture=self.texture, faces=self.faces, seed=c.seed, format=c.format, model=c.model,
            cache=c.cache,
        )  # fmt: skip
        return await service.intake.mesh(ask, self.picture, self.mask, caller, sides=self.sides)

    def drawn(self, data: bytes, name: str) -> bytes:
        """See `Ask`: the mesh from around."""
        from kinesphere.formats.turntable import turntable

        known = MESH_FORMATS.get(format_named(name, "mesh") or "")
        if known is None:
            raise BadMesh(f"{name} cannot be drawn")
        return turntable(known.decode(data))


def sheet(data: bytes, extension: str, title: str) -> bytes:
    """A motion file as a sheet of poses, PNG. Raises BadClip."""
    from kinesphere.formats.sheet import contact_sheet

    known = MOTION_FORMATS.get(extension.removeprefix(".").lower())
    if known is None or known.decode is None:
        raise BadClip(f"a {extension} file cannot be drawn")
    return contact_sheet(known.decode(data), title=title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What only one of the two may be asked for with: seconds of a motion, the rest of a mesh."""

    duration: float | None = None
    mask: Path | None = None
    sides: Mapping[str, Path] = field(default_factory=dict)
    texture: bool = True
    faces: int | None = None


def asked(what: str, choices: Choices, options: Options, out: Path | None) -> Ask:
    """A mesh where `what` is a picture file, by what it holds; a motion where it is a prompt.

    The format is taken from the suffix of `out` where none is chosen.
    """
    path = Path(what)
    if _is_picture(path):
        if options.duration is not None:
            raise leave(Exit.USAGE, "--duration is for motions, and a picture makes a mesh")
        return MeshOfPicture(
            path,
            _read(path),
            None if options.mask is None else _read(options.mask),
            {side: _read(given) for side, given in options.sides.items()},
            options.texture,
            options.faces,
            _with_format(choices, "mesh", out),
        )
    if options != replace(Options(), duration=options.duration):
        told = "--mask, --left, --back, --right, --no-texture and --faces are for meshes"
        raise leave(Exit.USAGE, f"{told}, and {what!r} is no picture file")
    duration = DEFAULT_DURATION if options.duration is None else options.duration
    return MotionOfPrompt(what, duration, _with_format(choices, "motion", out))


def _with_format(choices: Choices, task: Task, out: Path | None) -> Choices:
    if choices.format is not None:
        return replace(choices, format=choices.format.lower())
    if out is None or not out.suffix or out.is_dir():
        return choices
    if task == "mesh" and out.suffix.lower() == ".obj":
        message = f"OBJ comes with its texture in an archive: name it {out.name}.zip"
        raise leave(Exit.USAGE, message)
    return replace(choices, format=format_named(out.name, task))


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except (OSError, ValueError):
        # A prompt is seldom a path, and may be longer than one can be.
        return False
    # RIFF and ISO media name what they hold after their length.
    held = start[8:12] == b"WEBP" or start[4:8] == b"ftyp"
    return held or start.startswith(_PICTURES)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise leave(Exit.USAGE, str(error)) from None


def format_named(name: str, task: Task) -> str | None:
    """The format of `task` that a file's name ends in; the suffix where it is none of them."""
    for form, extension in extensions(task).items():
        if name.lower().endswith(extension):
            return form
    return Path(name).suffix[1:].lower() or None


def drawable(task: Task) -> tuple[str, ...]:
    """The formats that `Ask.drawn` draws."""
    readable = tuple(each.name for each in MOTION_FORMATS.values() if each.readable)
    return readable if task == "motion" else tuple(MESH_FORMATS)


def extensions(task: Task) -> Mapping[str, str]:
    """File name endings by format."""
    if task == "motion":
        return {each.name: each.extension for each in MOTION_FORMATS.values()}
    return {each.name: each.extension for each in MESH_FORMATS.values()}


def file_name(ask: Ask, made: str, job_id: str) -> str:
    """The name for a file that was made, after what was asked for."""
    form = format_named(made, ask.task)
    return console.file_name(ask.title, extensions(ask.task).get(form or "", ""), job_id)
