"""How the figure meets the ground, the plane y = 0: skating, penetration, floating."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Clip, Floats, Skeleton
from kinesphere.quality.report import Check, LeftOut, Measure

Flags = NDArray[np.bool_]

_GMD: Final = "skating ratio of Guided Motion Diffusion (Karunratanakul et al. 2023), real clips"
_UHC: Final = "Universal Humanoid Control's penetration metric (Luo et al. 2021), widened"

SKATING: Final = Check("skating", "", 0.10, None, _GMD)
SKATING_UPRIGHT: Final = Check("skating_upright", "", None, 0.30, _GMD)
DEPTH: Final = Check("penetration", "m", 0.01, None, _UHC)
DEEP_SHARE: Final = Check("penetration_deep", "", None, 0.05, _UHC)
FLOAT: Final = Check("float", "s", 0.8, 1.2, "a jump of 0.5 m flies for 0.64 s")

FEET: Final = ("L_Foot", "R_Foot")
NEAR_GROUND: Final = 0.05
"""Metres: a foot below this is on the ground, one above it is not."""
SKATING_SPEED: Final = 0.5
"""Metres a second over the ground."""
SPIN: Final = 180.0
"""Degrees a second about the vertical, from which a foot may pivot."""
RESTING_ON: Final = 0.15
"""Metres: a pelvis, knee, hand or shoulder this low carries weight through the flesh around it."""
DEEP: Final = 0.05
GRAVITY: Final = 9.81


def contact(clip: Clip, positions: Floats) -> tuple[tuple[Measure, ...], tuple[LeftOut, ...]]:
    """Every check of this module; those of the feet need joints `L_Foot` and `R_Foot`."""
    measures = list(_penetration(clip, positions))
    names = clip.skeleton.names
    missing = [name for name in FEET if name not in names]
    if missing:
        reason = f"the skeleton has no {' and no '.join(missing)}"
        return tuple(measures), (LeftOut("skating", reason), LeftOut("float", reason))
    feet = positions[:, [names.index(name) for name in FEET]]
    measures += _skating(clip, feet)
    measures.append(_float(clip, positions, feet))
    return tuple(measures), ()


def standing_height(skeleton: Skeleton) -> float:
    """Height of the root above the lowest joint at rest, in metres."""
    rest: list[float] = []
    for parent, height in zip(skeleton.parents, skeleton.offsets[:, 1].tolist(), strict=True):
        rest.append(rest[parent] + height if parent >= 0 else 0.0)
    return -min(rest)


def low(clip: Clip) -> Flags:
    """(T,) whether the figure kneels, squats, sits or lies: its root under half its height."""
    lowered: Flags = clip.translation[:, 1] < 0.5 * standing_height(clip.skeleton)
    return lowered


def _penetration(clip: Clip, positions: Floats) -> tuple[Measure, Measure]:
    """Depth of the lowest joint in any frame, and the share of frames deeper than 5 cm."""
    depth = np.maximum(0.0, -positions[..., 1])
    share = float((depth.max(axis=1) > DEEP).mean())
    return (
        DEPTH.measure(float(depth.max()), depth > 0.01, clip.skeleton.names),
        DEEP_SHARE.measure(share, depth > DEEP, clip.skeleton.names),
    )


def _skating(clip: Clip, feet: Floats) -> tuple[Measure, Measure]:
    """Share of frames in which a foot slides over the ground.

    A foot slides when it is under 5 cm in two adjacent frames and both its ground speed and the
    mean of that over five frames exceed 0.5 m/s. Spins pivot on the foot, and a figure near the
    ground slides on other parts: such frames count for the warning, never for the failure.
    """
    way = feet[1:] - feet[:-1]
    step = np.hypot(way[..., 0], way[..., 2]) * clip.fps
    grounded = feet[..., 1] < NEAR_GROUND
    sliding = grounded[1:] & grounded[:-1] & (step > SKATING_SPEED)
    sliding &= _mean_of_five(step) > SKATING_SPEED
    faults = np.zeros((clip.frames, 2), dtype=bool)
    faults[1:] = sliding
    upright = faults & ~(_spinning(clip) | low(clip))[:, None]
    return (
        SKATING.measure(float(faults[1:].any(axis=1).mean()), faults, FEET),
        SKATING_UPRIGHT.measure(float(upright[1:].any(axis=1).mean()), upright, FEET),
    )


def _mean_of_five(rows: Floats) -> Floats:
    """Mean over each row, the two before and the two after; those at the ends count again."""
    rows = np.concatenate((rows[:1], rows[:1], rows, rows[-1:], rows[-1:]))
    return np.asarray((rows[:-4] + rows[1:-3] + rows[2:-2] + rows[3:-1] + rows[4:]) / 5.0)


def _spinning(clip: Clip) -> Flags:
    """(T,) whether the root turns about the vertical at over 180 degrees a second."""
    root = clip.skeleton.parents.index(-1)
    turn = clip.rotation[1:, root] @ np.swapaxes(clip.rotation[:-1, root], -1, -2)
    yaw = np.degrees(np.arctan2(turn[:, 0, 2] - turn[:, 2, 0], turn[:, 0, 0] + turn[:, 2, 2]))
    spinning = np.zeros(clip.frames, dtype=bool)
    spinning[1:] = np.abs(_mean_of_five(yaw)) * clip.fps > SPIN
    return spinning


def _float(clip: Clip, positions: Floats, feet: Floats) -> Measure:
    """Longest time in the air, in seconds, that no throw under gravity explains.

    In the air: both feet above 5 cm, and no other part so low that it may carry the body.
    """
    names = clip.skeleton.names
    below_knee = ("L_Ankle", "R_Ankle", *FEET)
    others = [joint for joint, name in enumerate(names) if name not in below_knee]
    aloft = feet[..., 1].min(axis=1) > NEAR_GROUND
    aloft &= positions[:, others, 1].min(axis=1) > RESTING_ON
    edges = np.flatnonzero(np.diff(np.concatenate(([False], aloft, [False])).astype(np.int8)))
    longest, worst = 0, np.zeros(clip.frames, dtype=bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        flight = clip.translation[start:stop, 1]
        if stop - start > longest and not _ballistic(flight, clip.fps):
            longest = int(stop - start)
            worst[:] = False
            worst[start:stop] = True
    return FLOAT.measure(longest / clip.fps, worst)


def _ballistic(height: Floats, fps: float) -> bool:
    """Whether a height over time is a parabola of gravity, to 3 m/s² and 5 cm."""
    if height.size < 4:
        return False
    # Three polynomials orthogonal on evenly spaced times: each coefficient is its own projection.
    time = (np.arange(height.size) - 0.5 * (height.size - 1)) / fps
    square = time**2 - np.mean(time**2)
    bend = (height @ square) / (square @ square)
    slope = (height @ time) / (time @ time)
    residual = float(np.std(height - slope * time - bend * square))
    return abs(2.0 * bend + GRAVITY) < 3.0 and residual < 0.05
