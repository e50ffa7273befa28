"""Curves over time."""

import numpy as np
import pytest

from kinesphere.engines.choreo.curves import cruise, minimum_jerk, pchip, smooth, window


def test_minimum_jerk_rests_at_both_ends() -> None:
    curve = minimum_jerk(np.linspace(-0.5, 1.5, 4001))

    assert curve[0] == 0.0
    assert curve[-1] == 1.0
    assert np.abs(np.gradient(curve)[[1000, 3000]]).max() < 1e-6


def test_cruise_goes_at_one_speed_between_its_ramps() -> None:
    speed = np.diff(cruise(np.linspace(0.0, 1.0, 1001), 0.3)) * 1000.0

    assert speed[300:700] == pytest.approx(1.0 / 0.7)
    assert speed[0] < 0.01
    assert speed.sum() == pytest.approx(1000.0)


def test_pchip_passes_its_knots_and_never_overshoots() -> None:
    knots, values = np.array([0.0, 1.0, 1.5, 4.0]), np.array([0.0, 2.0, 2.0, -1.0])
    curve = pchip(knots, values, np.linspace(-1.0, 5.0, 601))

    assert pchip(knots, values, knots) == pytest.approx(values)
    assert curve.max() <= 2.0
    assert curve.min() >= -1.0
    assert curve[0] == 0.0
    assert curve[-1] == -1.0


def test_pchip_of_one_knot_is_constant() -> None:
    assert np.all(pchip(np.array([1.0]), np.array([3.0]), np.arange(4.0)) == 3.0)


def test_smoothing_keeps_constants_and_the_mean() -> None:
    spike = np.zeros((2, 101))
    spike[1, 50] = 1.0

    curve = smooth(spike + 2.0, 1.8)

    assert curve[0] == pytest.approx(2.0)
    assert (curve[1] - 2.0).sum() == pytest.approx(1.0)
    assert curve[1].max() < 2.25


def test_window_is_zero_outside_and_one_inside() -> None:
    weight = window(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), 1.0, 3.0, 0.5)

    assert weight == pytest.approx([0.0, 0.0, 1.0, 0.0, 0.0])
