"""The spherical mean value: the mean over a ball, which a harmonic field does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.fourier import forward

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
    grid = np.zeros(shape, np.float32)
    # a ball larger than the grid is folded into it
    places = [(np.arange(m) - m // 2) % n for m, n in zip(weights.shape, shape, strict=True)]
    np.add.at(grid, np.ix_(*places), weights)
    return np.ascontiguousarray(forward(grid).real)
