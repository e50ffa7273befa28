"""The product of a motion clip: judged, then encoded in the format asked for. Pure.

A module of its own because it brings in NumPy, which a child needs only once it has a clip.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.formats.clip import STANDARD, Clip
from kinesphere.formats.motion import MOTION_FORMATS, BadClip
from kinesphere.ports import File, Made
from kinesphere.quality import judge
from kinesphere.worker.judgements import rejection, summary
from kinesphere.worker.products import Product, invalid

_KEPT: Final = MOTION_FORMATS["npz"]


def motion(made: Made, notes: dict[str, Json], file_format: str) -> Product | Failure:
    """One file named "motion", and `notes` with a summary of the judgement as `quality`.

    A format that cannot be read comes with the clip itself before it, to convert from later.

    Fails with QUALITY_REJECTED and the checks that failed, with ENGINE_OUTPUT_INVALID for what is
    no clip, and with INVALID_REQUEST for a format that motions do not have.
    """
    asset: object = made.asset
    if not isinstance(asset, Clip):
        return invalid(f"The engine returned {type(asset).__name__}, neither a clip nor files.")
    wanted = MOTION_FORMATS.get(file_format)
    if wanted is None:
        return Failure("INVALID_REQUEST", f"A motion cannot be written as {file_format!r}.")
    report = judge(asset, idle_asked=made.still)
    if report.verdict == "fail":
        return rejection("motion", report)
    try:
        data = wanted.encode(asset)
    except BadClip as error:
        return invalid(f"The motion cannot be written as {file_format!r}: {error}")
    files = [File(f"motion{wanted.extension}", wanted.media_type, data)]
    if wanted.decode is None:
        files.insert(0, File(f"clip{_KEPT.extension}", _KEPT.media_type, _KEPT.encode(asset)))
    facts: dict[str, Json] = {"frames": asset.frames, "fps": asset.fps}
    return Product(tuple(files), {**notes, **facts, "quality": summary(report)})


def warm_up(formats: Sequence[str]) -> None:
    """Judge and write a still clip, so that the first result is as fast as the hundredth."""
    still = np.broadcast_to(np.eye(3), (8, len(STANDARD.names), 3, 3))
    clip = Clip(np.tile(STANDARD.offsets[0], (8, 1)), still.copy())
    judge(clip, idle_asked=True)
    for name in formats:
        MOTION_FORMATS[name].encode(clip)
