"""The whole judgement of a motion."""

from typing import Final

import numpy as np

from kinesphere.formats.clip import Clip, forward
from kinesphere.formats.rotation import EXACT
from kinesphere.quality import contact, dynamics, integrity, limits
from kinesphere.quality.report import LeftOut, Report

BROKEN: Final = (LeftOut("all other checks", "the clip is not whole"),)


def judge(clip: Clip, *, idle_asked: bool = False) -> Report:
    """Judge a motion by every check that its skeleton allows.

    Args:
        clip: Any clip, also one with wrong shapes or broken numbers; of any skeleton.
        idle_asked: Whether the figure was asked to stand still, so that stillness is no fault.

    Returns:
        A report; the same clip always gives the same one. Nothing is raised.
    """
    whole = integrity.whole(clip)
    if whole.verdict == "fail":
        return Report((whole,), BROKEN)
    clip = Clip(
        clip.translation.astype(np.float64, copy=False),
        clip.rotation.astype(np.float64, copy=False),
        clip.fps,
        clip.skeleton,
    )
    positions, _ = forward(clip)
    proper = integrity.rotations(clip)
    measures = [whole, proper, integrity.bone_length(clip, positions)]
    on_ground, left_out = contact.contact(clip, positions)
    measures += on_ground
    measures += dynamics.dynamics(clip, positions, idle_asked=idle_asked)
    if idle_asked:
        left_out += (LeftOut("static", "stillness was asked for"),)
    if proper.verdict == "fail":
        left_out += (LeftOut("limits", "the rotations are not orthonormal"),)
    else:
        exact = proper.value is not None and proper.value <= EXACT
        within, without = limits.limits(clip, exact=exact)
        measures += within
        left_out += without
    return Report(tuple(measures), left_out)
