"""The two passes of a splitting of total variation in real space, for methods that pack nothing.

With ``v = grad x + s`` the new dual is ``clip(v)`` and the shrunken gradient less the dual is
``v - 2 clip(v)``: ``v`` alone is kept. Differences are periodic; the frame's padding parts the
sides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]


@routine
def _clip(value: Any, limit: Any) -> Any:
    return min(max(value, -limit), limit)


@routine
def _turned(value: Any, limit: Any) -> Any:
    return value - np.float32(2) * min(max(value, -limit), limit)


@kernel(parallel=True)
def raise_duals(
    x: FloatArray,
    before: FloatArray,
    duals: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
) -> tuple[float, float]:
    """Add the gradient of ``x`` to the clipped duals; keep ``x`` in ``before``.

    Parameters
    ----------
    x, before : ndarray of float32, shape (X, Y, Z)
        The present volume and the last one.
    duals : ndarray of float32, shape (3, X, Y, Z)
        Clipped dual plus gradient along each axis, in the unit of x over mm.
    edges : ndarray of uint8, shape (X, Y, Z)
        Bits 1, 2, 4: the step to the next voxel along X, Y, Z costs. Bit 8: in the mask.
    limits : ndarray of float32, shape (2,)
        Of the duals of free and of costly steps.
    step : tuple of float
        Voxel size in mm.

    Returns
    -------
    change, size : float
        Norms of the change since the last call and of ``x``, in the mask.
    """
    nx, ny, nz = x.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    changes, sizes = np.zeros(nx), np.zeros(nx)
    for i in prange(nx):
        after_i = (i + 1) % nx
        change, size = 0.0, 0.0
        for j in range(ny):
            after_j = (j + 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                here, e = x[i, j, k], edges[i, j, k]
                duals[0, i, j, k] = (x[after_i, j, k] - here) * hx + _clip(
                    duals[0, i, j, k], limits[e & 1]
                )
                duals[1, i, j, k] = (x[i, after_j, k] - here) * hy + _clip(
                    duals[1, i, j, k], limits[(e >> 1) & 1]
                )
                duals[2, i, j, k] = (x[i, j, after_k] - here) * hz + _clip(
                    duals[2, i, j, k], limits[(e >> 2) & 1]
                )
                if e & 8:
                    change += (here - before[i, j, k]) ** 2
                    size += here * here
                before[i, j, k] = here
        changes[i], sizes[i] = change, size
    return math.sqrt(changes.sum()), math.sqrt(sizes.sum())


@kernel(parallel=True)
def pull_duals(
    duals: FloatArray, edges: ByteArray, limits: FloatArray, step: Step, pull: FloatArray
) -> None:
    """Write the transposed gradient of (shrunken gradient less dual) into ``pull``."""
    nx, ny, nz = pull.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
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
                pull[i, j, k] = (qx - px) * hx + (qy - py) * hy + (qz - pz) * hz
