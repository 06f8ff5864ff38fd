"""The unit dipole in k-space.

D(k) = 1/3 - (k.b)^2 / k^2, with D(0) = 0: the mean of the field is not determined. Source:
Marques and Bowtell, Concepts Magn Reson B 2005;25B:65, doi:10.1002/cmr.b.20034.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel as compiled
from napari_qsm_stroke.core.numerics.compiled import routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

DipoleAxes = tuple[Any, Any, Any, Any, Any, Any, Any]
"""What lines of the kernel are made of: the squares of k along each axis, k times the direction of
the field where its sign counts, and the squares of that direction; all float64."""


def dipole_kernel(
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    b0_dir: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> FloatArray:
    """Dipole kernel on the half grid of ``scipy.fft.rfftn``.

    Parameters
    ----------
    shape : tuple of int
        Shape of the real-space grid, (X, Y, Z).
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes; need not be normalised.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z // 2 + 1)

    Notes
    -----
    On an even axis k and -k share the Nyquist plane, so that cross terms k_i k_j have no sign
    there. They are set to zero on it: the kernel is then even in k, and a permutation or a flip
    of the axes permutes or flips the result.
    """
    kernel = np.empty((shape[0], shape[1], shape[2] // 2 + 1), np.float32)
    _fill(dipole_axes(shape, voxel_size, b0_dir), kernel)
    return kernel


def dipole_axes(
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    b0_dir: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> DipoleAxes:
    """What ``dipole_line`` makes lines of the kernel of; arguments as of ``dipole_kernel``."""
    b = np.asarray(b0_dir, dtype=np.float64)
    b = b / np.linalg.norm(b)
    squares, signed = [], []
    for axis, (n, d) in enumerate(zip(shape, voxel_size, strict=True)):
        k: NDArray[Any] = np.fft.rfftfreq(n, d) if axis == 2 else np.fft.fftfreq(n, d)
        squares.append(k * k)
        if n % 2 == 0:
            k[n // 2] = 0.0
        signed.append(b[axis] * k)
    (xx, yy, zz), (bx, by, bz) = squares, signed
    return xx, yy, zz, bx, by, bz, b * b


@routine
def dipole_line(axes: DipoleAxes, i: int, j: int, line: NDArray[np.float32]) -> None:
    """Line (i, j) of the kernel on the half grid."""
    xx, yy, zz, bx, by, bz, bb = axes
    square = xx[i] + yy[j]
    own = bb[0] * xx[i] + bb[1] * yy[j] + 2 * bx[i] * by[j]
    cross = 2 * (bx[i] + by[j])
    for k in range(line.size):
        along = own + bb[2] * zz[k] + cross * bz[k]
        line[k] = 1 / 3 - along / max(square + zz[k], 1e-300)
    if i == 0 and j == 0:
        line[0] = 0


@compiled()
def _fill(axes: DipoleAxes, kernel: FloatArray) -> None:
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            dipole_line(axes, i, j, kernel[i, j])
