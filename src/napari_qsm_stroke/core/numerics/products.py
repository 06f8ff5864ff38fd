"""Sums of products in double precision, in one order.

The linear algebra library behind NumPy sums single precision in single precision, in another order
on every kind of processor. Conjugate gradients feel that: on a bad scan a fit ended an iteration
earlier or later, and a field differed by 6 % from one machine to the next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

PARTS = 64
"""However many cores there are: the order of the sum is the same."""


def dot(a: FloatArray, b: FloatArray) -> float:
    """Sum of the products of two real arrays of one shape.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"arrays of one shape expected, found {a.shape} and {b.shape}")
    sums = np.zeros(PARTS)
    _dot(a.ravel(), b.ravel(), sums)
    return math.fsum(sums)


def norm(a: FloatArray) -> float:
    """Root of the sum of squares."""
    return math.sqrt(dot(a, a))


@kernel(parallel=True, fastmath=True)
def _dot(a: FloatArray, b: FloatArray, sums: NDArray[np.float64]) -> None:
    step = (a.size + sums.size - 1) // sums.size
    for part in prange(sums.size):
        total = 0.0
        for n in range(part * step, min((part + 1) * step, a.size)):
            total += np.float64(a[n]) * np.float64(b[n])
        sums[part] = total
