"""Smallest and largest value in a ball: the two halves of a grey-value opening."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]
ROUNDED = 1e-6
"""A voxel at the rim of a ball is in it, whatever is rounded."""


def ball_maximum(image: FloatArray, radius: float, voxel_size: Size) -> FloatArray:
    """Largest value within ``radius`` mm of each voxel."""
    window = np.array(image, np.float32, order="C")
    return _largest(window, radius, voxel_size)


def opening(image: FloatArray, radius: float, voxel_size: Size) -> FloatArray:
    """Image without its bright parts that a ball of ``radius`` mm does not fit into."""
    shrunk = _largest(np.negative(image, dtype=np.float32, order="C"), radius, voxel_size)
    return _largest(np.negative(shrunk, out=shrunk), radius, voxel_size)


def _largest(window: FloatArray, radius: float, voxel_size: Size) -> FloatArray:
    """Largest value in a ball: a bundle of chords along the last axis; ``window`` is used up."""
    result = np.full(window.shape, -np.inf, np.float32)
    columns, half = _chords(radius, voxel_size)
    for reach in range(int(half.max()) + 1):
        if reach > 0:
            _widen(window, reach == 1)
        chosen = columns[half == reach]
        if chosen.size:
            _bundle(window, chosen, result)
    return result


def _chords(radius: float, voxel_size: Size) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns of voxels of a ball, shape (N, 2), and how far each reaches from its middle."""
    radius *= 1 + ROUNDED
    reach = [int(radius / v) for v in voxel_size[:2]]
    grid = np.mgrid[tuple(slice(-r, r + 1) for r in reach)].reshape(2, -1).T
    rest = radius**2 - ((grid * np.array(voxel_size[:2])) ** 2).sum(axis=1)
    inside = rest >= 0
    half = np.sqrt(rest[inside]) / voxel_size[2]
    return np.ascontiguousarray(grid[inside]), half.astype(np.int64)


@kernel(parallel=True)
def _widen(window: FloatArray, first: bool) -> None:
    """Let windows reach one voxel further; those of one voxel have no middle within reach."""
    nz = window.shape[2]
    for x in prange(window.shape[0]):
        line = np.full(nz + 2, -np.inf, np.float32)
        before, middle, after = line[:nz], line[1 : nz + 1], line[2:]
        for y in range(window.shape[1]):
            middle[:] = window[x, y]
            for z in range(nz):
                largest = after[z] if after[z] > before[z] else before[z]
                within = middle[z] if first and middle[z] > largest else largest
                window[x, y, z] = within


@kernel(parallel=True)
def _bundle(window: FloatArray, columns: NDArray[np.int64], result: FloatArray) -> None:
    nx, ny, nz = window.shape
    for x in prange(nx):
        # from one line to another: written in its place, a maximum does not compile to vector code
        before, after = np.empty(nz, np.float32), np.empty(nz, np.float32)
        for y in range(ny):
            before[:] = result[x, y]
            for n in range(columns.shape[0]):
                i, j = x + columns[n, 0], y + columns[n, 1]
                if 0 <= i < nx and 0 <= j < ny:
                    _larger(before, window[i, j], after)
                    before, after = after, before
            result[x, y] = before


@routine
def _larger(one: FloatArray, other: FloatArray, result: FloatArray) -> None:
    for z in range(result.size):
        result[z] = one[z] if one[z] > other[z] else other[z]
