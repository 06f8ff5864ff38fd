"""The unit dipole in k-space.

D(k) = 1/3 - (k.b)^2 / k^2, with D(0) = 0: the mean of the field is not determined. Source:
Marques and Bowtell, Concepts Magn Reson B 2005;25B:65, doi:10.1002/cmr.b.20034.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    squares, crosses = [], []
    for axis, (n, d) in enumerate(zip(shape, voxel_size, strict=True)):
        k: NDArray[Any] = np.fft.rfftfreq(n, d) if axis == 2 else np.fft.fftfreq(n, d)
        signed = k.copy()
        if n % 2 == 0:
            signed[n // 2] = 0.0
        view = [1, 1, 1]
        view[axis] = -1
        squares.append((k * k).reshape(view))
        crosses.append(signed.reshape(view))
    k2 = squares[0] + squares[1] + squares[2]
    along = sum(b[i] ** 2 * squares[i] for i in range(3))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        if b[i] != 0 and b[j] != 0:
            along = along + 2 * b[i] * b[j] * crosses[i] * crosses[j]
    k2[0, 0, 0] = 1.0
    kernel = 1 / 3 - along / k2
    kernel[0, 0, 0] = 0.0
    result: FloatArray = kernel.astype(np.float32)
    return result
