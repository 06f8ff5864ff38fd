"""The passes of one iteration of total variation, each over the volume once.

Two real volumes travel through one complex transform: into k-space go the field of the model as
real part and the pull of the penalties as imaginary part; back come the susceptibility and its
field. The
shrunken gradient is never stored: with ``v = grad x + s`` the new dual is ``clip(v)`` and the
shrunken gradient less the dual is ``v - 2 clip(v)``, so that ``v`` alone is kept. Differences are
periodic; the frame's padding parts the sides.

A relaxation above 1 takes each step further than it asks for (Eckstein & Bertsekas, Math Program
1992;55:293, doi:10.1007/BF01581204): 1.7 halves the number of iterations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]
Penalties = tuple[float, float, float]
ALL_COSTLY = 7
INSIDE = 8
"""Bit of a voxel of the mask; bits 1, 2, 4: the step to the next voxel along X, Y, Z costs."""


def costly_edges(inside: NDArray[np.bool_]) -> ByteArray:
    """Bits of each voxel: the steps between two voxels of the mask, and the mask itself."""
    edges = inside.astype(np.uint8) * np.uint8(INSIDE)
    for axis in range(3):
        both = inside & np.roll(inside, -1, axis)
        edges += both.astype(np.uint8) << np.uint8(axis)
    return edges


def difference_power(
    shape: Shape, step: Step
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Squared size of the spectrum of the forward difference along each axis, in 1/mm^2."""
    x, y, z = (
        ((2 - 2 * np.cos(2 * math.pi * np.arange(n) / n)) / d**2).astype(np.float32)
        for n, d in zip(shape, step, strict=True)
    )
    return x, y, z


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
                scale = np.float32(1) / bottom if bottom > 0 else np.float32(0)
                re = scale * (b * d * field_re + pull_re)
                im = scale * (b * d * field_im + pull_im)
                spectrum[i, j, k] = complex(re - d * im, im + d * re)
                spectrum[mi, mj, mk] = complex(re + d * im, d * re - im)


@routine
def _clip(value: Any, limit: Any) -> Any:
    return min(max(value, -limit), limit)


@routine
def _limit(edges: Any, axis: Any, limits: Any) -> Any:
    return limits[(edges >> axis) & 1]


@routine
def _shrunk(value: Any, limit: Any) -> Any:
    return value - np.float32(2) * min(max(value, -limit), limit)


@routine
def _relaxed(value: Any, limit: Any, new: Any, more: Any) -> Any:
    clipped = min(max(value, -limit), limit)
    return clipped + more * new + (np.float32(1) - more) * (value - clipped)


@kernel(parallel=True)
def step_duals(
    packed: NDArray[np.complex64],
    before: FloatArray,
    gradient: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    relaxation: float = 1.0,
) -> tuple[float, float]:
    """Add the gradient of the real part to the clipped duals; keep the real part in ``before``.

    ``limits`` are those of the dual for free and for costly edges.

    Returns
    -------
    change, size : float
        Norms of the change since the last call and of the real part, in the mask.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    changes, sizes = np.zeros(nx), np.zeros(nx)
    more = np.float32(relaxation)
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
                e = edges[i, j, k]
                gradient[0, i, j, k] = _relaxed(
                    gradient[0, i, j, k], _limit(e, 0, limits), gx, more
                )
                gradient[1, i, j, k] = _relaxed(
                    gradient[1, i, j, k], _limit(e, 1, limits), gy, more
                )
                gradient[2, i, j, k] = _relaxed(
                    gradient[2, i, j, k], _limit(e, 2, limits), gz, more
                )
                if e & INSIDE:
                    change += (x - before[i, j, k]) ** 2
                    size += x * x
                before[i, j, k] = x
        changes[i], sizes[i] = change, size
    return math.sqrt(changes.sum()), math.sqrt(sizes.sum())


@kernel(parallel=True)
def descend(
    packed: NDArray[np.complex64],
    gradient: FloatArray,
    dual: FloatArray,
    support: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    penalties: Penalties,
    relaxation: float = 1.0,
) -> None:
    """Make the next pair (model field, pull) in place of (susceptibility, its field).

    ``dual`` is that of the field; where the field has no weight, and so no dual, it holds the
    fitted field. With a penalty of the support the susceptibility is held at zero outside the
    mask, and ``support`` is the dual of that; without one it is not looked at.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    a, b, c = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(penalties[2])
    two = np.float32(2)
    more = np.float32(relaxation)
    less = np.float32(1) - more
    for i in prange(nx):
        last_i = (i - 1) % nx
        for j in range(ny):
            last_j = (j - 1) % ny
            for k in range(nz):
                last_k = k - 1 if k > 0 else nz - 1
                e = edges[i, j, k]
                px = _shrunk(gradient[0, i, j, k], _limit(e, 0, limits))
                py = _shrunk(gradient[1, i, j, k], _limit(e, 1, limits))
                pz = _shrunk(gradient[2, i, j, k], _limit(e, 2, limits))
                qx = _shrunk(gradient[0, last_i, j, k], _limit(edges[last_i, j, k], 0, limits))
                qy = _shrunk(gradient[1, i, last_j, k], _limit(edges[i, last_j, k], 1, limits))
                qz = _shrunk(gradient[2, i, j, last_k], _limit(edges[i, j, last_k], 2, limits))
                pull = a * ((qx - px) * hx + (qy - py) * hy + (qz - pz) * hz)
                if c > 0 and e & INSIDE:
                    pull += c * packed[i, j, k].real
                elif c > 0:
                    outside = packed[i, j, k].real + support[i, j, k]
                    support[i, j, k] = outside
                    pull -= c * outside
                w, f, y = weight[i, j, k], field[i, j, k], more * packed[i, j, k].imag
                if w > 0:
                    y += dual[i, j, k] + less * (f + dual[i, j, k] * b / w)
                    fitted = (w * f + b * y) / (w + b)
                    dual[i, j, k] = y - fitted
                else:
                    y += less * dual[i, j, k]
                    fitted = y
                    dual[i, j, k] = y
                packed[i, j, k] = complex(two * fitted - y, pull)
