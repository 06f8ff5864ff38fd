"""What stands out on a diffusion-weighted image, wherever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    Size,
    dilate,
    fill_holes,
    without_small_parts,
)
from napari_qsm_stroke.core.masks.smoothing import smooth_inside

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray

SMOOTHING_MM = 2.0
DEVIATIONS = 3.0
SMALLEST_MM3 = 500.0
RIM_MM = 4.0


def bright_on_diffusion(dwi: FloatArray, inside: Bools, voxel_size: Size) -> Bools:
    """Places that are brighter than the brain by three robust standard deviations, and their rim.

    What they shut in, a dark haemorrhage, belongs to them. Generous: for leaving a lesion out of a
    comparison, not for measuring it.

    Parameters
    ----------
    dwi : ndarray of float32, shape (X, Y, Z)
        Diffusion-weighted image.
    inside : ndarray of bool, shape (X, Y, Z)
        Brain.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
    """
    seen = inside & (dwi > 0)
    if not seen.any():
        return np.zeros_like(inside)
    values = smooth_inside(dwi, seen, SMOOTHING_MM, voxel_size)
    middle = float(np.median(values[seen]))
    spread = 1.4826 * float(np.median(np.abs(values[seen] - middle)))
    bright = seen & (values > middle + DEVIATIONS * spread)
    large = without_small_parts(bright, SMALLEST_MM3, voxel_size)
    return fill_holes(dilate(large, RIM_MM, voxel_size)) & inside
