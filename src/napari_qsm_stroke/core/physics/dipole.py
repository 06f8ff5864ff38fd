"""The unit dipole in k-space.

D(k) = 1/3 - (k.b)^2 / k^2, with D(0) = 0: the mean of the field is not determined. Source:
Marques and Bowtell, Concepts Magn Reson B 2005;25B:65, doi:10.1002/cmr.b.20034.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel as compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


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
    b = np.asarray(b0_dir, dtype=np.float64)
    b = b / np.linalg.norm(b)
    squares, signed = [], []
    for axis, (n, d) in enumerate(zip(shape, voxel_size, strict=True)):
        k: NDArray[Any] = np.fft.rfftfreq(n, d) if axis == 2 else np.fft.fftfreq(n, d)
        squares.append(k * k)
        if n % 2 == 0:
            k[n // 2] = 0.0
        signed.append(b[axis] * k)
    kernel = np.empty((shape[0], shape[1], shape[2] // 2 + 1), np.float32)
    (xx, yy, zz), (bx, by, bz) = squares, signed
    _fill(xx, yy, zz, bx, by, bz, b * b, kernel)
    return kernel


@compiled()
def _fill(
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    zz: NDArray[np.float64],
    bx: NDArray[np.float64],
    by: NDArray[np.float64],
    bz: NDArray[np.float64],
    bb: NDArray[np.float64],
    kernel: FloatArray,
) -> None:
    """Dipole from the squares of k along each axis, and from k times b where signs count."""
    for i in range(xx.size):
        for j in range(yy.size):
            square = xx[i] + yy[j]
            own = bb[0] * xx[i] + bb[1] * yy[j] + 2 * bx[i] * by[j]
            cross = 2 * (bx[i] + by[j])
            for k in range(zz.size):
                along = own + bb[2] * zz[k] + cross * bz[k]
                kernel[i, j, k] = 1 / 3 - along / max(square + zz[k], 1e-300)
    kernel[0, 0, 0] = 0
