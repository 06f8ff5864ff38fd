"""Other grids over the same box: blocks of voxels, and values between voxels by interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ONE, ZERO, angle_of
from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray


def block_size(voxel_size: Sequence[float], coarse: float) -> Shape:
    """Voxels along each axis of the largest block of at most ``coarse`` mm, at least one."""
    x, y, z = (max(1, int(coarse / v + 1e-6)) for v in voxel_size)
    return (x, y, z)


def resampled(image: FloatArray, shape: Shape) -> FloatArray:
    """Image on a grid of that shape over the same box, by linear interpolation.

    Parameters
    ----------
    image : ndarray, shape (X, Y, Z)
    shape : tuple of int
        Of the result. Voxels are to be smoothed first where they become larger.

    Returns
    -------
    ndarray of float32
    """
    result = np.empty(shape, np.float32)
    x, y, z = (_places(n, m, m / n) for n, m in zip(shape, image.shape, strict=True))
    _interpolate(np.ascontiguousarray(image, np.float32), *x, *y, *z, result)
    return result


def interpolated_angle(coarse: NDArray[Any], block: Shape, shape: Shape) -> FloatArray:
    """Angle of a complex volume of blocks at each voxel, by linear interpolation.

    Parameters
    ----------
    coarse : ndarray of complex64, shape (X / block, Y / block, Z / block), rounded up
        Value at the middle of each block.
    block : tuple of int
        Voxels of a block along each axis.
    shape : tuple of int
        (X, Y, Z).

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In rad, -pi to pi.
    """
    angle = np.empty(shape, np.float32)
    x, y, z = (_places(n, m, 1 / b) for n, m, b in zip(shape, coarse.shape, block, strict=True))
    real, imaginary = np.ascontiguousarray(coarse.real), np.ascontiguousarray(coarse.imag)
    _interpolate_angle(real, imaginary, *x, *y, *z, angle)
    return angle


def _places(count: int, source: int, ratio: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Source voxel before each voxel, and how far the voxel is on the way to the next."""
    position = np.clip((np.arange(count) + 0.5) * ratio - 0.5, 0, source - 1)
    before = np.minimum(position.astype(np.int64), max(source - 2, 0))
    return before, (position - before).astype(np.float32)


@routine
def _line(
    image: FloatArray, i: int, fx: np.float32, j: int, fy: np.float32, line: FloatArray
) -> None:
    """Line of the source between four of its lines; one more voxel at its end."""
    k, m = min(i + 1, image.shape[0] - 1), min(j + 1, image.shape[1] - 1)
    first, second, third, fourth = image[i, j], image[i, m], image[k, j], image[k, m]
    low, high = ONE - fx, fx
    for z in range(first.size):
        near = first[z] + fy * (second[z] - first[z])
        far = third[z] + fy * (fourth[z] - third[z])
        line[z] = low * near + high * far
    line[first.size] = ZERO


@kernel(parallel=True)
def _interpolate(
    image: FloatArray,
    i0: NDArray[np.int64],
    fx: FloatArray,
    j0: NDArray[np.int64],
    fy: FloatArray,
    k0: NDArray[np.int64],
    fz: FloatArray,
    result: FloatArray,
) -> None:
    for i in prange(result.shape[0]):
        line = np.empty(image.shape[2] + 1, np.float32)
        for j in range(result.shape[1]):
            _line(image, i0[i], fx[i], j0[j], fy[j], line)
            for k in range(result.shape[2]):
                low, f = k0[k], fz[k]
                result[i, j, k] = line[low] * (ONE - f) + line[low + 1] * f


@kernel(parallel=True)
def _interpolate_angle(
    real: FloatArray,
    imaginary: FloatArray,
    i0: NDArray[np.int64],
    fx: FloatArray,
    j0: NDArray[np.int64],
    fy: FloatArray,
    k0: NDArray[np.int64],
    fz: FloatArray,
    angle: FloatArray,
) -> None:
    nz = angle.shape[2]
    for i in prange(angle.shape[0]):
        lines = np.empty((2, real.shape[2] + 1), np.float32)
        fine = np.empty((2, nz), np.float32)
        for j in range(angle.shape[1]):
            _line(real, i0[i], fx[i], j0[j], fy[j], lines[0])
            _line(imaginary, i0[i], fx[i], j0[j], fy[j], lines[1])
            for k in range(nz):
                low, f = k0[k], fz[k]
                fine[0, k] = lines[0, low] * (ONE - f) + lines[0, low + 1] * f
                fine[1, k] = lines[1, low] * (ONE - f) + lines[1, low + 1] * f
            for k in range(nz):
                angle[i, j, k] = angle_of(fine[0, k], fine[1, k])
