"""Short ways to play a verb and to look at what came out."""

from typing import Any

import numpy as np

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.script import Action, Script
from kinesphere.formats.clip import Clip, Floats, forward


def performed(verb: str, duration: float = 4.0, seed: int = 3, **asked: Any) -> Clip:
    """One action."""
    return play(Script((Action(verb, **asked),)), duration, seed)


def sequence(*verbs: str, duration: float = 8.0, seed: int = 3) -> Clip:
    """Several actions, nothing else asked."""
    return play(Script(tuple(Action(verb) for verb in verbs)), duration, seed)


def joints(clip: Clip) -> Floats:
    """World positions, (T, 22, 3) m."""
    return forward(clip)[0]


def peaks(curve: Floats, least: float) -> int:
    """How many maxima rise at least this much above the valleys on both sides."""
    count, low, high, rising = 0, curve[0], curve[0], True
    for value in curve:
        if rising:
            high = max(high, value)
            if high - low >= least and high - value >= least:
                count, rising, low = count + 1, False, value
            elif high - low < least:
                low = min(low, value)
                high = max(low, value) if value < high - least else high
        else:
            low = min(low, value)
            if value - low >= least:
                rising, high = True, value
    return count


def heading(clip: Clip) -> Floats:
    """Where the pelvis faces, degrees, left positive, unwrapped."""
    facing = clip.rotation[:, 0, :, 2]
    return np.degrees(np.unwrap(np.arctan2(facing[:, 0], facing[:, 2])))
