"""Asking for meshes: pictures read from the disk, sent, waited for."""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from kinesphere.client import wire
from kinesphere.client.downloads import awaited
from kinesphere.client.effects import Flow, Upload, Work
from kinesphere.client.flows import Flows, OnProgress
from kinesphere.client.values import Job, MeshOptions, owned, read
from kinesphere.core.requests import SIDES


def submit_mesh(
    flows: Flows, picture: bytes | Path | None, image_url: str | None, options: MeshOptions
) -> Flow[Job]:
    """Ask for a mesh of a picture, or of the one at an address.

    Raises:
        ValueError: Neither or both were given, a mask or sides for a picture that is fetched, or a
            side that is none.
        OSError: A file cannot be read.
    """
    if (picture is None) == (image_url is None):
        raise ValueError("a mesh is made of a picture or of an image_url: give one of them")
    mask = options.get("mask")
    sides: Mapping[str, bytes | Path] = options.get("sides", {})
    if picture is None and (mask is not None or sides):
        raise ValueError("a mask or sides go with a picture that is sent, not with an image_url")
    if unknown := [name for name in sides if name not in SIDES]:
        raise ValueError(f"no side is named {unknown[0]!r}; there are {', '.join(SIDES)}")
    files = []
    for field, given in (("image", picture), ("mask", mask), *sides.items()):
        if isinstance(given, bytes):
            files.append(Upload(field, field, given))
        elif given is not None:
            files.append((yield from upload(field, given)))
    request = wire.mesh_request(
        image_url,
        tuple(files),
        options,
        key=uuid4().hex,
        now=flows.clock.now(),
        timeout=flows.terms.timeout,
    )
    answer = yield from flows.send(request)
    return owned(read(answer.body, Job))


def generate_mesh(
    flows: Flows,
    picture: bytes | Path | None,
    image_url: str | None,
    *,
    to: Path,
    timeout: float,
    on_progress: OnProgress | None,
    options: MeshOptions,
) -> Flow[Path]:
    """Ask for a mesh, wait for it and download it."""
    if options.get("format") is None and to.suffix and not to.is_dir():
        options["format"] = format_of(to)
    job = yield from submit_mesh(flows, picture, image_url, options)
    return (yield from awaited(flows, job, to=to, timeout=timeout, on_progress=on_progress))


def format_of(path: Path) -> str:
    """The format that a file's name says.

    Raises:
        ValueError: It says OBJ, which comes in an archive with its texture.
    """
    if path.suffix.lower() == ".obj":
        raise ValueError(f"OBJ comes with its texture in an archive: name it {path.name}.zip")
    return Path(path.name.lower().removesuffix(".zip")).suffix[1:] or path.suffix[1:].lower()


def upload(field: str, path: Path) -> Flow[Upload]:
    """A file to send, as the field of a form."""
    data: bytes = yield Work(path.read_bytes)
    return Upload(field, path.name, data)
