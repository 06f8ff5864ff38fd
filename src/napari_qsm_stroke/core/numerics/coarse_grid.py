"""A coarser periodic grid over a frame: means down, linear interpolation up, axis by axis.

The coarse voxels lie symmetrically about the middle of the box that the frame was cut from, so
that a flipped box gives a flipped result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.fourier import Shape, fast_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Factors = tuple[int, int, int]


class CoarseGrid:
    """Coarse voxels that hold a whole number of fine ones along each axis.

    Parameters
    ----------
    box : sequence of int
        Shape of the box that lies at the beginning of the fine grid.
    margin : sequence of int
        Fine voxels of room that the grids have behind the box, at least.
    factors : tuple of int
        Fine voxels of a coarse one along each axis.

    Attributes
    ----------
    shape, fine : tuple of int
        Shapes of the two grids; both have fast transforms.
    """

    def __init__(self, box: Sequence[int], margin: Sequence[int], factors: Factors) -> None:
        cells = [-(-(n + m) // f) for n, m, f in zip(box, margin, factors, strict=True)]
        self.shape: Shape = fast_shape(cells)
        x, y, z = (n * f for n, f in zip(self.shape, factors, strict=True))
        self.fine: Shape = (x, y, z)
        axes = list(zip(box, self.shape, factors, strict=True))
        self._down = [_means(n, cells, f) for n, cells, f in axes]
        self._up = [_interpolation(n, cells, f) for n, cells, f in axes]

    def down(self, volume: FloatArray) -> FloatArray:
        """Mean of the fine grid over each coarse voxel."""
        return _along_axes(self._down, volume)

    def up(self, volume: FloatArray) -> FloatArray:
        """Values of the coarse grid at each fine voxel."""
        return _along_axes(self._up, volume)


def factors_for(voxel_size: Sequence[float], coarse: float) -> Factors:
    """Fine voxels along each axis that make up about ``coarse`` mm."""
    x, y, z = (max(1, round(coarse / d)) for d in voxel_size)
    return (x, y, z)


def _first(box: int, factor: int) -> float:
    """Middle of the first coarse voxel in fine voxels."""
    return ((box - 1) - factor * (-(-box // factor) - 1)) / 2


def _means(box: int, cells: int, factor: int) -> FloatArray:
    """Weights of fine voxels in each coarse one, all with the spread of a block of voxels."""
    fine = cells * factor
    first = _first(box, factor)
    away = np.arange(fine) - (first + factor * np.arange(cells)[:, None])
    away = np.abs((away + fine / 2) % fine - fine / 2)
    weights = np.clip((_width(first % 1, factor) + 1) / 2 - away, 0, 1)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def _width(shift: float, factor: int) -> float:
    """Width of the window that spreads as far as a block, whose middle lies ``shift`` off a voxel.

    Where its edges cut voxels in two, a window of ``factor`` voxels would blur more than a block.
    """
    offsets = np.arange(-factor, factor + 1) + shift

    def spread(width: float) -> float:
        weights = np.clip((width + 1) / 2 - np.abs(offsets), 0, 1)
        return float(weights @ offsets**2 / weights.sum()) - (factor**2 - 1) / 12

    return float(scipy.optimize.brentq(spread, 1.0, factor + 1.0)) if factor > 1 else 1.0


def _interpolation(box: int, cells: int, factor: int) -> FloatArray:
    """Linear weights of the coarse voxels on both sides of each fine one."""
    fine = cells * factor
    away = np.arange(fine)[:, None] - (_first(box, factor) + factor * np.arange(cells))
    away = np.abs((away + fine / 2) % fine - fine / 2)
    return np.clip(1 - away / factor, 0, None).astype(np.float32)


def _taps(matrix: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Columns that count in each row, and their weights; rows with fewer are filled with zeros."""
    most = int((matrix != 0).sum(axis=1).max())
    columns = np.argsort(matrix == 0, axis=1, kind="stable")[:, :most]
    return columns, np.take_along_axis(matrix, columns, axis=1)


def _along_axes(matrices: list[FloatArray], volume: FloatArray) -> FloatArray:
    x, y, z = (_taps(matrix) for matrix in matrices)
    result = np.empty([len(matrix) for matrix in matrices], np.float32)
    _gather(volume, *x, *y, *z, result)
    return result


@kernel(parallel=True)
def _gather(
    volume: FloatArray,
    index_x: NDArray[np.int64],
    weight_x: FloatArray,
    index_y: NDArray[np.int64],
    weight_y: FloatArray,
    index_z: NDArray[np.int64],
    weight_z: FloatArray,
    result: FloatArray,
) -> None:
    """Weighted sums of voxels, the weights a product of three."""
    nx, ny, nz = result.shape
    for i in prange(nx):
        line = np.empty(volume.shape[2], np.float32)
        for j in range(ny):
            line[:] = 0
            for a in range(index_x.shape[1]):
                for b in range(index_y.shape[1]):
                    weight = weight_x[i, a] * weight_y[j, b]
                    if weight != 0:
                        p, q = index_x[i, a], index_y[j, b]
                        for k in range(line.size):
                            line[k] += weight * volume[p, q, k]
            for k in range(nz):
                total = np.float32(0)
                for c in range(index_z.shape[1]):
                    total += weight_z[k, c] * line[index_z[k, c]]
                result[i, j, k] = total
