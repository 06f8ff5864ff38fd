"""The rim that a spherical mean cannot reach, brought back by Laplace's equation.

The background is harmonic up to the edge of the brain. In the rim it is the harmonic function that
goes over into the known background on the inner side and into the total field just outside the
brain: Laplace's equation joins the two, as it does in the whole brain for ``lbv``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.multigrid import Poisson, negative_laplacian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TOLERANCE = 1e-2
MOST_ITERATIONS = 50


def extend_to_rim(
    total: FloatArray,
    local: FloatArray,
    known: NDArray[Any],
    inside: NDArray[Any],
    voxel_size: tuple[float, float, float],
) -> FloatArray:
    """Local field in the whole brain from that in a part of it.

    Parameters
    ----------
    total : ndarray of float32, shape (X, Y, Z)
        Total field in ppm; zero outside the brain.
    local : ndarray of float32, shape (X, Y, Z)
        Local field in ppm, where it is known.
    known : ndarray of bool, shape (X, Y, Z)
        Where that is.
    inside : ndarray of bool, shape (X, Y, Z)
        The brain.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    """
    core = np.where(known, local, np.float32(0))
    rim = (inside != 0) & ~known
    source = negative_laplacian(total, rim & without_outermost(inside), voxel_size)
    # what is known acts on the rim as a source along the border between them
    source -= negative_laplacian(core, rim, voxel_size)
    return core + Poisson(rim, voxel_size).solve(source, TOLERANCE, MOST_ITERATIONS)


def without_outermost(inside: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels all of whose six neighbours are inside; none are beyond the array."""
    inside = inside != 0
    deep = inside.copy()
    for axis in range(3):
        here, there = np.moveaxis(deep, axis, 0), np.moveaxis(inside, axis, 0)
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
        here[0] = here[-1] = False
    return deep
