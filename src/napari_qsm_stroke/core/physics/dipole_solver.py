"""Susceptibility from a field and the pull of penalties: what a step of the splitting solves.

Two real volumes travel through one complex transform: the field of the model as real part, the
pull of the penalties as imaginary part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.physics.dipole import DipoleAxes, dipole_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.total_variation import Penalties
    from napari_qsm_stroke.core.quantities import FloatArray


@kernel(parallel=True)
def solve_spectrum(
    spectrum: NDArray[np.complex64],
    axes: DipoleAxes,
    power_x: FloatArray,
    power_y: FloatArray,
    power_z: FloatArray,
    penalties: Penalties,
) -> None:
    """Replace (model field, pull) by (susceptibility, its field), all in k-space.

    Solves ``(a grad'grad + b D'D + c) x = pull + b D field`` for each k with the penalties a of
    the gradient, b of the field and c of the support. The dipole is made line by line: that takes
    no longer than to fetch it from memory.
    """
    nx, ny, nz = spectrum.shape
    a, b, c = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(penalties[2])
    half = np.float32(0.5)
    for i in prange(nx):
        dipole = np.empty(nz // 2 + 1, np.float32)
        mi = (nx - i) % nx
        for j in range(ny):
            mj = (ny - j) % ny
            dipole_line(axes, i, j, dipole)
            for k in range(nz // 2 + 1):
                mk = (nz - k) % nz
                if mk == k and (mi, mj) < (i, j):
                    continue  # its mirror image does both
                d = dipole[k]
                bottom = a * (power_x[i] + power_y[j] + power_z[k]) + b * d * d + c
                z, m = spectrum[i, j, k], spectrum[mi, mj, mk].conjugate()
                field_re = half * (z.real + m.real)
                field_im = half * (z.imag + m.imag)
                pull_re = half * (z.imag - m.imag)
                pull_im = half * (m.real - z.real)
                scale = np.float32(1) / bottom if bottom > 0 else np.float32(0)
                re = scale * (b * d * field_re + pull_re)
                im = scale * (b * d * field_im + pull_im)
                spectrum[i, j, k] = complex(re - d * im, im + d * re)
                spectrum[mi, mj, mk] = complex(re + d * im, d * re - im)
