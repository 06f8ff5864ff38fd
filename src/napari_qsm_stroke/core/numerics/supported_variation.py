"""The passes of total variation with the susceptibility held at zero outside the mask.

As in ``total_variation`` two real volumes travel through one complex transform, here the field of
the model and the pull of the penalties, and the shrunken gradient is never stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import inner, kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Step = tuple[float, float, float]
Penalties = tuple[float, float, float]


@kernel(parallel=True)
def solve_spectrum(
    spectrum: NDArray[np.complex64],
    dipole: FloatArray,
    power_x: FloatArray,
    power_y: FloatArray,
    power_z: FloatArray,
    penalties: Penalties,
) -> None:
    """Replace (model field, pull) by (susceptibility, its field), all in k-space.

    Solves ``(a grad'grad + b D'D + c) x = pull + b D field`` for each k with the penalties a of
    the gradient, b of the field and c of the support; ``dipole`` is on the half grid.
    """
    nx, ny, nz = spectrum.shape
    a, b, c = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(penalties[2])
    half = np.float32(0.5)
    for i in prange(nx):
        mi = (nx - i) % nx
        for j in range(ny):
            mj = (ny - j) % ny
            for k in range(nz // 2 + 1):
                mk = (nz - k) % nz
                if mk == k and (mi, mj) < (i, j):
                    continue  # its mirror image does both
                d = dipole[i, j, k]
                bottom = a * (power_x[i] + power_y[j] + power_z[k]) + b * d * d + c
                z, m = spectrum[i, j, k], spectrum[mi, mj, mk].conjugate()
                field_re = half * (z.real + m.real)
                field_im = half * (z.imag + m.imag)
                pull_re = half * (z.imag - m.imag)
                pull_im = half * (m.real - z.real)
                re = (b * d * field_re + pull_re) / bottom
                im = (b * d * field_im + pull_im) / bottom
                spectrum[i, j, k] = complex(re - d * im, im + d * re)
                spectrum[mi, mj, mk] = complex(re + d * im, d * re - im)


@inner
def _shrunk(value: Any, limit: Any) -> Any:
    return value - np.float32(2) * min(max(value, -limit), limit)


@kernel(parallel=True)
def climb(
    packed: NDArray[np.complex64],
    before: FloatArray,
    gradient: FloatArray,
    step: Step,
    limit: float,
) -> tuple[float, float]:
    """Add the gradient of the real part to the clipped duals; keep the real part in ``before``.

    Returns
    -------
    change, size : float
        Squared norms of the change since the last call and of the real part.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    top = np.float32(limit)
    changes, sizes = np.zeros(nx), np.zeros(nx)
    for i in prange(nx):
        after_i = (i + 1) % nx
        change, size = 0.0, 0.0
        for j in range(ny):
            after_j = (j + 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                x = packed[i, j, k].real
                gx = (packed[after_i, j, k].real - x) * hx
                gy = (packed[i, after_j, k].real - x) * hy
                gz = (packed[i, j, after_k].real - x) * hz
                gradient[0, i, j, k] = gx + min(max(gradient[0, i, j, k], -top), top)
                gradient[1, i, j, k] = gy + min(max(gradient[1, i, j, k], -top), top)
                gradient[2, i, j, k] = gz + min(max(gradient[2, i, j, k], -top), top)
                moved = x - before[i, j, k]
                before[i, j, k] = x
                change += moved * moved
                size += x * x
        changes[i], sizes[i] = change, size
    return changes.sum(), sizes.sum()


@kernel(parallel=True)
def descend(
    packed: NDArray[np.complex64],
    gradient: FloatArray,
    dual: FloatArray,
    support: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    inside: NDArray[np.bool_],
    step: Step,
    limit: float,
    penalties: Penalties,
) -> None:
    """Make the next pair (model field, pull) in place of (susceptibility, its field).

    ``weight`` is 0 where the field is not known; ``support`` is the dual of being zero outside
    the mask.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    a, b, c = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(penalties[2])
    top, two = np.float32(limit), np.float32(2)
    for i in prange(nx):
        last_i = (i - 1) % nx
        for j in range(ny):
            last_j = (j - 1) % ny
            for k in range(nz):
                last_k = k - 1 if k > 0 else nz - 1
                along_x = _shrunk(gradient[0, last_i, j, k], top) - _shrunk(
                    gradient[0, i, j, k], top
                )
                along_y = _shrunk(gradient[1, i, last_j, k], top) - _shrunk(
                    gradient[1, i, j, k], top
                )
                along_z = _shrunk(gradient[2, i, j, last_k], top) - _shrunk(
                    gradient[2, i, j, k], top
                )
                pull = a * (along_x * hx + along_y * hy + along_z * hz)
                w = weight[i, j, k]
                if inside[i, j, k]:
                    pull += c * packed[i, j, k].real
                else:
                    outside = packed[i, j, k].real + support[i, j, k]
                    support[i, j, k] = outside
                    pull -= c * outside
                y = packed[i, j, k].imag + dual[i, j, k]
                fitted = (w * field[i, j, k] + b * y) / (w + b)
                dual[i, j, k] = y - fitted
                packed[i, j, k] = complex(two * fitted - y, pull)
