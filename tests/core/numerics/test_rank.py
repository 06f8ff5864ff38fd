"""Largest values in balls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.rank import ball_maximum, opening

IMAGE = np.random.default_rng(22).normal(size=(14, 17, 19)).astype(np.float32)
IMAGE.flags.writeable = False
SIZE = (0.75, 0.9, 1.3)


def ball(radius: float) -> np.ndarray:
    grid = np.mgrid[-6:7, -6:7, -6:7].reshape(3, -1).T * SIZE
    return ((grid**2).sum(axis=1) <= radius**2 * (1 + 1e-9)).reshape(13, 13, 13)


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.4, 2.5, 3.9])
def test_equals_a_rank_filter_with_a_ball(radius: float) -> None:
    options = {"footprint": ball(radius), "mode": "constant"}
    largest = ndimage.maximum_filter(IMAGE, cval=-1e9, **options)
    np.testing.assert_array_equal(ball_maximum(IMAGE, radius, SIZE), largest)
    smallest = ndimage.minimum_filter(IMAGE, cval=1e9, **options)
    opened = ndimage.maximum_filter(smallest, cval=-1e9, **options)
    np.testing.assert_array_equal(opening(IMAGE, radius, SIZE), opened)
