"""The image passes of total variation whose data is phase; ``solve_spectrum`` lies between them.

As in ``total_variation`` two real volumes travel through one complex transform, and ``v = grad x
+ s`` is all that is kept of shrunken gradient and dual. A relaxation above 1 takes each step
further than it asks for (Eckstein and Bertsekas, Math Program 1992;55:293,
doi:10.1007/BF01581204) and saves iterations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.core.numerics.phase_misfit import nearest_phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]


@routine
def _raised(value: Any, limit: Any, slope: Any, more: Any) -> Any:
    dual = min(max(value, -limit), limit)
    return dual + more * slope + (np.float32(1) - more) * (value - dual)


@routine
def _turned(value: Any, limit: Any) -> Any:
    return value - np.float32(2) * min(max(value, -limit), limit)


@kernel(parallel=True)
def raise_packed_duals(
    packed: NDArray[np.complex64],
    before: FloatArray,
    duals: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    relaxation: float,
) -> tuple[float, float]:
    """Add the gradient of the real part to the clipped duals; keep the real part in ``before``.

    Parameters
    ----------
    packed : ndarray of complex64, shape (X, Y, Z)
        Susceptibility and its field.
    before : ndarray of float32, shape (X, Y, Z)
        The susceptibility of the last call.
    duals : ndarray of float32, shape (3, X, Y, Z)
        Clipped dual plus gradient along each axis.
    edges : ndarray of uint8, shape (X, Y, Z)
        Bits 1, 2, 4: the step to the next voxel along X, Y, Z costs. Bit 8: in the mask.
    limits : ndarray of float32, shape (2,)
        Of the duals of free and of costly steps.
    step : tuple of float
        Voxel size in mm.
    relaxation : float
        From 1 to below 2.

    Returns
    -------
    change, size : float
        Norms of the change since the last call and of the real part, in the mask.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    more = np.float32(relaxation)
    changes, sizes = np.zeros(nx), np.zeros(nx)
    for i in prange(nx):
        after_i = (i + 1) % nx
        change, size = 0.0, 0.0
        for j in range(ny):
            after_j = (j + 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                x, e = packed[i, j, k].real, edges[i, j, k]
                gx = (packed[after_i, j, k].real - x) * hx
                gy = (packed[i, after_j, k].real - x) * hy
                gz = (packed[i, j, after_k].real - x) * hz
                duals[0, i, j, k] = _raised(duals[0, i, j, k], limits[e & 1], gx, more)
                duals[1, i, j, k] = _raised(duals[1, i, j, k], limits[(e >> 1) & 1], gy, more)
                duals[2, i, j, k] = _raised(duals[2, i, j, k], limits[(e >> 2) & 1], gz, more)
                if e & 8:
                    change += (x - before[i, j, k]) ** 2
                    size += x * x
                before[i, j, k] = x
        changes[i], sizes[i] = change, size
    return math.sqrt(changes.sum()), math.sqrt(sizes.sum())


@kernel(parallel=True)
def descend_phase(
    packed: NDArray[np.complex64],
    duals: FloatArray,
    fitted: FloatArray,
    dual: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    penalties: tuple[float, float, float],
    scale: float,
    relaxation: float,
) -> None:
    """Make the next pair (model field, pull) in place of (susceptibility, its field).

    ``fitted`` is the model field nearest to the phase and ``dual`` its dual, of the last call.
    Penalties are those of gradient and field, and one that is not looked at.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    a, b, s = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(scale)
    more, less = np.float32(relaxation), np.float32(1 - relaxation)
    for i in prange(nx):
        last_i = (i - 1) % nx
        for j in range(ny):
            last_j = (j - 1) % ny
            for k in range(nz):
                last_k = k - 1 if k > 0 else nz - 1
                e = edges[i, j, k]
                px = _turned(duals[0, i, j, k], limits[e & 1])
                py = _turned(duals[1, i, j, k], limits[(e >> 1) & 1])
                pz = _turned(duals[2, i, j, k], limits[(e >> 2) & 1])
                qx = _turned(duals[0, last_i, j, k], limits[edges[last_i, j, k] & 1])
                qy = _turned(duals[1, i, last_j, k], limits[(edges[i, last_j, k] >> 1) & 1])
                qz = _turned(duals[2, i, j, last_k], limits[(edges[i, j, last_k] >> 2) & 1])
                pull = a * ((qx - px) * hx + (qy - py) * hy + (qz - pz) * hz)
                y = more * packed[i, j, k].imag + less * fitted[i, j, k] + dual[i, j, k]
                z = y
                if weight[i, j, k] > 0:
                    z = nearest_phase(y, field[i, j, k], weight[i, j, k], s, b)
                fitted[i, j, k] = z
                dual[i, j, k] = y - z
                packed[i, j, k] = complex(z + z - y, pull)
