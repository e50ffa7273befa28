"""Looking into files: pictures that come in, motions and meshes that are converted or judged.

These take milliseconds to seconds, so the service runs them in threads. The codecs and NumPy are
imported by the first that needs them.
"""

import hashlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import ArtifactRef, Job, Json
from kinesphere.service.values import Content

if TYPE_CHECKING:
    from kinesphere.formats.clip import Clip
    from kinesphere.formats.mesh import Mesh

_INPUT_TYPES: Final = "application/octet-stream"


def check_size(name: str, data: bytes, largest: int) -> None:
    """Raise Rejected with IMAGE_TOO_LARGE for a picture of more than `largest` bytes."""
    if len(data) > largest:
        field = FieldError(name, f"has {len(data)} bytes", f"at most {largest} bytes")
        raise Rejected("IMAGE_TOO_LARGE", f"The {name} has {len(data)} bytes.", (field,))


def examined(name: str, data: bytes, pixels: int) -> dict[str, Json]:
    """Facts about a picture that can be used: media type, size, SHA-256.

    Raises Rejected: IMAGE_REJECTED, IMAGE_TOO_LARGE, naming the field `name`.
    """
    picture = import_module("kinesphere.formats.picture")
    try:
        found = picture.decode(data, pixels)
    except picture.BadPicture as bad:
        field = FieldError(name, str(bad), bad.allowed)
        raise Rejected(bad.code, f"The {name} {bad}.", (field,)) from None
    return {
        "media_type": found.media_type,
        "width": found.width,
        "height": found.height,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def input_ref(job_id: str, name: str, data: bytes) -> ArtifactRef:
    """Where a file that came with a request is kept: under token 0, which no claim has."""
    digest = hashlib.sha256(data).hexdigest()
    return ArtifactRef(f"{job_id}/0/{name}", name, _INPUT_TYPES, len(data), digest)


def source_of(job: Job, wanted: str | None) -> ArtifactRef:
    """The artifact to give as `wanted`, or to judge: the one in that format, or one to read.

    Raises Rejected: FORMAT_UNAVAILABLE.
    """
    known = _formats(job.task)
    if wanted is not None and wanted not in known:
        allowed = ", ".join(known)
        field = FieldError("format", f"is {wanted!r}", allowed)
        raise Rejected("INVALID_REQUEST", f"The format is {wanted!r}.", (field,))
    made = [a for a in reversed(job.artifacts) if _format_of(job.task, a.name)]
    same = [a for a in made if _format_of(job.task, a.name) == wanted]
    readable = [a for a in made if known[_format_of(job.task, a.name)].decode is not None]
    for artifact in (*same, *readable):
        return artifact
    state = job.state.value
    detail = f"The job is {state} and has no file that could be given so."
    raise Rejected("FORMAT_UNAVAILABLE", detail)


def converted(source: ArtifactRef, data: bytes, wanted: str) -> Content:
    """`data` in the format `wanted`, which the task of its own format has too."""
    for task in ("motion", "mesh"):
        formats, own = _formats(task), _format_of(task, source.name)
        if own and wanted in formats:
            to = formats[wanted]
            name = source.name.removesuffix(formats[own].extension) + to.extension
            made = data if own == wanted else to.encode(formats[own].decode(data))
            return Content(name.replace("clip", "motion"), to.media_type, made)
    raise Rejected("FORMAT_UNAVAILABLE", f"{source.name} cannot be given as {wanted}.")


def clip_of(source: ArtifactRef, data: bytes) -> "Clip":
    """The motion in a file that `source_of` has found to be readable.

    Raises Rejected: FORMAT_UNAVAILABLE.
    """
    reader = _formats("motion")[_format_of("motion", source.name)].decode
    if reader is None:
        raise Rejected("FORMAT_UNAVAILABLE", f"{source.name} is of a format that is not read.")
    try:
        clip: Clip = reader(data)
    except ValueError as error:
        raise Rejected("FORMAT_UNAVAILABLE", f"{source.name} cannot be read: {error}") from None
    return clip


def judged(name: str, data: bytes) -> dict[str, Json]:
    """The quality report of a motion or a mesh; its kind is told by what the bytes hold.

    Raises Rejected: FILE_REJECTED.
    """
    problems: list[str] = []
    for task, judge in (("motion", _judge_clip), ("mesh", _judge_mesh)):
        own = _format_of(task, name.lower())
        reader = _formats(task)[own].decode if own else None
        if reader is None:
            continue
        try:
            asset = reader(data)
        except ValueError as error:
            problems.append(f"as a {task}: {error}")
            continue
        return {"task": task, "file": name, **judge(asset)}
    allowed = "a motion as BVH, GLB or NPZ, or a mesh as GLB, OBJ, PLY or STL"
    problem = "; ".join(problems) or "is of a kind that is not checked"
    raise Rejected("FILE_REJECTED", f"{name}: {problem}", (FieldError("file", problem, allowed),))


def _judge_clip(clip: "Clip") -> dict[str, Json]:
    report: dict[str, Json] = import_module("kinesphere.quality").judge(clip).as_dict()
    return {"seconds": clip.duration, "frames": clip.frames, **report}


def _judge_mesh(mesh: "Mesh") -> dict[str, Json]:
    report: dict[str, Json] = import_module("kinesphere.quality.mesh").judge_mesh(mesh).as_dict()
    return {"vertices": len(mesh.vertices), "faces": len(mesh.faces), **report}


def _formats(task: str) -> dict[str, Any]:
    module = "kinesphere.formats.motion" if task == "motion" else "kinesphere.formats.mesh"
    found = import_module(module)
    return dict(found.MOTION_FORMATS if task == "motion" else found.MESH_FORMATS)


def _format_of(task: str, name: str) -> str:
    """Name of the format that a file's name ends in, or ""."""
    return next((f for f, each in _formats(task).items() if name.endswith(each.extension)), "")
