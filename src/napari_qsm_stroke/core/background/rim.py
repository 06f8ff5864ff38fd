"""The rim that a spherical mean cannot reach, brought back by Laplace's equation.

The background is harmonic up to the edge of the brain. In the rim it is the harmonic function that
goes over into the known background on the inner side and into the total field just outside the
brain: Laplace's equation joins the two, as it does in the whole brain for ``lbv``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.multigrid import Poisson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TOLERANCE = 2e-3
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
    source = np.zeros(total.shape, np.float32)
    couplings = np.array([1 / d**2 for d in voxel_size], np.float32)
    known = np.asarray(known, bool)
    rim = (inside != 0) & ~known
    _rim_source(total, local, known, inside != 0, couplings, source)
    result = Poisson(rim, voxel_size).solve(source, TOLERANCE, MOST_ITERATIONS)
    np.copyto(result, local, where=known)
    return result


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


@kernel(parallel=True)
def _rim_source(
    total: FloatArray,
    local: FloatArray,
    known: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    couplings: FloatArray,
    source: FloatArray,
) -> None:
    """Minus the Laplacian of the total field in the rim, and of what is known beside it.

    The former is not known on the outermost layer and taken to be zero there. What is known acts
    on the rim as a source along the border between them.
    """
    nx, ny, nz = total.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                if known[i, j, k] or not inside[i, j, k]:
                    continue
                whole = True
                laplacian, beside = np.float32(0), np.float32(0)
                for axis in range(3):
                    for way in (-1, 1):
                        u, v, w = np.int64(i), np.int64(j), np.int64(k)
                        if axis == 0:
                            u += way
                        elif axis == 1:
                            v += way
                        else:
                            w += way
                        within = 0 <= u < nx and 0 <= v < ny and 0 <= w < nz
                        if not (within and inside[u, v, w]):
                            whole = False
                        else:
                            laplacian += couplings[axis] * (total[i, j, k] - total[u, v, w])
                            if known[u, v, w]:
                                beside += couplings[axis] * local[u, v, w]
                source[i, j, k] = beside + laplacian if whole else beside
