"""The rim that a spherical mean cannot reach, brought back by Laplace's equation.

The background is harmonic up to the edge of the brain. In the rim it is the harmonic function that
goes over into the known background on the inner side and into the total field just outside the
brain: Laplace's equation joins the two, as it does in the whole brain for ``lbv``.

The rim is thin: everything is held for its voxels alone, in a list, and as no voxel is far from a
known value plain conjugate gradients need few steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.conjugate_gradients import solve_symmetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Places = np.ndarray[Any, np.dtype[np.int64]]
Neighbours = np.ndarray[Any, np.dtype[np.int32]]
TOLERANCE = 1e-3
MOST_ITERATIONS = 500
NOT_IN_RIM = -1
"""In the place of the number of a neighbour."""


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
        Local field in ppm, where it is known; zero elsewhere.
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
    known, inside = (np.ascontiguousarray(a, dtype=bool) for a in (known, inside))
    result = np.where(known, local, np.float32(0))
    places = np.flatnonzero(inside & ~known)
    if places.size == 0:
        return result
    number = np.empty(total.shape, np.int32)  # of the voxels of the rim; elsewhere never looked at
    number.flat[places] = np.arange(places.size, dtype=np.int32)
    couplings = np.array([1 / d**2 for d in voxel_size], np.float32)
    neighbours = np.empty((places.size, 6), np.int32)
    source = np.empty(places.size, np.float32)
    _rim_source(total, result, known, inside, number, places, couplings, neighbours, source)

    def operator(values: FloatArray) -> FloatArray:
        image = np.empty_like(values)
        _minus_laplacian(values, neighbours, couplings, image)
        return image

    result.flat[places] = solve_symmetric(operator, source, TOLERANCE, MOST_ITERATIONS)
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
    number: Neighbours,
    places: Places,
    couplings: FloatArray,
    neighbours: Neighbours,
    source: FloatArray,
) -> None:
    """Neighbours, and minus the Laplacian of the total field less what is known beside the rim.

    The Laplacian is not known on the outermost layer and taken to be zero there. What is known
    acts on the rim as a source along the border between them.
    """
    nx, ny, nz = total.shape
    for v in prange(places.size):
        k = places[v] % nz
        j = places[v] // nz % ny
        i = places[v] // nz // ny
        whole = True
        laplacian, beside = np.float32(0), np.float32(0)
        for way in range(6):
            axis, step = way // 2, 2 * (way % 2) - 1
            x = i + (step if axis == 0 else 0)
            y = j + (step if axis == 1 else 0)
            z = k + (step if axis == 2 else 0)
            within = 0 <= x < nx and 0 <= y < ny and 0 <= z < nz
            neighbours[v, way] = NOT_IN_RIM
            if not within or not (inside[x, y, z] or known[x, y, z]):
                whole = False
                continue
            laplacian += couplings[axis] * (total[i, j, k] - total[x, y, z])
            if known[x, y, z]:
                beside += couplings[axis] * local[x, y, z]
            else:
                neighbours[v, way] = number[x, y, z]
        source[v] = beside + laplacian if whole else beside


@kernel(parallel=True)
def _minus_laplacian(
    values: FloatArray, neighbours: Neighbours, couplings: FloatArray, image: FloatArray
) -> None:
    """Minus the Laplacian of what is zero beyond the rim."""
    centre = np.float32(2) * (couplings[0] + couplings[1] + couplings[2])
    for v in prange(values.size):
        total = centre * values[v]
        for way in range(6):
            other = neighbours[v, way]
            if other >= 0:
                total -= couplings[way // 2] * values[other]
        image[v] = total
