"""Gaussian smoothing in real space, values beyond the border as at the border."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TRUNCATE = 3.0


def gaussian(image: NDArray[np.generic], sigma: Sequence[float]) -> FloatArray:
    """Convolve with a Gaussian cut off at three standard deviations.

    Parameters
    ----------
    image : ndarray, shape (X, Y, Z)
    sigma : sequence of float
        Standard deviation along each axis, in voxels; 0 leaves the axis as it is.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
    """
    result = np.array(image, np.float32, order="C")
    x, y, z = (_half(s) for s in sigma)
    if y.size > 1 or z.size > 1:
        _smooth_planes(result, y, z)
    if x.size > 1:
        _smooth_slabs(result, x)
    return result


def gaussian_inside(
    image: NDArray[np.generic], mask: NDArray[np.bool_], sigma: Sequence[float]
) -> FloatArray:
    """Weighted mean of the mask's voxels around each place, also of places just outside it.

    Parameters
    ----------
    image : ndarray, shape (X, Y, Z)
    mask : ndarray of bool, shape (X, Y, Z)
    sigma : sequence of float
        Standard deviation along each axis, in voxels.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        0 where the mask is further away than three standard deviations.
    """
    near = gaussian(mask.astype(np.float32), sigma)
    total = gaussian(np.where(mask, image, np.float32(0)), sigma)
    return np.where(near > 1e-4, total / np.maximum(near, 1e-4), 0).astype(np.float32)


def _half(sigma: float) -> FloatArray:
    """Weights from the middle outwards."""
    reach = int(TRUNCATE * sigma + 0.5)
    if reach == 0:
        return np.ones(1, np.float32)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights /= 2 * weights.sum() - weights[0]
    half: FloatArray = weights.astype(np.float32)
    return half


@kernel(parallel=True)
def _smooth_planes(image: FloatArray, along_y: FloatArray, along_z: FloatArray) -> None:
    ny, nz = image.shape[1], image.shape[2]
    reach = along_z.size - 1
    for i in prange(image.shape[0]):
        plane = np.empty((ny, nz), np.float32)
        line = np.empty(nz + 2 * reach, np.float32)
        for j in range(ny):
            line[:reach] = image[i, j, 0]
            line[reach : reach + nz] = image[i, j]
            line[reach + nz :] = image[i, j, nz - 1]
            _convolve_line(line, along_z, plane[j])
        _convolve_rows(plane, along_y, image[i])


@kernel(parallel=True)
def _smooth_slabs(image: FloatArray, along_x: FloatArray) -> None:
    for j in prange(image.shape[1]):
        _convolve_rows(image[:, j].copy(), along_x, image[:, j])


@routine
def _convolve_line(line: FloatArray, weights: FloatArray, result: FloatArray) -> None:
    reach = weights.size - 1
    middle = line[reach:]
    for z in range(result.size):
        result[z] = weights[0] * middle[z]
    for k in range(1, reach + 1):
        before, after, w = line[reach - k :], line[reach + k :], weights[k]
        for z in range(result.size):
            result[z] += w * (before[z] + after[z])


@routine
def _convolve_rows(rows: FloatArray, weights: FloatArray, result: FloatArray) -> None:
    last = rows.shape[0] - 1
    total = np.empty(rows.shape[1], np.float32)
    for j in range(last + 1):
        here = rows[j]
        for z in range(total.size):
            total[z] = weights[0] * here[z]
        for k in range(1, weights.size):
            before, after, w = rows[max(j - k, 0)], rows[min(j + k, last)], weights[k]
            for z in range(total.size):
                total[z] += w * (before[z] + after[z])
        result[j] = total
