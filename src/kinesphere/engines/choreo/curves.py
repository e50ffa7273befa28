"""Curves over time: easing, monotone interpolation, smoothing. All vectorised over samples."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats

GRAVITY: Final = 9.81
"""m/s²"""


def minimum_jerk(share: Floats) -> Floats:
    """Ease from 0 to 1 with zero speed and acceleration at both ends (Flash and Hogan, 1985)."""
    s = np.clip(share, 0.0, 1.0)
    return s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)


def cruise(share: Floats, ramp: float) -> Floats:
    """Ease from 0 to 1 with a constant speed between two smooth ramps of this share each."""
    s = np.clip(share, 0.0, 1.0)
    begin = np.clip(s / ramp, 0.0, 1.0)
    end = np.clip((1.0 - s) / ramp, 0.0, 1.0)
    first = begin**4 * (2.5 - 3.0 * begin + begin**2)
    last = end**4 * (2.5 - 3.0 * end + end**2)
    steady = np.clip(s - ramp, 0.0, 1.0 - 2.0 * ramp)
    return np.asarray((ramp * (first + 0.5 - last) + steady) / (1.0 - ramp))


def window(times: Floats, start: float, end: float, ramp: float) -> Floats:
    """Weight that rises from 0 at start within `ramp` s, and is back at 0 at end."""
    ramp = max(1e-3, min(ramp, (end - start) / 2.0))
    return minimum_jerk((times - start) / ramp) * minimum_jerk((end - times) / ramp)


def pchips(knots: Sequence[Floats], values: Sequence[Floats], times: Floats) -> Floats:
    """Monotone cubic interpolations (Fritsch and Carlson, 1980), flat at and beyond both ends.

    Args:
        knots: Of each of C curves (K,) s, strictly increasing, K ≥ 2.
        values: (K,) at the knots.
        times: (T,) s.

    Returns:
        (C, T), all curves at all times.
    """
    # One curve after the other in one row, since a clip has dozens of curves of few knots.
    knot, value = np.concatenate(knots), np.concatenate(values)
    sizes = np.array([len(each) for each in knots])
    ends = np.cumsum(sizes)
    width, rise = np.diff(knot), np.diff(value)
    width[ends[:-1] - 1] = 1.0
    slope = rise / width
    before, after = slope[:-1], slope[1:]
    inner = before * after > 0.0
    inner[np.concatenate([ends[:-1] - 2, ends[:-1] - 1])] = False
    first = 2.0 * width[1:] + width[:-1]
    second = width[1:] + 2.0 * width[:-1]
    tangent = np.zeros(len(knot))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (first + second) / (first / before + second / after)
    tangent[1:-1] = np.where(inner, mean, 0.0)
    at = np.stack([np.searchsorted(each[1:-1], times, side="right") for each in knots])
    at += (ends - sizes)[:, None]
    w = width[at]
    s = np.clip((times - knot[at]) / w, 0.0, 1.0)
    s2 = s * s
    s3 = s2 * s
    return np.asarray(
        (2.0 * s3 - 3.0 * s2 + 1.0) * value[at]
        + (s3 - 2.0 * s2 + s) * w * tangent[at]
        + (3.0 * s2 - 2.0 * s3) * value[at + 1]
        + (s3 - s2) * w * tangent[at + 1]
    )


def smooth(samples: Floats, sigma: float) -> Floats:
    """Gaussian low-pass along the last axis; sigma in samples; the ends are held."""
    radius = int(np.ceil(3.0 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    edge = [(0, 0)] * (samples.ndim - 1) + [(radius, radius)]
    padded = np.pad(samples, edge, mode="edge")
    length = samples.shape[-1]
    total = np.zeros(samples.shape)
    for weight, shift in zip(kernel, range(2 * radius + 1), strict=True):
        total += weight * padded[..., shift : shift + length]
    return total
