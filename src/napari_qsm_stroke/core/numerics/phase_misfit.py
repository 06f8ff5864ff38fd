"""How far a model field is from the data as phase: ``w / s^2 (1 - cos(s (model - field)))``.

With ``s`` in rad/ppm this is half the squared distance of the two unit vectors on the circle, in
ppm^2: for small differences ``w / 2 (model - field)^2``, but a voxel that is off by a whole turn
does not pull at all, and none pulls more than a quarter turn does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi


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


@kernel(parallel=True)
def fit_phase(
    packed: NDArray[np.complex64],
    dual: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    scale: float,
    penalty: float,
    rounds: int,
    target: FloatArray,
    strength: FloatArray,
) -> None:
    """Parabola that has its minimum, with the penalty, where the misfit has it, in each voxel.

    Sought is z with least ``misfit(z) + penalty/2 (z - y)^2``, where ``y`` is the imaginary part
    of ``packed`` plus ``dual``. Newton's steps with the curvature of the parabola that touches
    the misfit from above (``sin(t)/t`` instead of ``cos(t)``) never overshoot; for small phases
    both are one. Written are the field (``target``) and the squared weight (``strength``) of the
    parabola of the last step.
    """
    nx, ny, nz = field.shape
    s, inverse, b = np.float32(scale), np.float32(1 / scale), np.float32(penalty)
    turn, one, small = np.float32(TURN), np.float32(1), np.float32(1e-3)
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                w, f = weight[i, j, k], field[i, j, k]
                target[i, j, k], strength[i, j, k] = f, w
                if w > 0:
                    y = packed[i, j, k].imag + dual[i, j, k]
                    z = y
                    for _ in range(rounds):
                        angle = s * (z - f)
                        turns = np.float32(np.rint(angle / turn)) * turn
                        angle -= turns
                        bend = one if abs(angle) < small else np.float32(math.sin(angle)) / angle
                        goal = f + turns * inverse
                        z = (w * bend * goal + b * y) / (w * bend + b)
                        target[i, j, k], strength[i, j, k] = goal, w * bend
