"""Minimum-intensity slabs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.contrast.mip import mip


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_dark_voxel_darkens_its_slab_across_the_field(axis: int) -> None:
    swi = np.full((21, 21, 21), 100, np.float32)
    swi[10, 10, 10] = 5
    direction = np.full(3, 0.2)
    direction[axis] = -0.95
    image = mip(swi, voxel_size=(2.0, 2.0, 2.0), b0_dir=tuple(direction), thickness=10.0)
    assert image.dtype == np.float32
    dark = np.argwhere(image < 50)
    assert len(dark) == 5  # 10 mm of 2 mm
    assert np.ptp(dark, axis=0)[axis] == 4


def test_a_thin_slab_changes_nothing() -> None:
    swi = np.random.default_rng(81).uniform(0, 9, (7, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(mip(swi, thickness=1.0), swi)
