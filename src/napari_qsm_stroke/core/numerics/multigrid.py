"""Poisson's equation in a mask, by conjugate gradients preconditioned with multigrid.

Arrays carry one voxel of zeros on each side, so that no kernel asks whether a neighbour exists. A
cell of the next coarser grid holds up to 2 x 2 x 2 cells, fewer where voxels are thick along an
axis, and is inside where any of them is. A cycle smooths by two Jacobi steps whose weights damp
the upper part of the spectrum most (Chebyshev), takes the mean of what is left to the coarser grid
and interpolates its answer linearly. It is not symmetric, hence the flexible kind of conjugate
gradients: Notay, SIAM J Sci Comput 2000;22:1444, doi:10.1137/S1064827599362314.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.multigrid_passes import (
    Factors,
    Spans,
    Weights,
    come_up,
    go_down,
    prolong,
    relax,
    restrict,
    settle,
    start,
)
from napari_qsm_stroke.core.numerics.products import norm
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

SMALLEST = 6
STEPS_ON_COARSEST = 12
SMALL = 100_000
"""Grids of fewer voxels are smoothed by one thread."""
LOWEST, HIGHEST = 1 / 3, 2.0
"""Part of the spectrum, relative to the diagonal, that the coarser grid cannot show."""
WIDE_GAP = 8
"""Voxels outside between two inside, from which on it pays to step over them."""
THICK = 1.5
"""An axis whose voxels are longer than the shortest by this factor is not coarsened yet."""


@dataclass
class _Level:
    inside: ByteArray
    spans: Spans
    couplings: FloatArray
    factors: Factors
    """Cells in each of the next coarser."""
    solution: FloatArray
    spare: FloatArray
    source: FloatArray


class Poisson:
    """``screening u - laplace(u) = source`` inside a mask, ``u = 0`` outside it.

    Parameters
    ----------
    inside : ndarray of shape (X, Y, Z)
        Where the equation holds.
    voxel_size : sequence of float
        In mm.
    screening : float
        In 1/mm2; none for Poisson's equation.
    """

    def __init__(
        self, inside: NDArray[Any], voxel_size: Sequence[float], screening: float = 0.0
    ) -> None:
        level = np.pad((inside != 0).astype(np.uint8, order="C"), 1)
        size = np.array(voxel_size, np.float64)
        self._levels: list[_Level] = []
        while True:
            shape = np.array(level.shape) - 2
            wide = shape > SMALLEST
            shortest = min(size[wide], default=0.0)
            fx, fy, fz = (
                2 if w and d < THICK * shortest else 1 for w, d in zip(wide, size, strict=True)
            )
            couplings = np.append(1 / size**2, screening).astype(np.float32)
            source = np.zeros(level.shape if self._levels else (1, 1, 1), np.float32)
            u, spare = np.zeros(level.shape, np.float32), np.zeros(level.shape, np.float32)
            self._levels.append(
                _Level(level, _spans(level), couplings, (fx, fy, fz), u, spare, source)
            )
            if (fx, fy, fz) == (1, 1, 1):
                break
            level = _coarser(level, (fx, fy, fz))
            size = size * (fx, fy, fz)

    def solve(
        self, source: FloatArray, tol: float, max_iter: int, progress: Progress = silent
    ) -> FloatArray:
        """Solve for one source.

        Parameters
        ----------
        source : ndarray of float32, shape (X, Y, Z)
            In the unit of u over mm2; only its values inside the mask matter.
        tol : float
            Stop when the residual is below this part of the source.
        max_iter : int
            Most iterations.
        progress : Progress
            May raise ``Cancelled``.
        """
        finest = self._levels[0]
        residual = np.pad(source, 1)
        del source  # the caller may have handed over the only reference
        residual *= finest.inside
        # (zeros that are never written to take no memory: those of like arrays are written)
        solution = np.zeros(residual.shape, np.float32)
        direction = np.zeros(residual.shape, np.float32)
        image = np.zeros(residual.shape, np.float32)
        left = norm(residual)
        goal = tol * left
        power, length = 1.0, 0.0
        for _ in steps(max_iter, progress, "Poisson"):
            if left <= goal:
                break
            better = self.cycle(residual)
            # the residual has changed by -length * image since the last direction
            share = -length * _overlap(better, image, finest.spans) / power
            power = _turn(direction, better, residual, finest.spans, np.float32(share))
            curvature = _apply(direction, finest.inside, finest.spans, finest.couplings, image)
            length = power / curvature
            left = _advance(solution, residual, direction, image, finest.spans, np.float32(length))
        progress(1.0, "Poisson")
        del residual, direction, image
        return np.ascontiguousarray(solution[1:-1, 1:-1, 1:-1])

    def cycle(self, source: FloatArray) -> FloatArray:
        """Approximate solution for a source with its rim of zeros; the next call overwrites it."""
        return self._cycle(0, source)

    def _cycle(self, index: int, source: FloatArray) -> FloatArray:
        level = self._levels[index]
        u, spare = level.solution, level.spare
        given = (source, level.inside, level.spans, level.couplings)
        if index == len(self._levels) - 1:
            settle(*given, WEIGHTS, spare, u, STEPS_ON_COARSEST)
            return u
        below = self._levels[index + 1]
        deeper = (level.factors, below.inside, below.source)
        if u.size < SMALL:
            go_down(*given, WEIGHTS, u, *deeper)
            coarse = self._cycle(index + 1, below.source)
            come_up(coarse, *given, WEIGHTS, level.factors, spare, u)
            return u
        start(*given, *WEIGHTS, u)
        restrict(u, *given, *deeper)
        prolong(self._cycle(index + 1, below.source), level.inside, level.spans, level.factors, u)
        relax(u, *given, WEIGHTS[0], spare)
        relax(spare, *given, WEIGHTS[1], u)
        return u


def _chebyshev_weights() -> Weights:
    middle, reach = (HIGHEST + LOWEST) / 2, (HIGHEST - LOWEST) / 2 * math.sqrt(0.5)
    return np.float32(1 / (middle + reach)), np.float32(1 / (middle - reach))


WEIGHTS = _chebyshev_weights()


def negative_laplacian(
    volume: FloatArray, inside: NDArray[Any], voxel_size: Sequence[float]
) -> FloatArray:
    """``-laplace(volume)`` in 1/mm2, zero outside ``inside``, volume zero beyond its edge."""
    couplings = np.array([*(1 / d**2 for d in voxel_size), 0], dtype=np.float32)
    # in one order of memory: each other one would be compiled anew
    padded = np.pad(np.ascontiguousarray(volume), 1)
    result = np.zeros(padded.shape, np.float32)
    where = np.pad((inside != 0).astype(np.uint8, order="C"), 1)
    _apply(padded, where, _spans(where), couplings, result)
    del padded
    return np.ascontiguousarray(result[1:-1, 1:-1, 1:-1])


def _coarser(level: ByteArray, factors: Factors) -> ByteArray:
    """Cells of the next grid: inside where any of those within is."""
    n = [-(-(s - 2) // f) for s, f in zip(level.shape, factors, strict=True)]
    whole = np.zeros([c * f for c, f in zip(n, factors, strict=True)], np.uint8)
    core = level[1:-1, 1:-1, 1:-1]
    whole[tuple(slice(s) for s in core.shape)] = core
    coarse = np.zeros([c + 2 for c in n], np.uint8)
    for first in np.ndindex(factors):
        coarse[1:-1, 1:-1, 1:-1] |= whole[
            tuple(slice(a, None, f) for a, f in zip(first, factors, strict=True))
        ]
    return coarse


def _spans(inside: ByteArray) -> Spans:
    spans = np.zeros((*inside.shape[:2], 4), np.int32)
    _find_spans(inside, spans)
    return spans


@kernel()
def _find_spans(inside: ByteArray, spans: Spans) -> None:
    """Part each line at its widest gap, so that the deep brain costs a rim nothing."""
    nx, ny, nz = inside.shape
    for i in range(nx):
        for j in range(ny):
            first, last = -1, -1
            gap_start, gap_stop = 0, 0
            for k in range(nz):
                if inside[i, j, k]:
                    if first < 0:
                        first = k
                    elif k - last - 1 > gap_stop - gap_start:
                        gap_start, gap_stop = last + 1, k
                    last = k
            if first < 0:
                continue
            spans[i, j, 0], spans[i, j, 1] = first, last + 1
            if gap_stop - gap_start >= WIDE_GAP:
                spans[i, j, 1] = gap_start
                spans[i, j, 2], spans[i, j, 3] = gap_stop, last + 1


@kernel(parallel=True, fastmath=True)
def _apply(
    u: FloatArray, inside: ByteArray, spans: Spans, couplings: FloatArray, image: FloatArray
) -> float:
    """Write ``-laplace(u)`` into ``image`` and return its product with u."""
    nx, ny = u.shape[:2]
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    centre = np.float32(2) * (wx + wy + wz) + couplings[3]
    total = np.zeros(nx)
    for i in prange(1, nx - 1):
        plane = 0.0
        for j in range(1, ny - 1):
            row = np.float32(0)
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    value = np.float32(inside[i, j, k]) * (
                        centre * u[i, j, k]
                        - wx * (u[i - 1, j, k] + u[i + 1, j, k])
                        - wy * (u[i, j - 1, k] + u[i, j + 1, k])
                        - wz * (u[i, j, k - 1] + u[i, j, k + 1])
                    )
                    image[i, j, k] = value
                    row += value * u[i, j, k]
            plane += float(row)
        total[i] = plane
    return float(total.sum())


@kernel(parallel=True, fastmath=True)
def _advance(
    solution: FloatArray,
    residual: FloatArray,
    direction: FloatArray,
    image: FloatArray,
    spans: Spans,
    length: Any,
) -> float:
    """Take a step along the direction and return the norm of what is left."""
    nx, ny = solution.shape[:2]
    total = np.zeros(nx)
    for i in prange(nx):
        plane = 0.0
        for j in range(ny):
            row = np.float32(0)
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    solution[i, j, k] += length * direction[i, j, k]
                    left = residual[i, j, k] - length * image[i, j, k]
                    residual[i, j, k] = left
                    row += left * left
            plane += float(row)
        total[i] = plane
    return math.sqrt(total.sum())


@kernel(parallel=True, fastmath=True)
def _overlap(a: FloatArray, b: FloatArray, spans: Spans) -> float:
    """Inner product of two volumes."""
    nx, ny = a.shape[:2]
    total = np.zeros(nx)
    for i in prange(nx):
        plane = 0.0
        for j in range(ny):
            row = np.float32(0)
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    row += a[i, j, k] * b[i, j, k]
            plane += float(row)
        total[i] = plane
    return float(total.sum())


@kernel(parallel=True, fastmath=True)
def _turn(
    direction: FloatArray, better: FloatArray, residual: FloatArray, spans: Spans, share: Any
) -> float:
    """Keep a share of the direction, add the better one; return its product with the residual."""
    nx, ny = direction.shape[:2]
    total = np.zeros(nx)
    for i in prange(nx):
        plane = 0.0
        for j in range(ny):
            row = np.float32(0)
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    turned = share * direction[i, j, k] + better[i, j, k]
                    direction[i, j, k] = turned
                    row += turned * residual[i, j, k]
            plane += float(row)
        total[i] = plane
    return float(total.sum())
