"""How much each voxel counts."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.numerics.weights import data_weight, signal_lost

SIZE = (1.0, 1.0, 2.0)


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


def test_noise_far_above_that_around_tells_that_the_signal_is_lost() -> None:
    inside = np.ones((40, 42, 20), bool)
    inside[:4] = False
    noise = np.random.default_rng(71).uniform(1.6e-3, 2.4e-3, inside.shape).astype(np.float32)
    bleed = np.zeros_like(inside)
    bleed[18:24, 18:24, 8:11] = True
    noise[bleed] = 8e-3
    noise[:4] = 8e-3  # no noise is known outside
    noise[30, 30, 10] = 0
    np.testing.assert_array_equal(signal_lost(inside, noise, SIZE), bleed)


def test_a_dark_vein_is_no_lost_signal() -> None:
    inside = np.ones((40, 42, 20), bool)
    noise = np.full(inside.shape, 2e-3, np.float32)
    noise[20, 10:24, 10] = 8e-3  # 28 mm3
    assert not signal_lost(inside, noise, SIZE).any()
    noise[20, 10:25, 10] = 8e-3
    assert signal_lost(inside, noise, SIZE).sum() == 15


def test_what_is_small_beside_lost_signal_is_lost_too() -> None:
    inside = np.ones((40, 42, 20), bool)
    noise = np.full(inside.shape, 2e-3, np.float32)
    bleed = np.zeros_like(inside)
    bleed[10:16, 18:24, 8:11] = True
    bleed[18, 20, 10] = True
    noise[bleed] = 8e-3
    noise[24, 20, 10] = 8e-3
    np.testing.assert_array_equal(signal_lost(inside, noise, SIZE), bleed)


def test_noise_that_rises_slowly_tells_nothing() -> None:
    """As parallel imaging makes it: several times as high in the middle of the head."""
    shape = (120, 130, 60)
    inside = np.ones(shape, bool)
    place = np.indices(shape) - (np.reshape(shape, (3, 1, 1, 1)) - 1) / 2
    far = (place * np.reshape(SIZE, (3, 1, 1, 1)) / 28) ** 2
    noise = (2e-3 * (1 + 2 * np.exp(-far.sum(axis=0) / 2))).astype(np.float32)
    assert noise.max() > 2.2 * np.median(noise)
    assert not signal_lost(inside, noise, SIZE).any()
    assert not signal_lost(inside, np.zeros(shape, np.float32), SIZE).any()
