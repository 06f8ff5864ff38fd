"""The quadratic penalty of differences between neighbours, each difference with its own weight.

``1/2 sum_e c_e (x_after - x_before)^2`` over the steps from each voxel to the next along X, Y and
Z; the weights c, in 1/mm^2, are one array of shape (3, X, Y, Z). Differences are periodic; the
frame's padding parts the sides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]


@kernel(parallel=True)
def couple(
    x: FloatArray,
    edges: ByteArray,
    strengths: FloatArray,
    smallest: float,
    step: Step,
    coupling: FloatArray,
) -> None:
    """Weights whose quadratic penalty touches that of the absolute differences, at ``x``.

    Parameters
    ----------
    x : ndarray of float32, shape (X, Y, Z)
        Where the penalties touch.
    edges : ndarray of uint8, shape (X, Y, Z)
        Bits 1, 2, 4: the step to the next voxel along X, Y, Z costs.
    strengths : ndarray of float32, shape (2,)
        Weight of the absolute difference of free and of costly steps.
    smallest : float
        Slopes below this count as this, in the unit of x over mm.
    step : tuple of float
        Voxel size in mm.
    coupling : ndarray of float32, shape (3, X, Y, Z)
        Written.
    """
    nx, ny, nz = x.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    floor = np.float32(smallest * smallest)
    for i in prange(nx):
        after_i = (i + 1) % nx
        for j in range(ny):
            after_j = (j + 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                here, e = x[i, j, k], edges[i, j, k]
                gx = (x[after_i, j, k] - here) * hx
                gy = (x[i, after_j, k] - here) * hy
                gz = (x[i, j, after_k] - here) * hz
                coupling[0, i, j, k] = hx * hx * strengths[e & 1] / math.sqrt(gx * gx + floor)
                coupling[1, i, j, k] = (
                    hy * hy * strengths[(e >> 1) & 1] / math.sqrt(gy * gy + floor)
                )
                coupling[2, i, j, k] = (
                    hz * hz * strengths[(e >> 2) & 1] / math.sqrt(gz * gz + floor)
                )


@kernel(parallel=True)
def add_diffusion(x: FloatArray, coupling: FloatArray, result: FloatArray) -> None:
    """Add the derivative of the penalty at ``x`` to ``result``."""
    nx, ny, nz = x.shape
    for i in prange(nx):
        after_i, last_i = (i + 1) % nx, (i - 1) % nx
        for j in range(ny):
            after_j, last_j = (j + 1) % ny, (j - 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                last_k = k - 1 if k > 0 else nz - 1
                here = x[i, j, k]
                result[i, j, k] += (
                    coupling[0, i, j, k] * (here - x[after_i, j, k])
                    + coupling[0, last_i, j, k] * (here - x[last_i, j, k])
                    + coupling[1, i, j, k] * (here - x[i, after_j, k])
                    + coupling[1, i, last_j, k] * (here - x[i, last_j, k])
                    + coupling[2, i, j, k] * (here - x[i, j, after_k])
                    + coupling[2, i, j, last_k] * (here - x[i, j, last_k])
                )
