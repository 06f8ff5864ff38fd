"""The descent of total variation whose data is phase: what ``descend`` is to ``total_variation``.

As in ``total_variation`` two real volumes travel through one complex transform, and ``v = grad x
+ s`` is all that is kept of shrunken gradient and dual. A relaxation above 1 takes each step
further than it asks for (Eckstein and Bertsekas, Math Program 1992;55:293,
doi:10.1007/BF01581204) and saves iterations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.core.numerics.phase_misfit import nearest_phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]


@routine
def _turned(value: Any, limit: Any) -> Any:
    return value - np.float32(2) * min(max(value, -limit), limit)


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
