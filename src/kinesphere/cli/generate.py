"""`kinesphere generate`: one motion, by a server or in this process."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinesphere.adapters import logs
from kinesphere.cli import console
from kinesphere.cli.console import Watch
from kinesphere.cli.exits import Exit, answering, interruptible, leave
from kinesphere.core.catalog import Catalog
from kinesphere.core.failures import Failure, Rejected
from kinesphere.core.requests import MotionAsk
from kinesphere.engines.catalog import CatalogError, installed
from kinesphere.formats.motion import MOTION_FORMATS, BadClip
from kinesphere.ports import Progress
from kinesphere.service import Caller
from kinesphere.settings import Settings

if TYPE_CHECKING:
    from kinesphere.wiring import Platform


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for. Seconds."""

    prompt: str
    duration: float
    seed: int | None
    format: str | None
    model: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it: the file `name` and its bytes, and what there is to tell."""

    job_id: str
    name: str
    data: bytes
    model: str
    request: Mapping[str, Any]
    notes: Mapping[str, Any]


def run(ask: Ask, out: Path | None, preview: Path | None, url: str | None) -> None:
    """Make one motion, write it, and tell about it."""
    began = time.monotonic()
    ask = _with_format(ask, out, preview)
    with console.watching("starting") as watch:
        made = _by_server(ask, url, watch) if url else _here(ask, watch)
    extension = Path(made.name).suffix
    name = console.file_name(ask.prompt, extension, made.job_id)
    path = Path(name) if out is None else out / name if out.is_dir() else out
    try:
        console.store(path, made.data)
        if preview is not None:
            console.store(preview, sheet(made.data, extension, ask.prompt))
    except (OSError, BadClip) as error:
        raise leave(Exit.FAILED, str(error)) from None
    frames = made.notes.get("frames")
    console.facts(
        [
            ("understood", console.told(made.notes, "understood")),
            ("ignored", console.told(made.notes, "ignored")),
            ("model", made.model),
            ("seed", str(made.request.get("seed", ""))),
            ("file", f"{path}  ({console.size(len(made.data))}"
                     f"{f', {frames} frames' if frames else ''})"),
            ("preview", str(preview or "")),
            ("took", f"{time.monotonic() - began:.2f} s"),
        ]
    )  # fmt: skip


def _with_format(ask: Ask, out: Path | None, preview: Path | None) -> Ask:
    """The format from the suffix of OUT where none is named; one that can be drawn, if it must."""
    wanted = ask.format.lower() if ask.format else None
    if wanted is None and out is not None and out.suffix and not out.is_dir():
        wanted = out.suffix[1:].lower()
    if preview is not None and wanted is not None:
        known = MOTION_FORMATS.get(wanted)
        if known is None or known.decode is None:
            drawn = ", ".join(f.name for f in MOTION_FORMATS.values() if f.readable)
            raise leave(Exit.USAGE, f"--preview cannot draw {wanted}; it can: {drawn}")
    return Ask(ask.prompt, ask.duration, ask.seed, wanted, ask.model, ask.timeout)


def sheet(data: bytes, extension: str, title: str) -> bytes:
    """A motion file as a sheet of poses, PNG. Raises BadClip."""
    from kinesphere.formats.sheet import contact_sheet

    known = MOTION_FORMATS.get(extension.removeprefix(".").lower())
    if known is None or known.decode is None:
        raise BadClip(f"a {extension} file cannot be drawn")
    return contact_sheet(known.decode(data), title=title)


def _by_server(ask: Ask, url: str, watch: Watch) -> Made:
    from kinesphere.client import Client

    with answering():
        try:
            client = Client(url)
        except ValueError as error:
            raise leave(Exit.USAGE, str(error)) from None
        with client:
            job = client.submit(
                ask.prompt, duration=ask.duration, seed=ask.seed, format=ask.format,
                model=ask.model,
            )  # fmt: skip
            try:
                job = client.wait(job, ask.timeout, lambda p: watch(p.state, p.fraction, p.phase))
                data = client.download(job)
            except (KeyboardInterrupt, TimeoutError):
                client.cancel(job)
                raise
    model = f"{job.model.name} {job.model.version}"
    return Made(job.id, job.artifacts[-1].name, data, model, job.request, job.notes)


def _here(ask: Ask, watch: Watch) -> Made:
    logs.configure("error", "console")
    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="kinesphere-", ignore_cleanup_errors=True) as folder,
    ):
        try:
            made = asyncio.run(_embedded(ask, Path(folder), watch))
        except CatalogError as error:
            raise leave(Exit.USAGE, str(error)) from None
        except OSError as error:
            raise leave(Exit.FAILED, str(error)) from None
    if isinstance(made, Made):
        return made
    if isinstance(made, Rejected):
        raise leave(Exit.USAGE, _refusal(made))
    raise leave(Exit.FAILED, made)


async def _embedded(ask: Ask, folder: Path, watch: Watch) -> Made | Rejected | str:
    """The whole platform around one job: what it made, or why not.

    Refusals are returned, because an exception that leaves the platform's task group is wrapped.
    """
    from kinesphere.wiring import embedded

    # One replica of one model, in a folder of its own, whatever is set for servers.
    best = Catalog(installed()).default("motion")
    names = [ask.model] if ask.model else [best.name] if best else None
    async with embedded(Settings.model_validate({"data": folder, "models": names})) as platform:
        return await _one(platform, ask, watch)


async def _one(platform: "Platform", ask: Ask, watch: Watch) -> Made | Rejected | str:
    service, caller = platform.service, Caller("local")
    wanted = MotionAsk(
        prompt=ask.prompt, duration=ask.duration, seed=ask.seed, format=ask.format, model=ask.model
    )
    try:
        job = (await service.submit_motion(wanted, caller)).job
    except Rejected as refusal:
        return refusal
    try:
        async with asyncio.timeout(ask.timeout):
            async for item in service.follow(job.id, caller):
                if isinstance(item, Progress):
                    watch("running", item.fraction, item.phase)
            job = await service.job(job.id, caller)
    except TimeoutError:
        return f"the motion was not made within {ask.timeout:g} s"
    except asyncio.CancelledError:
        await service.cancel(job.id, caller)
        raise
    if job.failure is not None or not job.artifacts:
        why = job.failure or Failure("INTERNAL", f"the job ended as {job.state}")
        return f"{why.code}: {why.detail}"
    made = job.artifacts[-1]
    data = await platform.files.read(made.key)
    return Made(job.id, made.name, data, f"{job.model} {job.model_version}", job.request, job.notes)


def _refusal(refusal: Rejected) -> str:
    lines = [str(refusal)]
    for field in refusal.fields:
        allowed = f" (allowed: {field.allowed})" if field.allowed else ""
        lines.append(f"  {field.field} {field.problem}{allowed}")
    return "\n".join(lines)
