"""Curves over time."""

import numpy as np
import pytest

from kinesphere.engines.choreo.curves import cruise, minimum_jerk, pchips, smooth, window
from kinesphere.engines.choreo.score import Layer


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


def test_pchips_pass_their_knots_and_never_overshoot() -> None:
    knots, values = np.array([0.0, 1.0, 1.5, 4.0]), np.array([0.0, 2.0, 2.0, -1.0])
    times = np.linspace(-1.0, 5.0, 601)
    two = pchips([knots, knots[:2]], [values, values[:2]], times)

    assert pchips([knots], [values], knots)[0] == pytest.approx(values)
    assert np.array_equal(two[0], pchips([knots], [values], times)[0])
    assert two.max() <= 2.0
    assert two.min() >= -1.0
    assert two[:, 0].tolist() == [0.0, 0.0]
    assert two[:, -1].tolist() == [-1.0, 2.0]


def test_a_channel_of_one_key_holds_it() -> None:
    layer = Layer()
    layer.put("y", 0.0, 0.5, 0.0)

    assert layer.curves(("y",), np.arange(3.0))["y"].tolist() == [0.5, 0.5, 0.5]


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
