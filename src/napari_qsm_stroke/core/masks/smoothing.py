"""Smoothing that takes nothing from outside a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.gaussian import gaussian

if TYPE_CHECKING:
    from napari_qsm_stroke.core.masks.morphology import Bools, Size
    from napari_qsm_stroke.core.quantities import FloatArray


def smooth(image: FloatArray, sigma: float, voxel_size: Size) -> FloatArray:
    """Gaussian of ``sigma`` mm."""
    return gaussian(image, [sigma / v for v in voxel_size])


def smooth_inside(image: FloatArray, mask: Bools, sigma: float, voxel_size: Size) -> FloatArray:
    """Weighted mean of the mask's voxels around each place; also told where just outside it.

    Places further from the mask than three ``sigma`` (mm) get 0.
    """
    near = smooth(mask.astype(np.float32), sigma, voxel_size)
    total = smooth(np.where(mask, image, np.float32(0)), sigma, voxel_size)
    return np.where(near > 1e-4, total / np.maximum(near, 1e-4), 0).astype(np.float32)


def extended(image: FloatArray, mask: Bools, sigma: float, voxel_size: Size) -> FloatArray:
    """Return the image inside the mask and a smooth continuation of it outside."""
    return np.where(mask, image, smooth_inside(image, mask, sigma, voxel_size)).astype(np.float32)
