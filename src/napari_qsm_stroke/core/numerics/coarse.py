"""Coarser grids: blocks of voxels summed up, and what varies slowly brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ZERO, angle_of
from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray


def block_size(voxel_size: Sequence[float], coarse: float) -> Shape:
    """Voxels along each axis of the largest block of at most ``coarse`` mm, at least one."""
    x, y, z = (max(1, int(coarse / v + 1e-6)) for v in voxel_size)
    return (x, y, z)


def interpolated_angle(coarse: NDArray[np.complex64], block: Shape, shape: Shape) -> FloatArray:
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
    places = [_places(n, m, b) for n, m, b in zip(shape, coarse.shape, block, strict=True)]
    real, imaginary = np.ascontiguousarray(coarse.real), np.ascontiguousarray(coarse.imag)
    _interpolate(real, imaginary, *places[0], *places[1], *places[2], angle)
    return angle


def _places(count: int, coarse: int, block: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Block before each voxel and how far the voxel is on the way to the next."""
    position = np.clip((np.arange(count) + 0.5) / block - 0.5, 0, coarse - 1)
    before = np.minimum(position.astype(np.int64), max(coarse - 2, 0))
    return before, (position - before).astype(np.float32)


@kernel(parallel=True)
def _interpolate(
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
    nx, ny, nz = angle.shape
    mx, my, mz = real.shape
    one = np.float32(1)
    for i in prange(nx):
        a, b = np.empty(mz + 1, np.float32), np.empty(mz + 1, np.float32)
        u, v = np.empty(nz, np.float32), np.empty(nz, np.float32)
        i1 = min(i0[i] + 1, mx - 1)
        for j in range(ny):
            j1 = min(j0[j] + 1, my - 1)
            w00, w01 = (one - fx[i]) * (one - fy[j]), (one - fx[i]) * fy[j]
            w10, w11 = fx[i] * (one - fy[j]), fx[i] * fy[j]
            for k in range(mz):
                a[k] = w00 * real[i0[i], j0[j], k] + w01 * real[i0[i], j1, k]
                a[k] += w10 * real[i1, j0[j], k] + w11 * real[i1, j1, k]
                b[k] = w00 * imaginary[i0[i], j0[j], k] + w01 * imaginary[i0[i], j1, k]
                b[k] += w10 * imaginary[i1, j0[j], k] + w11 * imaginary[i1, j1, k]
            a[mz], b[mz] = ZERO, ZERO
            for k in range(nz):
                low, f = k0[k], fz[k]
                u[k] = a[low] * (one - f) + a[low + 1] * f
                v[k] = b[low] * (one - f) + b[low + 1] * f
            for k in range(nz):
                angle[i, j, k] = angle_of(u[k], v[k])
