"""How much each voxel counts in a fit to the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.numerics.distance import within
from napari_qsm_stroke.core.numerics.gaussian import gaussian_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

FULL_WEIGHT = 2.0
"""Voxels of up to this many times the median noise count fully."""
AROUND_MM = 20.0
MOST_OF_AROUND = 2.0
"""Over the noise around: where more, the signal is lost, as in blood, and with it the field."""
LEAST_LOST_MM3 = 30.0
"""Parts below it are dark veins, whose field is right."""
BESIDE_MM = 5.0
"""Of a part that is large enough: here small ones belong to it."""


def data_weight(inside: NDArray[np.bool_], noise: FloatArray | None) -> FloatArray:
    """Squared weight of the data: 1 but where the noise is unusually high, 0 outside the mask.

    Below twice its median the noise is not what limits a fit. Veins are a little noisier than
    tissue: were they to count less for it, a smoothing penalty would take more from their
    contrast.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        Where the field is known.
    noise : ndarray of shape (X, Y, Z) or None
        Standard deviation of the field in ppm; zero where it is not known. All voxels weigh the
        same without it.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        At most 1.
    """
    weight = inside.astype(np.float32)
    if noise is None:
        return weight
    known = inside & (noise > 0)
    if known.any():
        ratio = FULL_WEIGHT * np.median(noise[known]) / noise[known]
        weight[known] = np.minimum(ratio * ratio, 1)
        weight[inside & ~known] = 0
    return weight


def signal_lost(
    inside: NDArray[np.bool_], noise: FloatArray, voxel_size: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Where much is noisier than around: the errors of the field there are not those of noise.

    In and beside a haemorrhage the phase of a voxel is that of its brightest part. Noise that
    varies slowly, as with parallel imaging, says nothing of the kind.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        Where the field is known.
    noise : ndarray of shape (X, Y, Z)
        Standard deviation of the field in ppm; zero where it is not known.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
    """
    known = inside & (noise > 0)
    level = np.zeros(inside.shape, np.float32)
    np.log(noise, out=level, where=known)
    around = gaussian_inside(level, known, [AROUND_MM / v for v in voxel_size])
    noisy = known & (level > around + np.float32(np.log(MOST_OF_AROUND)))
    part = ndimage.label(noisy)[0][noisy]
    large = np.zeros(inside.shape, dtype=bool)
    large[noisy] = (np.bincount(part) * np.prod(voxel_size) >= LEAST_LOST_MM3)[part]
    return noisy & within(large, BESIDE_MM, voxel_size)
