"""How far a model field is from the data as phase: ``w / s^2 (1 - cos(s (model - field)))``.

With ``s`` in rad/ppm this is half the squared distance of the two unit vectors on the circle, in
ppm^2: for small differences ``w / 2 (model - field)^2``, but a voxel that is off by a whole turn
does not pull at all, and none pulls more than a quarter turn does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi
SMALL_ANGLE = 1e-3
NEWTON_STEPS = 4


@kernel(parallel=True)
def misfit_slope(
    model: FloatArray, field: FloatArray, weight: FloatArray, scale: float, slope: FloatArray
) -> None:
    """Write the derivative of the misfit with respect to the model into ``slope``.

    Parameters
    ----------
    model, field : ndarray of float32, shape (X, Y, Z)
        In ppm.
    weight : ndarray of float32, shape (X, Y, Z)
        Squared weight of the data.
    scale : float
        In rad/ppm.
    slope : ndarray of float32, shape (X, Y, Z)
        In ppm; written.
    """
    nx, ny, nz = model.shape
    s, inverse = np.float32(scale), np.float32(1 / scale)
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                w = weight[i, j, k]
                angle = s * (model[i, j, k] - field[i, j, k])
                slope[i, j, k] = w * inverse * math.sin(angle)


@routine
def nearest_phase(start: Any, field: Any, weight: Any, scale: Any, penalty: Any) -> Any:
    """Model z of least ``misfit(z) + penalty/2 (z - start)^2`` in one voxel, for kernels.

    Newton's steps with the curvature of the parabola that touches the misfit from above
    (``sin(t)/t`` instead of ``cos(t)``) never overshoot; for small phases both are one. All
    values are float32.
    """
    turn, model = np.float32(TURN), start
    for _ in range(NEWTON_STEPS):
        angle = scale * (model - field)
        turns = np.float32(np.rint(angle / turn)) * turn
        angle -= turns
        bend = np.float32(1)
        if abs(angle) > np.float32(SMALL_ANGLE):
            bend = np.float32(math.sin(angle)) / angle
        pull = weight * bend
        model = (pull * (field + turns / scale) + penalty * start) / (pull + penalty)
    return model
