"""Curves over time: easing, monotone interpolation, smoothing. All vectorised over samples."""

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


def pchip(knots: Floats, values: Floats, times: Floats) -> Floats:
    """Monotone cubic interpolation (Fritsch and Carlson, 1980), flat at and beyond both ends.

    Args:
        knots: (K,) s, strictly increasing, K ≥ 1.
        values: (K,) at the knots.
        times: (T,) s.
    """
    if len(knots) == 1:
        return np.full(times.shape, values[0])
    width = np.diff(knots)
    slope = np.diff(values) / width
    tangent = np.zeros(len(knots))
    before, after = slope[:-1], slope[1:]
    first = 2.0 * width[1:] + width[:-1]
    second = width[1:] + 2.0 * width[:-1]
    rising = before * after > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (first + second) / (first / before + second / after)
    tangent[1:-1] = np.where(rising, mean, 0.0)
    at = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    w = width[at]
    s = np.clip((times - knots[at]) / w, 0.0, 1.0)
    s2 = s * s
    s3 = s2 * s
    return np.asarray(
        (2.0 * s3 - 3.0 * s2 + 1.0) * values[at]
        + (s3 - 2.0 * s2 + s) * w * tangent[at]
        + (3.0 * s2 - 2.0 * s3) * values[at + 1]
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
