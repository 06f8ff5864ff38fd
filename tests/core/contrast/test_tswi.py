"""True susceptibility-weighted image."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.contrast.tswi import tswi

HEAD = {"echo_times": (0.010, 0.021, 0.030), "field_strength": 3.0}


def test_magnitude_falls_with_susceptibility() -> None:
    chi = np.array([-0.2, 0.0, 0.09, 0.225, 0.45, 0.9], np.float32).reshape(6, 1, 1)
    magnitude = np.full((6, 1, 1, 3), 7, np.float32)
    magnitude[..., 1] = 100
    image = tswi(chi, magnitude, **HEAD)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image.ravel(), [100, 100, 64, 25, 0, 0], atol=1e-3)


def test_limits_and_power_are_those_given() -> None:
    chi = np.array([0.1, 0.3, 0.5], np.float32).reshape(3, 1, 1)
    image = tswi(chi, np.ones((3, 1, 1, 3)), lowest=0.1, highest=0.5, power=4, **HEAD)
    np.testing.assert_allclose(image.ravel(), [1, 0.0625, 0], atol=1e-6)


def test_nan_is_no_susceptibility() -> None:
    chi = np.full((2, 2, 2), np.nan, np.float32)
    np.testing.assert_array_equal(tswi(chi, np.ones((2, 2, 2, 3), np.float32), **HEAD), 1)
