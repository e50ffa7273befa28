"""How fast things move: speed, acceleration, jerk, jumps between frames, and stillness."""

from typing import Final

import numpy as np

from kinesphere.formats.clip import Clip, Floats
from kinesphere.formats.rotation import lengths
from kinesphere.quality.report import Check, Measure

_REAL_CLIPS: Final = "margin over motion capture of real people at 30 frames a second"
_HUMAN: Final = "above what people reach: a sprinter's 12 m/s, a figure skater's six turns a second"

JERK_MEAN: Final = Check("jerk_mean", "m/s³", 1200.0, 3000.0, f"{_REAL_CLIPS} (at most 1,082)")
JERK_P99: Final = Check("jerk_p99", "m/s³", 9000.0, 20000.0, f"{_REAL_CLIPS} (at most 8,348)")
ACCELERATION: Final = Check("acceleration", "m/s²", 300.0, 600.0, f"{_REAL_CLIPS} (at most 290)")
ROOT_SPEED: Final = Check("root_speed", "m/s", 8.0, 12.0, _HUMAN)
ROTATION_STEP: Final = Check("rotation_step", "°", 45.0, 90.0, _HUMAN)
POSE_JUMP: Final = Check("pose_jump", "m", None, 0.25, "a hand at 7.5 m/s covers it in 1/30 s")
STATIC: Final = Check(
    "static", "m", 0.05, 0.01, "breathing alone moves a shoulder 1 cm", lower_is_worse=True
)

RATE: Final = 30.0
"""Frames a second for which the thresholds were calibrated."""
JUMP_OVER_MEDIAN: Final = 8.0


def dynamics(clip: Clip, positions: Floats, *, idle_asked: bool) -> tuple[Measure, ...]:
    """Every check of this module; see each for its meaning.

    Args:
        clip: A whole clip.
        positions: (T, J, 3) m, its joints in the world.
        idle_asked: Whether stillness was wanted, so that it is no fault.
    """
    # Differences are taken over about 1/30 s at any frame rate: capture noise of a tenth of a
    # millimetre would otherwise be a jerk of 170 m/s³ at 120 frames a second, 3 at 30.
    stride = max(1, round(clip.fps / RATE))
    second = _difference(_difference(positions, stride), stride)
    measures = [
        *_jerk(clip, stride, _difference(second, stride)),
        _acceleration(clip, stride, second),
        _root_speed(clip, stride),
        _rotation_step(clip),
        _pose_jump(clip, positions),
    ]
    if not idle_asked:
        measures.append(_static(positions))
    return tuple(measures)


def _difference(values: Floats, stride: int) -> Floats:
    return values[stride:] - values[:-stride]


def _sizes(clip: Clip, differences: Floats, stride: int, order: int) -> tuple[Floats, int]:
    """Norm of the nth derivative, (T', N), and the frame at the middle of the first row."""
    sizes = lengths(differences) * (clip.fps / stride) ** order
    return sizes, (order * stride + 1) // 2


def _at_frames(clip: Clip, rows: Floats, first: int) -> Floats:
    """Rows put at their frames, (T, N), zero where there is no row."""
    padded = np.zeros((clip.frames, *rows.shape[1:]))
    padded[first : first + rows.shape[0]] = rows
    return padded


def _percentile(values: Floats, percent: float) -> float:
    # NumPy's own, and its median, import masked arrays: 15 ms of each replica's start.
    place = 0.01 * percent * (values.size - 1)
    before = int(place)
    after = min(before + 1, values.size - 1)
    low, high = np.partition(values, (before, after), axis=None)[[before, after]]
    return float(low + (high - low) * (place - before))


def _jerk(clip: Clip, stride: int, third: Floats) -> tuple[Measure, Measure]:
    """Mean and 99th percentile, over joints and frames, of the jerk of the joints' paths."""
    jerk, first = _sizes(clip, third, stride, 3)
    if jerk.size == 0:
        return JERK_MEAN.measure(0.0), JERK_P99.measure(0.0)
    at_frames = _at_frames(clip, jerk, first)
    names = clip.skeleton.names
    return (
        JERK_MEAN.measure(float(jerk.mean()), at_frames > 1200.0, names),
        JERK_P99.measure(_percentile(jerk, 99.0), at_frames > 9000.0, names),
    )


def _acceleration(clip: Clip, stride: int, second: Floats) -> Measure:
    """Largest acceleration of any joint."""
    rows, first = _sizes(clip, second, stride, 2)
    at_frames = _at_frames(clip, rows, first)
    return ACCELERATION.measure(float(at_frames.max()), at_frames > 300.0, clip.skeleton.names)


def _root_speed(clip: Clip, stride: int) -> Measure:
    """Largest speed of the root joint."""
    step = _difference(clip.translation[:, None], stride)
    rows, first = _sizes(clip, step, stride, 1)
    at_frames = _at_frames(clip, rows, first)
    root = clip.skeleton.names[clip.skeleton.parents.index(-1)]
    return ROOT_SPEED.measure(float(at_frames.max()), at_frames > 8.0, (root,))


def _rotation_step(clip: Clip) -> Measure:
    """Largest turn of a joint, relative to its parent, from one frame to the next.

    Below 30 frames a second a frame lasts longer and the step is scaled to 1/30 s.
    """
    turn = np.einsum("tjki,tjki->tj", clip.rotation[:-1], clip.rotation[1:])
    step = np.degrees(np.arccos(np.clip((turn - 1.0) / 2.0, -1.0, 1.0)))
    at_frames = _at_frames(clip, step * min(1.0, clip.fps / RATE), 1)
    return ROTATION_STEP.measure(float(at_frames.max()), at_frames > 45.0, clip.skeleton.names)


def _pose_jump(clip: Clip, positions: Floats) -> Measure:
    """Largest step of a joint from frame to frame among those over 8 times the median.

    A frame's step is that of its fastest joint, and the median is over frames, so that a fast
    motion is no jump. Below 30 frames a second the step is scaled to 1/30 s.
    """
    step = lengths(_difference(positions, 1)) * min(1.0, clip.fps / RATE)
    usual = _percentile(step.max(axis=1), 50.0)
    jumps = np.where(step > JUMP_OVER_MEDIAN * usual, step, 0.0)
    at_frames = _at_frames(clip, jumps, 1)
    return POSE_JUMP.measure(float(at_frames.max()), at_frames > 0.25, clip.skeleton.names)


def _static(positions: Floats) -> Measure:
    """How far the most mobile joint ranges: the diagonal of the box around its path."""
    extent = lengths(np.ptp(positions, axis=0))
    return STATIC.measure(float(extent.max()))
