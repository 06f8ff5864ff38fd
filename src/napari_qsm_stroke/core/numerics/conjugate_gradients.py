"""Conjugate gradients for symmetric systems, and for least squares with the dipole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.fourier import Shape, backward, forward
from napari_qsm_stroke.core.numerics.products import dot
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke.core.quantities import FloatArray


def convolve(volume: FloatArray, kernel: FloatArray) -> FloatArray:
    """Convolution with a kernel given on the half grid: one pair of transforms."""
    shape: Shape = (volume.shape[0], volume.shape[1], volume.shape[2])
    spectrum = forward(volume)
    spectrum *= kernel
    return backward(spectrum, shape)


def solve_symmetric(
    operator: Callable[[FloatArray], FloatArray],
    right: FloatArray,
    tol: float,
    max_iter: int,
    progress: Progress = silent,
    stage: str = "Conjugate gradients",
) -> FloatArray:
    """Solve ``operator(x) = right`` from x = 0; the operator is symmetric and not negative.

    Parameters
    ----------
    operator : callable
        Gives a new array.
    right : ndarray of float32, shape (X, Y, Z)
        Is used up.
    tol : float
        Stop when the residual is below this part of ``right``.
    max_iter : int
        Most iterations.
    progress : Progress
        May raise ``Cancelled``.
    stage : str
        Told to ``progress``.
    """
    solution = np.zeros_like(right)
    direction = right.copy()
    power = dot(right, right)
    goal = tol * tol * power
    for _ in steps(max_iter, progress, stage):
        if power <= goal:
            break
        image = operator(direction)
        curvature = dot(direction, image)
        if curvature <= 0:
            break
        length = np.float32(power / curvature)
        solution += length * direction
        right -= length * image
        after = dot(right, right)
        direction *= np.float32(after / power)
        direction += right
        power = after
    progress(1.0, stage)
    return solution


def fit_dipole(
    field: FloatArray,
    weight: FloatArray,
    dipole: FloatArray,
    tol: float,
    max_iter: int,
    progress: Progress = silent,
    stage: str = "Least squares",
    *,
    support: FloatArray | None = None,
) -> FloatArray:
    """Susceptibility of least ``|w^(1/2) (D chi - field)|^2``, by LSQR as conjugate gradients.

    Each iteration brings in frequencies that the dipole shows less well: few of them give the
    well-conditioned part. An iteration costs two pairs of transforms.

    Parameters
    ----------
    field, weight : ndarray of float32, shape (X, Y, Z)
        In ppm, and squared weight of each voxel.
    dipole : ndarray of float32, shape (X, Y, Z // 2 + 1)
        Dipole kernel on the half grid.
    tol : float
        Stop when the gradient is below this part of the first.
    max_iter : int
        Most iterations.
    progress : Progress
        May raise ``Cancelled``.
    stage : str
        Told to ``progress``.
    support : ndarray of float32, shape (X, Y, Z), optional
        The unknown is the susceptibility over this: it comes later, and less of it, where the
        support is small, and none where it is 0. 1 everywhere without it.

    References
    ----------
    Paige and Saunders, ACM Trans Math Softw 1982;8:43, doi:10.1145/355984.355989.
    """
    allowed = np.ones_like(field) if support is None else support
    gradient = convolve(weight * field, dipole)
    gradient *= allowed
    solution = np.zeros_like(field)
    direction = gradient.copy()
    power = dot(gradient, gradient)
    goal = tol * tol * power
    for _ in steps(max_iter, progress, stage):
        if power <= goal:
            break
        made = convolve(allowed * direction, dipole)
        weighted = weight * made
        curvature = dot(made, weighted)
        if curvature <= 0 or not math.isfinite(curvature):
            break
        length = np.float32(power / curvature)
        solution += length * direction
        weighted *= length
        back = convolve(weighted, dipole)
        back *= allowed
        gradient -= back
        after = dot(gradient, gradient)
        direction *= np.float32(after / power)
        direction += gradient
        power = after
    progress(1.0, stage)
    solution *= allowed
    return solution
