"""Poisson's equation in a mask, by conjugate gradients preconditioned with multigrid.

Arrays carry one voxel of zeros on each side, so that no kernel asks whether a neighbour exists. A
cell of the next coarser grid holds 2 x 2 x 2 cells and is inside where any of them is. One cycle
smooths by red and black Gauss-Seidel, forward before and backward after the coarser grid, which
keeps the preconditioner symmetric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

SMALLEST = 6
SWEEPS_ON_COARSEST = 12


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
        couplings = np.array([1 / d**2 for d in voxel_size], dtype=np.float32)
        self._levels: list[tuple[ByteArray, FloatArray, FloatArray, FloatArray]] = []
        while True:
            work = np.zeros(level.shape, np.float32), np.zeros(level.shape, np.float32)
            self._levels.append((level, couplings, *work))
            if min(level.shape) <= SMALLEST + 2:
                break
            level = _coarser(level)
            couplings = couplings / np.float32(4)

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
        inside, couplings, *_ = self._levels[0]
        residual = np.pad(source, 1) * inside
        solution = np.zeros_like(residual)
        direction = np.zeros_like(residual)
        image = np.empty_like(residual)
        goal = tol * float(np.linalg.norm(residual))
        before = 1.0
        for _ in steps(max_iter, progress, "Poisson"):
            if float(np.linalg.norm(residual)) <= goal:
                break
            better = self._cycle(0, residual)
            now = float(np.vdot(residual, better))
            direction *= np.float32(now / before)
            direction += better
            before = now
            _apply(direction, inside, couplings, image)
            length = np.float32(now / float(np.vdot(direction, image)))
            solution += length * direction
            residual -= length * image
        progress(1.0, "Poisson")
        return np.ascontiguousarray(solution[1:-1, 1:-1, 1:-1])

    def _cycle(self, index: int, source: FloatArray) -> FloatArray:
        inside, couplings, solution, residual = self._levels[index]
        solution[:] = 0
        if index == len(self._levels) - 1:
            for _ in range(SWEEPS_ON_COARSEST):
                _smooth(solution, source, inside, couplings, 0)
                _smooth(solution, source, inside, couplings, 1)
            for _ in range(SWEEPS_ON_COARSEST):
                _smooth(solution, source, inside, couplings, 1)
                _smooth(solution, source, inside, couplings, 0)
            return solution
        for colour in (0, 1):
            _smooth(solution, source, inside, couplings, colour)
        _apply(solution, inside, couplings, residual)
        np.subtract(source, residual, out=residual)
        coarse = np.empty_like(self._levels[index + 1][2])
        _restrict(residual, self._levels[index + 1][0], coarse)
        _prolong(self._cycle(index + 1, coarse), inside, solution)
        for colour in (1, 0):
            _smooth(solution, source, inside, couplings, colour)
        return solution


def negative_laplacian(
    volume: FloatArray, inside: NDArray[Any], voxel_size: Sequence[float]
) -> FloatArray:
    """``-laplace(volume)`` in 1/mm2, zero outside ``inside``, volume zero beyond its edge."""
    couplings = np.array([1 / d**2 for d in voxel_size], dtype=np.float32)
    padded = np.pad(volume, 1)
    result = np.empty_like(padded)
    _apply(padded, np.pad((inside != 0).astype(np.uint8), 1), couplings, result)
    return np.ascontiguousarray(result[1:-1, 1:-1, 1:-1])


def _coarser(level: ByteArray) -> ByteArray:
    """Cells of the next grid: inside where any of the eight is."""
    n = [(s - 2 + 1) // 2 for s in level.shape]
    even = np.zeros([2 * c for c in n], np.uint8)
    core = level[1:-1, 1:-1, 1:-1]
    even[tuple(slice(s) for s in core.shape)] = core
    eight = even.reshape(n[0], 2, n[1], 2, n[2], 2)
    coarse: ByteArray = np.pad(eight.max(axis=(1, 3, 5)), 1)
    return coarse


@kernel(parallel=True)
def _apply(u: FloatArray, inside: ByteArray, couplings: FloatArray, image: FloatArray) -> None:
    nx, ny, nz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    centre = np.float32(2) * (wx + wy + wz)
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                if inside[i, j, k]:
                    image[i, j, k] = (
                        centre * u[i, j, k]
                        - wx * (u[i - 1, j, k] + u[i + 1, j, k])
                        - wy * (u[i, j - 1, k] + u[i, j + 1, k])
                        - wz * (u[i, j, k - 1] + u[i, j, k + 1])
                    )
                else:
                    image[i, j, k] = 0


@kernel(parallel=True)
def _smooth(
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    couplings: FloatArray,
    colour: int,
) -> None:
    nx, ny, nz = u.shape
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    inverse = np.float32(1) / (np.float32(2) * (wx + wy + wz))
    for i in prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1 + (i + j + colour) % 2, nz - 1, 2):
                if inside[i, j, k]:
                    u[i, j, k] = inverse * (
                        source[i, j, k]
                        + wx * (u[i - 1, j, k] + u[i + 1, j, k])
                        + wy * (u[i, j - 1, k] + u[i, j + 1, k])
                        + wz * (u[i, j, k - 1] + u[i, j, k + 1])
                    )


@kernel()
def _restrict(residual: FloatArray, inside: ByteArray, coarse: FloatArray) -> None:
    nx, ny, nz = coarse.shape
    fx, fy, fz = residual.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                total = np.float32(0)
                if inside[i, j, k]:
                    for a in range(2 * i - 1, min(2 * i + 1, fx)):
                        for b in range(2 * j - 1, min(2 * j + 1, fy)):
                            for c in range(2 * k - 1, min(2 * k + 1, fz)):
                                total += residual[a, b, c]
                coarse[i, j, k] = total * np.float32(0.125)


@kernel()
def _prolong(coarse: FloatArray, inside: ByteArray, u: FloatArray) -> None:
    nx, ny, nz = u.shape
    for i in range(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                if inside[i, j, k]:
                    u[i, j, k] += coarse[(i + 1) // 2, (j + 1) // 2, (k + 1) // 2]
