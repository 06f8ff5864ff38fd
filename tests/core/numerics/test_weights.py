"""How much each voxel counts."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.numerics.weights import data_weight


def test_usual_noise_counts_fully_and_high_noise_by_its_square() -> None:
    inside = np.ones((3, 3, 3), bool)
    noise = np.full(inside.shape, 2e-3, np.float32)
    noise[0, 0, 0], noise[1, 1, 1], noise[2, 2, 2] = 1e-3, 3.9e-3, 16e-3
    weight = data_weight(inside, noise)
    assert weight.dtype == np.float32
    assert weight[0, 0, 0] == weight[1, 1, 1] == 1
    np.testing.assert_allclose(weight[2, 2, 2], 1 / 16, rtol=1e-5)


def test_unknown_noise_counts_nothing_and_outside_is_zero() -> None:
    inside = np.ones((3, 3, 3), bool)
    inside[0] = False
    noise = np.full(inside.shape, 2e-3, np.float32)
    noise[1, 1, 1] = 0
    weight = data_weight(inside, noise)
    assert weight[1, 1, 1] == 0
    assert (weight[0] == 0).all()
    np.testing.assert_array_equal(data_weight(inside, None), inside)
    np.testing.assert_array_equal(data_weight(inside, np.zeros_like(noise)), inside)
