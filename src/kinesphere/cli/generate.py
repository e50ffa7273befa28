"""`kinesphere generate`: one motion or mesh, by a server or in this process."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinesphere.adapters import logs
from kinesphere.cli import console
from kinesphere.cli.asks import Ask, Choices, Options, asked, drawable, file_name
from kinesphere.cli.console import Watch
from kinesphere.cli.exits import Exit, answering, interruptible, leave, refusal
from kinesphere.core.catalog import Catalog
from kinesphere.core.failures import Failure, Rejected
from kinesphere.engines.catalog import CatalogError, installed
from kinesphere.ports import Progress
from kinesphere.service import Caller
from kinesphere.settings import Settings

if TYPE_CHECKING:
    from kinesphere.wiring import Platform


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it: the file `name` and its bytes, and what there is to tell."""

    job_id: str
    name: str
    data: bytes
    model: str
    request: Mapping[str, Any]
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where to ask, where the result goes, and how many seconds there are."""

    url: str | None
    out: Path | None
    preview: Path | None
    timeout: float


def run(what: str, choices: Choices, options: Options, places: Places) -> None:
    """Make one motion or mesh, write it, and tell about it."""
    began = time.monotonic()
    ask = asked(what, choices, options, places.out)
    _check_preview(ask, places.preview)
    with console.watching("starting") as watch:
        made = _by_server(ask, places, watch) if places.url else _here(ask, places.timeout, watch)
    path = Path(file_name(ask, made.name, made.job_id))
    if places.out is not None:
        path = places.out / path if places.out.is_dir() else places.out
    try:
        console.store(path, made.data)
        if places.preview is not None:
            console.store(places.preview, ask.drawn(made.data, made.name))
    except (OSError, ValueError) as error:
        raise leave(Exit.FAILED, str(error)) from None
    _tell(made, path, places.preview, time.monotonic() - began)


def _check_preview(ask: Ask, preview: Path | None) -> None:
    wanted = ask.choices.format
    if preview is not None and wanted is not None and wanted not in drawable(ask.task):
        drawn = ", ".join(drawable(ask.task))
        raise leave(Exit.USAGE, f"--preview cannot draw {wanted}; it can: {drawn}")


def _tell(made: Made, path: Path, preview: Path | None, seconds: float) -> None:
    counts = [f"{made.notes[name]} {name}" for name in ("frames", "faces") if name in made.notes]
    console.facts(
        [
            ("understood", console.told(made.notes, "understood")),
            ("ignored", console.told(made.notes, "ignored")),
            ("model", made.model),
            ("seed", str(made.request.get("seed", ""))),
            ("file", f"{path}  ({', '.join([console.size(len(made.data)), *counts])})"),
            ("preview", str(preview or "")),
            ("took", f"{seconds:.2f} s"),
        ]
    )


def _by_server(ask: Ask, places: Places, watch: Watch) -> Made:
    from kinesphere.client import Client

    with answering():
        try:
            client = Client(places.url)
        except ValueError as error:
            raise leave(Exit.USAGE, str(error)) from None
        with client:
            job = ask.send(client)
            try:
                job = client.wait(
                    job, places.timeout, lambda p: watch(p.state, p.fraction, p.phase)
                )
                data = client.download(job)
            except (KeyboardInterrupt, TimeoutError):
                client.cancel(job)
                raise
    model = f"{job.model.name} {job.model.version}"
    return Made(job.id, job.artifacts[-1].name, data, model, job.request, job.notes)


def _here(ask: Ask, seconds: float, watch: Watch) -> Made:
    logs.configure("error", "console")
    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="kinesphere-", ignore_cleanup_errors=True) as folder,
    ):
        try:
            made = asyncio.run(_embedded(ask, seconds, Path(folder), watch))
        except CatalogError as error:
            raise leave(Exit.USAGE, str(error)) from None
        except OSError as error:
            raise leave(Exit.FAILED, str(error)) from None
    if isinstance(made, Made):
        return made
    if isinstance(made, Rejected):
        raise leave(Exit.USAGE, refusal(made))
    raise leave(Exit.FAILED, made)


async def _embedded(ask: Ask, seconds: float, folder: Path, watch: Watch) -> Made | Rejected | str:
    """The whole platform around one job: what it made, or why not.

    Refusals are returned, because an exception that leaves the platform's task group is wrapped.
    """
    from kinesphere.wiring import embedded

    # One replica of one model, in a folder of its own, whatever is set for servers.
    best, model = Catalog(installed()).default(ask.task), ask.choices.model
    names = [model] if model else [best.name] if best else None
    async with embedded(Settings.model_validate({"data": folder, "models": names})) as platform:
        return await _one(platform, ask, seconds, watch)


async def _one(
    platform: "Platform", ask: Ask, seconds: float, watch: Watch
) -> Made | Rejected | str:
    service, caller = platform.service, Caller("local", anonymous=True)
    try:
        job = (await ask.submit(service, caller)).job
    except Rejected as refusal:
        return refusal
    try:
        async with asyncio.timeout(seconds):
            async for item in service.jobs.follow(job.id, caller):
                if isinstance(item, Progress):
                    watch("running", item.fraction, item.phase)
            job = await service.jobs.get(job.id, caller)
    except TimeoutError:
        return f"the {ask.task} was not made within {seconds:g} s"
    except asyncio.CancelledError:
        await service.jobs.cancel(job.id, caller)
        raise
    if job.failure is not None or not job.artifacts:
        why = job.failure or Failure("INTERNAL", f"the job ended as {job.state}")
        return f"{why.code}: {why.detail}"
    made = job.artifacts[-1]
    data = await platform.artifacts.read(made.key)
    return Made(job.id, made.name, data, f"{job.model} {job.model_version}", job.request, job.notes)
