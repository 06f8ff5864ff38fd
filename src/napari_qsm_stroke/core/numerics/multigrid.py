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
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Factors = tuple[int, int, int]
SMALLEST = 6
STEPS_ON_COARSEST = 12
LOWEST, HIGHEST = 1 / 3, 2.0
"""Part of the spectrum, relative to the diagonal, that the coarser grid cannot show."""
THICK = 1.5
"""An axis whose voxels are longer than the shortest by this factor is not coarsened yet."""


@dataclass
class _Level:
    inside: ByteArray
    couplings: FloatArray
    factors: Factors
    """Cells in each of the next coarser."""
    solution: FloatArray
    spare: FloatArray
    source: FloatArray


class Poisson:
    """``-laplace(u) = source`` inside a mask, ``u = 0`` outside it.

    Parameters
    ----------
    inside : ndarray of shape (X, Y, Z)
        Where the equation holds.
    voxel_size : sequence of float
        In mm.
    """

    def __init__(self, inside: NDArray[Any], voxel_size: Sequence[float]) -> None:
        level = np.pad((inside != 0).astype(np.uint8), 1)
        size = np.array(voxel_size, np.float64)
        self._levels: list[_Level] = []
        while True:
            shape = np.array(level.shape) - 2
            wide = shape > SMALLEST
            shortest = min(size[wide], default=0.0)
            fx, fy, fz = (
                2 if w and d < THICK * shortest else 1 for w, d in zip(wide, size, strict=True)
            )
            couplings = (1 / size**2).astype(np.float32)
            source = np.zeros(level.shape if self._levels else (1, 1, 1), np.float32)
            u, spare = np.zeros(level.shape, np.float32), np.zeros(level.shape, np.float32)
            self._levels.append(_Level(level, couplings, (fx, fy, fz), u, spare, source))
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
        residual = np.pad(source, 1) * finest.inside
        solution = np.zeros_like(residual)
        direction = np.zeros_like(residual)
        image = np.zeros_like(residual)
        left = float(np.linalg.norm(residual))
        goal = tol * left
        power, length = 1.0, 0.0
        for _ in steps(max_iter, progress, "Poisson"):
            if left <= goal:
                break
            better = self.cycle(residual)
            # the residual has changed by -length * image since the last direction
            share = -length * float(np.vdot(better, image)) / power
            direction *= np.float32(share)
            direction += better
            power = float(np.vdot(direction, residual))
            curvature = _apply(direction, finest.inside, finest.couplings, image)
            length = power / curvature
            left = _advance(solution, residual, direction, image, np.float32(length))
        progress(1.0, "Poisson")
        return np.ascontiguousarray(solution[1:-1, 1:-1, 1:-1])

    def cycle(self, source: FloatArray) -> FloatArray:
        """Approximate solution for a source with its rim of zeros; overwritten by the next call."""
        return self._cycle(0, source)

    def _cycle(self, index: int, source: FloatArray) -> FloatArray:
        level = self._levels[index]
        u, spare = level.solution, level.spare
        a = (source, level.inside, level.couplings)
        _start(*a, *WEIGHTS, u)
        if index == len(self._levels) - 1:
            for _ in range(STEPS_ON_COARSEST):
                for weight in WEIGHTS:
                    _relax(u, *a, weight, spare)
                    u, spare = spare, u
            return u
        below = self._levels[index + 1]
        _restrict(u, *a, level.factors, below.inside, below.source)
        _prolong(self._cycle(index + 1, below.source), level.inside, level.factors, u)
        _relax(u, *a, WEIGHTS[0], spare)
        _relax(spare, *a, WEIGHTS[1], u)
        return u


def _chebyshev_weights() -> tuple[np.float32, np.float32]:
    middle, reach = (HIGHEST + LOWEST) / 2, (HIGHEST - LOWEST) / 2 * math.sqrt(0.5)
    return np.float32(1 / (middle + reach)), np.float32(1 / (middle - reach))


