"""From what an engine returned for one piece of work to the files that are delivered, or a failure.

Pure. Engines are not trusted: whatever they return, this returns a product or a failure of ours.
NumPy, the codecs and the checks are imported only once an engine has made a clip.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

import msgspec

from kinesphere.core.failures import Failure, kind
from kinesphere.core.jobs import Json
from kinesphere.ports import File, Made

LONGEST_DETAIL: Final = 500
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")

_MESHES: Final = (".glb", ".obj.zip", ".ply", ".stl")


@dataclass(frozen=True, slots=True)
class Product:
    """Files ready to be stored, at least one, of unlike names; and notes, JSON values only."""

    files: tuple[File, ...]
    notes: Mapping[str, Json]


def product(outcome: object, file_format: str) -> Product | Failure:
    """Check one outcome and encode it.

    Args:
        outcome: What the engine returned for the work; should be a `ports.Outcome`.
        file_format: Name of the motion format asked for; no matter for finished files.

    Returns:
        A product; its notes have the `quality` of a clip or a mesh. Or the engine's own failure, or
        ENGINE_OUTPUT_INVALID, or QUALITY_REJECTED with the checks that failed.
    """
    if isinstance(outcome, Failure):
        return _sound(outcome)
    if not isinstance(outcome, Made):
        return invalid(f"The engine returned {type(outcome).__name__}, not an outcome.")
    try:
        notes = msgspec.json.decode(msgspec.json.encode(outcome.notes))
    except (TypeError, ValueError, RecursionError) as error:
        return invalid(f"The engine's notes are not JSON: {error}")
    if not isinstance(notes, dict):
        return invalid("The engine's notes are not an object.")
    if isinstance(outcome.asset, tuple):
        problem = _problem(outcome.asset)
        return invalid(problem) if problem else _judged(Product(outcome.asset, notes))
    clips = import_module("kinesphere.worker.clips")
    return cast("Product | Failure", clips.motion(outcome, notes, file_format))


def _judged(made: Product) -> Product | Failure:
    if not any(file.name.endswith(_MESHES) for file in made.files):
        return made
    return cast("Product | Failure", import_module("kinesphere.worker.meshes").mesh(made))


def invalid(problem: str) -> Failure:
    """ENGINE_OUTPUT_INVALID with this sentence."""
    return Failure("ENGINE_OUTPUT_INVALID", plain(problem))


def plain(text: str, longest: int = LONGEST_DETAIL) -> str:
    """What an engine said, of bearable length and without characters that have no UTF-8 form."""
    return text[:longest].encode("utf-8", "replace").decode()


def raised(error: Exception) -> Failure:
    """The failure that an exception out of `run` means."""
    if isinstance(error, MemoryError):
        return Failure("OOM_HOST", "The engine ran out of main memory.")
    return Failure("ENGINE_FAILED", plain(f"{type(error).__name__}: {error}".removesuffix(": ")))


def _sound(failure: Failure) -> Failure:
    code: object = failure.code
    detail: object = failure.detail
    if not isinstance(code, str) or not isinstance(detail, str):
        return invalid("The engine returned a failure without a code or a detail.")
    try:
        kind(code)
    except KeyError:
        return invalid(f"The engine failed with the unknown code {code!r}: {detail}")
    if code == "CANCELLED":
        return invalid("The engine skipped work that was not cancelled.")
    return Failure(code, plain(detail))


def _problem(files: Iterable[object]) -> str:
    """What is wrong with finished files; "" when nothing is."""
    names: list[str] = []
    for file in files:
        if not isinstance(file, File):
            return f"The engine returned {type(file).__name__} among its files."
        fields: tuple[object, ...] = (file.name, file.media_type, file.data)
        if [type(value) for value in fields] != [str, str, bytes]:
            return "The engine returned a file without a name, a media type or bytes."
        if not _NAME.match(file.name):
            return f"The engine returned a file of the unusable name {file.name!r}."
        names.append(file.name)
    if not names:
        return "The engine returned no file."
    return "" if len(set(names)) == len(names) else "The engine returned two files of one name."
