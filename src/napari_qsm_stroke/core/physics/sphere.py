"""The spherical mean value: the mean over a ball, which a harmonic field does not change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray


def ball(radius: float, voxel_size: Sequence[float]) -> FloatArray:
    """Voxels whose centres lie within ``radius`` mm, with weights that sum to 1.

    Returns
    -------
    ndarray of float32
        Odd along each axis, centred.
    """
    half = [int(np.floor(radius / d + 1e-6)) for d in voxel_size]
    axes = [np.arange(-h, h + 1) * d for h, d in zip(half, voxel_size, strict=True)]
    square = sum(a**2 for a in np.meshgrid(*axes, indexing="ij", sparse=True))
    inside = (square <= (radius + 1e-6) ** 2).astype(np.float32)
    weights: FloatArray = inside / inside.sum()
    return weights


def mean_value_kernel(shape: Shape, radius: float, voxel_size: Sequence[float]) -> FloatArray:
    """Spectrum of ``ball`` about the first voxel, on the half grid; real, for the ball is even.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z // 2 + 1)
    """
    weights = ball(radius, voxel_size)
    # the ball is even along each axis by itself: sums of cosines over its few voxels, one axis
    # after the other, are less work than a transform of the grid
    x, y, z = (
        np.cos(2 * math.pi / n * np.outer(np.arange(count), np.arange(m) - m // 2))
        for n, count, m in zip(shape, (*shape[:2], shape[2] // 2 + 1), weights.shape, strict=True)
    )
    planes = np.matmul(y, weights @ z.T).astype(np.float32)
    spectrum: FloatArray = x.astype(np.float32) @ planes.reshape(len(planes), -1)
    return spectrum.reshape(x.shape[0], y.shape[0], z.shape[0])
