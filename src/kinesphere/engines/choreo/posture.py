"""What lies under every action: the manner's posture, breath, and the sway of a living body."""

from collections.abc import Sequence

import numpy as np

from kinesphere.engines.choreo.channels import SIDES
from kinesphere.engines.choreo.curves import minimum_jerk
from kinesphere.engines.choreo.score import Score
from kinesphere.engines.choreo.style import NEUTRAL, Style
from kinesphere.formats.clip import Floats


def dress(score: Score, parts: Sequence[tuple[Style, float, bool]]) -> None:
    """Add the posture of each part's manner: (manner, seconds, held pose).

    Neighbours of one manner are dressed as one, so that posture does not relax between them.
    """
    start = 0.0
    spans: list[tuple[Style, float, float, bool]] = []
    for style, seconds, held in parts:
        if spans and spans[-1][0] == style and spans[-1][3] == held:
            spans[-1] = (style, spans[-1][1], start + seconds, held)
        else:
            spans.append((style, start, start + seconds, held))
        start += seconds
    for style, begin, end, held in spans:
        if style != NEUTRAL:
            weight = _weight(score.times, begin, end, start)
            _posture(score, style, weight, held)


def _weight(times: Floats, start: float, end: float, whole: float) -> Floats:
    ramp = min(0.6, 0.5 * (end - start))
    rise = minimum_jerk((times - start) / ramp + 0.5) if start > 1e-6 else np.ones_like(times)
    fall = minimum_jerk((end - times) / ramp + 0.5) if end < whole - 1e-6 else np.ones_like(times)
    return np.asarray(rise * fall)


def _posture(score: Score, style: Style, weight: Floats, held: bool) -> None:
    times = score.times
    # Who lies or sits on the floor has no weight to carry: the manner shows less.
    height = score.base.curves(("y",), times)["y"]
    weight = weight * np.clip((height - 0.15) / 0.5, 0.0, 1.0)
    score.wave("sx", weight * style.bend)
    score.wave("pitch", weight * 0.15 * style.bend)
    score.wave("hx", weight * (style.nod - 0.25 * style.bend))
    score.wave("y", -weight * style.drop)
    arms = 0.25 if held else 0.6
    for side in SIDES:
        score.wave(f"{side}.sh", weight * style.shrug)
        score.wave(f"{side}.el", weight * arms * style.elbow)
        score.wave(f"{side}.open", weight * style.open)
        if style.heel:
            score.wave(f"{side}.fp", weight * style.heel)
    if style.reel:
        slow = 2.0 * np.pi * times
        score.wave("sz", weight * style.reel * np.sin(0.53 * slow + 1.0))
        score.wave("sx", weight * style.reel * 0.8 * np.sin(0.37 * slow))
        score.wave("hz", weight * style.reel * np.sin(0.47 * slow + 2.0))
        score.wave("roll", weight * 0.35 * style.reel * np.sin(0.53 * slow + 0.6))
        score.wave("x", weight * 0.006 * style.reel * np.sin(0.53 * slow + 0.4))
    if style.tremble:
        quick = 2.0 * np.pi * times
        score.wave("sy", weight * 0.7 * style.tremble * np.sin(5.3 * quick))
        score.wave("hy", weight * 3.0 * style.tremble * np.sin(1.1 * quick + 0.7))
        for phase, side in enumerate(SIDES):
            score.wave(f"{side}.el", weight * 1.8 * style.tremble * np.sin(6.1 * quick + phase))


def alive(score: Score, rng: np.random.Generator) -> None:
    """Breath, the slow drift of balance, and a bearing of its own for each seed."""
    phase = rng.uniform(0.0, 2.0 * np.pi, 6)
    rate = float(rng.uniform(0.24, 0.3))
    turn = 2.0 * np.pi * score.times
    steady = np.ones_like(turn)
    for channel, most in (("sx", 2.0), ("sy", 2.0), ("hx", 3.0), ("hy", 5.0), ("hz", 2.0)):
        score.wave(channel, float(rng.uniform(-most, most)) * steady)
    breath = np.sin(rate * turn + phase[0])
    score.wave("sx", -1.1 * breath)
    score.wave("hx", 0.8 * breath)
    score.wave("sz", 0.8 * np.sin(0.17 * turn + phase[1]))
    score.wave("hy", 2.2 * np.sin(0.13 * turn + phase[2]) + 1.2 * np.sin(0.31 * turn + phase[3]))
    score.wave("hz", 0.9 * np.sin(0.19 * turn + phase[4]))
    score.wave("x", 0.006 * (np.sin(0.15 * turn + phase[5]) - np.sin(phase[5])))
    for number, side in enumerate(SIDES):
        score.wave(f"{side}.sh", 1.2 * breath)
        score.wave(f"{side}.el", float(rng.uniform(-2.0, 9.0)) * steady)
        score.wave(f"{side}.open", float(rng.uniform(-1.0, 4.0)) * steady)
        score.wave(f"{side}.el", 1.5 * np.sin(0.21 * turn + phase[number]))
        score.wave(f"{side}.open", 0.8 * np.sin(0.23 * turn + phase[2 + number]))
