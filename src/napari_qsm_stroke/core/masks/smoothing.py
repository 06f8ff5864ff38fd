"""Smoothing that takes nothing from outside a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.gaussian import gaussian, gaussian_inside

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
    return gaussian_inside(image, mask, [sigma / v for v in voxel_size])


def extended(image: FloatArray, mask: Bools, sigma: float, voxel_size: Size) -> FloatArray:
    """Return the image inside the mask and a smooth continuation of it outside."""
    return np.where(mask, image, smooth_inside(image, mask, sigma, voxel_size)).astype(np.float32)
