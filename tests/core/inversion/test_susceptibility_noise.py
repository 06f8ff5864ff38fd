"""Noise carried from the field to the susceptibility."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.susceptibility_noise import susceptibility_noise
from napari_qsm_stroke.core.inversion.tikhonov import tikhonov
from napari_qsm_stroke.core.inversion.tkd import tkd

SHAPE, SIZE, B0 = (28, 24, 20), (1.0, 1.2, 1.5), (0.2, -0.3, 0.93)


@pytest.mark.parametrize(
    ("method", "name", "option"),
    [(tkd, "tkd", {"threshold": 0.2}), (tikhonov, "tikhonov", {"regularisation": 0.02})],
)
def test_equals_the_scatter_of_repeated_simulations(method, name: str, option: dict) -> None:
    rng = np.random.default_rng(92)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    mask = ((x / 12) ** 2 + (y / 10) ** 2 + (z / 8.5) ** 2 < 1).astype(np.uint8)
    noise = (1e-3 * np.where(x > 3, 4.0, 1.0)).astype(np.float32)
    geometry = {"voxel_size": SIZE, "b0_dir": B0}
    found = susceptibility_noise(noise, mask, inversion=name, **option, **geometry)
    assert found.dtype == np.float32
    assert (found[mask == 0] == 0).all()
    maps = [
        method((noise * rng.normal(size=SHAPE)).astype(np.float32), mask, **option, **geometry)
        for _ in range(300)
    ]
    scatter = np.std(maps, axis=0)
    inside = mask > 0
    # 300 samples tell a standard deviation to 4 %
    ratio = found[inside] / scatter[inside]
    assert np.mean(ratio) == pytest.approx(1, abs=0.02)
    assert np.std(ratio) < 0.06
    assert found[inside & (x > 6)].mean() > 2 * found[inside & (x < -3)].mean()


def test_scales_with_the_noise() -> None:
    mask = np.ones((10, 10, 10), np.uint8)
    noise = np.full((10, 10, 10), 2e-3, np.float32)
    one, two = susceptibility_noise(noise, mask), susceptibility_noise(3 * noise, mask)
    np.testing.assert_allclose(two, 3 * one, rtol=1e-4)
