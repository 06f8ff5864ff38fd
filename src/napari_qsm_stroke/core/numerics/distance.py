"""Exact Euclidean distance in mm, for morphology that does not care how large voxels are.

Lower envelopes of parabolas, one axis after the other: Felzenszwalb and Huttenlocher, Theory of
Computing 2012;8:415, doi:10.4086/toc.2012.v008a019.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Bools = np.ndarray[Any, np.dtype[np.bool_]]
FAR = 1e12
TILE = 16
ROUNDED = 1e-6
"""A voxel at the rim of a ball is in it, whatever is rounded."""


def distance_to(
    mask: NDArray[Any], voxel_size: tuple[float, float, float], limit: float = math.inf
) -> FloatArray:
    """Distance of every voxel centre to the nearest one in ``mask``.

    Parameters
    ----------
    mask : ndarray, shape (X, Y, Z)
        Non-zero voxels are in it.
    voxel_size : tuple of float
        In mm.
    limit : float
        Distances above so many mm are only known to be above: that saves half of the time.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In mm; 0 inside the mask, 1e6 everywhere where the mask is empty.
    """
    inside = np.ascontiguousarray(mask) != 0
    squared = np.empty(inside.shape, np.float32)
    far = min(FAR, (limit * (1 + ROUNDED)) ** 2)
    _along_lines(inside, float(voxel_size[2]) ** 2, squared)
    for axis in (1, 0):
        lines = np.moveaxis(squared, axis, -1)
        _envelopes(lines, float(voxel_size[axis]) ** 2, far)
    distance: FloatArray = np.sqrt(squared, out=squared)
    return distance


def within(mask: NDArray[Any], radius: float, voxel_size: tuple[float, float, float]) -> Bools:
    """Whether a voxel of ``mask`` lies within ``radius`` mm of each voxel centre.

    Parameters
    ----------
    mask : ndarray, shape (X, Y, Z)
        Non-zero voxels are in it.
    radius : float
        In mm.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
    """
    inside = np.ascontiguousarray(mask) != 0
    squares = [
        ((np.arange(int(radius / v + ROUNDED) + 1) * v) ** 2).astype(np.float32) for v in voxel_size
    ]
    limit = np.float32((radius * (1 + ROUNDED)) ** 2)
    across = np.empty(inside.shape, np.float32)
    near = np.empty(inside.shape, np.bool_)
    _nearest_in_planes(inside, squares[1], squares[2], across)
    _near(across, squares[0], limit, near)
    return near


@kernel(parallel=True)
def _nearest_in_planes(
    inside: Bools, along_y: FloatArray, along_z: FloatArray, squared: FloatArray
) -> None:
    """Squared distance to the nearest voxel in the same plane, as far as the steps given reach."""
    ny, nz = inside.shape[1], inside.shape[2]
    far, reach = np.float32(FAR), along_z.size - 1
    for i in prange(inside.shape[0]):
        plane = np.empty((ny, nz), np.float32)
        line = np.full(nz + 2 * reach, far, np.float32)
        lines = np.empty((2 * reach + 1, nz), np.float32)
        spare = np.empty((2, nz), np.float32)
        both_ways = np.concatenate((along_z[:0:-1], along_z))
        for j in range(ny):
            for z in range(nz):
                line[reach + z] = np.float32(0) if inside[i, j, z] else far
            for k in range(lines.shape[0]):
                lines[k] = line[k : k + nz]
            _lowest(lines, both_ways, spare, plane[j])
        for j in range(ny):
            first, last = max(0, j - along_y.size + 1), min(ny, j + along_y.size)
            steps = np.array([along_y[abs(n - j)] for n in range(first, last)])
            _lowest(plane[first:last], steps, spare, squared[i, j])


@kernel(parallel=True)
def _near(squared: FloatArray, along_x: FloatArray, limit: np.float32, near: Bools) -> None:
    nx, ny, nz = squared.shape
    for j in prange(ny):
        rows = squared[:, j].copy()
        line = np.empty(nz, np.float32)
        spare = np.empty((2, nz), np.float32)
        for i in range(nx):
            first, last = max(0, i - along_x.size + 1), min(nx, i + along_x.size)
            steps = np.array([along_x[abs(n - i)] for n in range(first, last)])
            _lowest(rows[first:last], steps, spare, line)
            for z in range(nz):
                near[i, j, z] = line[z] <= limit


@routine
def _lowest(
    rows: FloatArray, steps: FloatArray, spare: NDArray[np.float32], result: FloatArray
) -> None:
    """Smallest of the rows, each plus its step."""
    # from one line to another: written in its place, a minimum does not compile to vector code
    before, after = spare[0], spare[1]
    before[:] = FAR
    for k in range(steps.size):
        row, step = rows[k], steps[k]
        for z in range(result.size):
            value = row[z] + step
            after[z] = value if value < before[z] else before[z]
        before, after = after, before
    result[:] = before


@kernel(parallel=True)
def _along_lines(inside: Bools, step: float, squared: FloatArray) -> None:
    """Squared distance to the nearest voxel inside on the same line along the last axis."""
    nx, ny, nz = inside.shape
    for i in prange(nx):
        for j in range(ny):
            last = -1
            for k in range(nz):
                if inside[i, j, k]:
                    last = k
                squared[i, j, k] = step * (k - last) ** 2 if last >= 0 else FAR
            last = -1
            for k in range(nz - 1, -1, -1):
                if inside[i, j, k]:
                    last = k
                if last >= 0:
                    squared[i, j, k] = min(squared[i, j, k], np.float32(step * (last - k) ** 2))


@kernel(parallel=True)
def _envelopes(lines: NDArray[np.float32], step: float, far: float) -> None:
    """Replace each line f by the smallest f[j] + step (i - j)^2 over j; f of ``far`` counts not."""
    n = lines.shape[2]
    for i in prange(lines.shape[0]):
        # many lines at once: neighbours share what is fetched from memory
        tile = np.empty((TILE, n), np.float32)
        inverse = 1 / (step * np.arange(1, n + 1))
        value, start = np.empty(n, np.float64), np.empty(n + 1, np.float64)
        vertex = np.empty(n, np.int64)
        for first in range(0, lines.shape[1], TILE):
            count = min(TILE, lines.shape[1] - first)
            for q in range(n):
                for j in range(count):
                    tile[j, q] = lines[i, first + j, q]
            for j in range(count):
                if tile[j].any():  # else all of the line is in the mask
                    _envelope(tile[j], step, far, inverse, value, vertex, start)
            for q in range(n):
                for j in range(count):
                    lines[i, first + j, q] = tile[j, q]


@routine
def _envelope(
    line: FloatArray,
    step: float,
    far: float,
    inverse: NDArray[np.float64],
    value: NDArray[np.float64],
    vertex: NDArray[np.int64],
    start: NDArray[np.float64],
) -> None:
    top = -1
    for q in range(line.size):
        value[q] = line[q]
        if value[q] >= far:
            continue
        cross = -np.inf
        while top >= 0:
            p = vertex[top]
            cross = 0.5 * ((value[q] - value[p]) * inverse[q - p - 1] + q + p)
            if cross > start[top]:
                break
            top -= 1
        top += 1
        vertex[top] = q
        start[top] = cross if top > 0 else -np.inf
    if top < 0:
        return
    start[top + 1] = np.inf
    p = 0
    for q in range(line.size):
        while start[p + 1] < q:
            p += 1
        line[q] = value[vertex[p]] + step * (q - vertex[p]) ** 2
