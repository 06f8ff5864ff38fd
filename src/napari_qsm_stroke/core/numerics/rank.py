"""Smallest and largest value in a ball: the two halves of a grey-value opening."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]


def ball_maximum(image: FloatArray, radius: float, voxel_size: Size) -> FloatArray:
    """Largest value within ``radius`` mm of each voxel."""
    result = np.empty(image.shape, np.float32)
    _maximum(np.ascontiguousarray(image, np.float32), _ball(radius, voxel_size), result)
    return result


def opening(image: FloatArray, radius: float, voxel_size: Size) -> FloatArray:
    """Image without its bright parts that a ball of ``radius`` mm does not fit into."""
    return ball_maximum(-ball_maximum(-image, radius, voxel_size), radius, voxel_size)


def _ball(radius: float, voxel_size: Size) -> NDArray[np.int64]:
    """Offsets of the voxels of a ball, shape (N, 3)."""
    reach = [int(radius / v) for v in voxel_size]
    grid = np.mgrid[tuple(slice(-r, r + 1) for r in reach)].reshape(3, -1).T
    inside = ((grid * np.array(voxel_size)) ** 2).sum(axis=1) <= radius**2
    return np.ascontiguousarray(grid[inside])


@kernel(parallel=True)
def _maximum(
    image: NDArray[np.float32], offsets: NDArray[np.int64], result: NDArray[np.float32]
) -> None:
    nx, ny, nz = image.shape
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                result[x, y, z] = image[x, y, z]
            for n in range(offsets.shape[0]):
                i, j = x + offsets[n, 0], y + offsets[n, 1]
                if i < 0 or i >= nx or j < 0 or j >= ny:
                    continue
                shift = offsets[n, 2]
                for z in range(max(0, -shift), min(nz, nz - shift)):
                    result[x, y, z] = max(result[x, y, z], image[i, j, z + shift])
