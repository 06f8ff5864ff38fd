"""Conjugate gradients with a preconditioner that need not be symmetric.

Notay, SIAM J Sci Comput 2000;22:1444, doi:10.1137/S1064827599362314.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.products import dot, norm
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke.core.quantities import FloatArray

    Operator = Callable[[FloatArray], FloatArray]


def solve_preconditioned(
    operator: Operator,
    roughly_invert: Operator,
    right: FloatArray,
    tol: float,
    max_iter: int,
    progress: Progress = silent,
    stage: str = "Conjugate gradients",
) -> FloatArray:
    """Solve ``operator(x) = right`` from x = 0.

    Parameters
    ----------
    operator : callable
        Symmetric and positive; gives a new array.
    roughly_invert : callable
        The preconditioner; its array may be overwritten by its next call.
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
    direction = np.zeros_like(right)
    image = solution
    goal = tol * norm(right)
    length, curvature = 0.0, 1.0
    for _ in steps(max_iter, progress, stage):
        if norm(right) <= goal:
            break
        better = roughly_invert(right)
        direction *= np.float32(-dot(better, image) / curvature)
        direction += better
        image = operator(direction)
        curvature = dot(direction, image)
        if curvature <= 0:
            break
        length = dot(direction, right) / curvature
        solution += np.float32(length) * direction
        right -= np.float32(length) * image
    progress(1.0, stage)
    return solution
