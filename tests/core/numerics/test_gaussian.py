"""Smoothing in real space."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.gaussian import gaussian

IMAGE = np.random.default_rng(21).normal(size=(17, 12, 23)).astype(np.float32)
IMAGE.flags.writeable = False


@pytest.mark.parametrize("sigma", [(0.5, 0.7, 0.3), (2.0, 1.0, 0.0), (0.1, 9.0, 3.0)])
def test_equals_scipy(sigma: tuple[float, float, float]) -> None:
    expected = ndimage.gaussian_filter(IMAGE.astype(float), sigma, truncate=3, mode="nearest")
    found = gaussian(IMAGE, sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_order_in_memory_does_not_matter() -> None:
    other = gaussian(np.asfortranarray(IMAGE), (1, 1, 1))
    np.testing.assert_array_equal(other, gaussian(IMAGE, (1, 1, 1)))
