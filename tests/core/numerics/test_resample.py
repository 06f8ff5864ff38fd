"""Values on other grids over the same box."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.resample import block_size, interpolated_angle, resampled

IMAGE = np.random.default_rng(23).normal(size=(15, 12, 20)).astype(np.float32)


@pytest.mark.parametrize("shape", [(30, 36, 41), (7, 6, 9), (15, 12, 20), (1, 30, 5)])
def test_equals_a_linear_zoom(shape: tuple[int, int, int]) -> None:
    factor = [(n + 1e-6) / m for n, m in zip(shape, IMAGE.shape, strict=True)]
    expected = ndimage.zoom(IMAGE.astype(float), factor, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(resampled(IMAGE, shape), expected, atol=1e-4)


def test_blocks_are_no_larger_than_said() -> None:
    assert block_size((1.0, 0.7, 2.5), 2.0) == (2, 2, 1)
    assert block_size((0.5, 0.25, 1.01), 2.0) == (4, 8, 1)


def test_a_slow_phase_is_found_between_the_middles_of_blocks() -> None:
    x, y, z = np.indices((21, 18, 16))
    phase = 2 + 0.11 * x - 0.07 * y + 0.05 * z
    blocks = np.zeros((11, 6, 16), np.complex64)
    for i in range(11):
        for j in range(6):
            blocks[i, j] = np.exp(1j * phase[2 * i : 2 * i + 2, 3 * j : 3 * j + 3].mean((0, 1)))
    blocks[-1] = blocks[-2] * np.exp(0.22j)  # half a block: its middle lies elsewhere
    found = interpolated_angle(blocks, (2, 3, 1), (21, 18, 16))
    error = np.angle(np.exp(1j * (found - phase)))
    assert np.abs(error[1:-2, 1:-1]).max() < 2e-3
    assert np.abs(error).max() < 0.13