WEIGHTS = _chebyshev_weights()


def negative_laplacian(
    volume: FloatArray, inside: NDArray[Any], voxel_size: Sequence[float]
) -> FloatArray:
    """``-laplace(volume)`` in 1/mm2, zero outside ``inside``, volume zero beyond its edge."""
    couplings = np.array([1 / d**2 for d in voxel_size], dtype=np.float32)
    padded = np.pad(volume, 1)
    result = np.zeros_like(padded)
    _apply(padded, np.pad((inside != 0).astype(np.uint8), 1), couplings, result)
    return np.ascontiguousarray(result[1:-1, 1:-1, 1:-1])


def _coarser(level: ByteArray, factors: Factors) -> ByteArray:
    """Cells of the next grid: inside where any of those within is."""
    n = [-(-(s - 2) // f) for s, f in zip(level.shape, factors, strict=True)]
    whole = np.zeros([c * f for c, f in zip(n, factors, strict=True)], np.uint8)
    core = level[1:-1, 1:-1, 1:-1]
    whole[tuple(slice(s) for s in core.shape)] = core
    parts = whole.reshape(n[0], factors[0], n[1], factors[1], n[2], factors[2])
    coarse: ByteArray = np.pad(parts.max(axis=(1, 3, 5)), 1)
    return coarse


@kernel(parallel=True, fastmath=True)
def _apply(u: FloatArray, inside: ByteArray, couplings: FloatArray, image: FloatArray) -> float:
    """Write ``-laplace(u)`` into ``image`` and return its product with u."""
    nx, ny, nz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    centre = np.float32(2) * (wx + wy + wz)
    total = np.zeros(nx)
    for i in prange(1, nx - 1):
        for j in range(1, ny - 1):
            row = np.float32(0)
            for k in range(1, nz - 1):
                value = np.float32(inside[i, j, k]) * (
                    centre * u[i, j, k]
                    - wx * (u[i - 1, j, k] + u[i + 1, j, k])
                    - wy * (u[i, j - 1, k] + u[i, j + 1, k])
                    - wz * (u[i, j, k - 1] + u[i, j, k + 1])
                )
                image[i, j, k] = value
                row += value * u[i, j, k]
            total[i] += row
    return float(total.sum())


@kernel(parallel=True, fastmath=True)
def _advance(
    solution: FloatArray,
    residual: FloatArray,
    direction: FloatArray,
    image: FloatArray,
    length: Any,
) -> float:
    """Take a step along the direction and return the norm of what is left."""
    nx, ny, nz = solution.shape
    total = np.zeros(nx)
    for i in prange(nx):
        for j in range(ny):
            row = np.float32(0)
            for k in range(nz):
                solution[i, j, k] += length * direction[i, j, k]
                left = residual[i, j, k] - length * image[i, j, k]
                residual[i, j, k] = left
                row += left * left
            total[i] += row
    return math.sqrt(total.sum())


@kernel(parallel=True, fastmath=True)
def _start(
    source: FloatArray,
    inside: ByteArray,
    couplings: FloatArray,
    first: Any,
    second: Any,
    u: FloatArray,
) -> None:
    """Two Jacobi steps from zero in one."""
    nx, ny, nz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    inverse = np.float32(1) / (np.float32(2) * (wx + wy + wz))
    own = inverse * (first + second - first * second)
    near = inverse * inverse * first * second
    wx, wy, wz = near * wx, near * wy, near * wz
    for i in prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                u[i, j, k] = np.float32(inside[i, j, k]) * (
                    own * source[i, j, k]
                    + wx * (source[i - 1, j, k] + source[i + 1, j, k])
                    + wy * (source[i, j - 1, k] + source[i, j + 1, k])
                    + wz * (source[i, j, k - 1] + source[i, j, k + 1])
                )


@kernel(parallel=True, fastmath=True)
def _relax(
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    couplings: FloatArray,
    weight: Any,
    out: FloatArray,
) -> None:
    """One Jacobi step from u into ``out``."""
    nx, ny, nz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    part = weight / (np.float32(2) * (wx + wy + wz))
    wx, wy, wz = part * wx, part * wy, part * wz
    keep = np.float32(1) - weight
    for i in prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                out[i, j, k] = np.float32(inside[i, j, k]) * (
                    keep * u[i, j, k]
                    + part * source[i, j, k]
                    + wx * (u[i - 1, j, k] + u[i + 1, j, k])
                    + wy * (u[i, j - 1, k] + u[i, j + 1, k])
                    + wz * (u[i, j, k - 1] + u[i, j, k + 1])
                )


@kernel(parallel=True, fastmath=True)
def _restrict(
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    couplings: FloatArray,
    factors: Factors,
    coarse_inside: ByteArray,
    coarse: FloatArray,
) -> None:
    """Mean of what the solution leaves of the source over the cells of each coarser one."""
    nx, ny, nz = coarse.shape
    fx, fy, fz = factors
    mx, my, mz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    centre = np.float32(2) * (wx + wy + wz)
    share = np.float32(1.0 / (fx * fy * fz))
    for i in prange(1, nx - 1):
        line = np.empty(fz * nz, np.float32)
        for j in range(1, ny - 1):
            line[:] = 0
            for a in range(fx * (i - 1) + 1, min(fx * i + 1, mx - 1)):
                for b in range(fy * (j - 1) + 1, min(fy * j + 1, my - 1)):
                    for c in range(1, mz - 1):
                        line[c] += np.float32(inside[a, b, c]) * (
                            source[a, b, c]
                            - centre * u[a, b, c]
                            + wx * (u[a - 1, b, c] + u[a + 1, b, c])
                            + wy * (u[a, b - 1, c] + u[a, b + 1, c])
                            + wz * (u[a, b, c - 1] + u[a, b, c + 1])
                        )
            for k in range(1, nz - 1):
                total = line[fz * (k - 1) + 1]
                if fz == 2:
                    total += line[fz * (k - 1) + 2]
                coarse[i, j, k] = share * total * np.float32(coarse_inside[i, j, k])


@kernel(parallel=True, fastmath=True)
def _prolong(coarse: FloatArray, inside: ByteArray, factors: Factors, u: FloatArray) -> None:
    """Add the coarser solution, interpolated linearly between the centres of its cells."""
    nx, ny, nz = u.shape
    fx, fy, fz = factors
    for i in prange(1, nx - 1):
        line = np.zeros(coarse.shape[2], np.float32)
        a = (i - 1) // fx + 1
        # the other cell between whose centre and this one's the voxel lies
        a_far = a if fx == 1 else (a - 1 if (i - 1) % 2 == 0 else a + 1)
        for j in range(1, ny - 1):
            b = (j - 1) // fy + 1
            b_far = b if fy == 1 else (b - 1 if (j - 1) % 2 == 0 else b + 1)
            for c in range(coarse.shape[2]):
                line[c] = np.float32(0.75) * (
                    np.float32(0.75) * coarse[a, b, c] + np.float32(0.25) * coarse[a, b_far, c]
                ) + np.float32(0.25) * (
                    np.float32(0.75) * coarse[a_far, b, c]
                    + np.float32(0.25) * coarse[a_far, b_far, c]
                )
            if fz == 1:
                for k in range(1, nz - 1):
                    u[i, j, k] += np.float32(inside[i, j, k]) * line[k]
            else:
                for k in range(1, nz - 1):
                    c = (k - 1) // 2 + 1
                    far = c - 1 if (k - 1) % 2 == 0 else c + 1
                    u[i, j, k] += np.float32(inside[i, j, k]) * (
                        np.float32(0.75) * line[c] + np.float32(0.25) * line[far]
                    )
