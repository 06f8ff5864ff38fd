"""Exact Euclidean distance in mm, for morphology that does not care how large voxels are.

Lower envelopes of parabolas, one axis after the other: Felzenszwalb and Huttenlocher, Theory of
Computing 2012;8:415, doi:10.4086/toc.2012.v008a019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

FAR = 1e12


def distance_to(mask: NDArray[Any], voxel_size: tuple[float, float, float]) -> FloatArray:
    """Distance of every voxel centre to the nearest one in ``mask``.

    Parameters
    ----------
    mask : ndarray, shape (X, Y, Z)
        Non-zero voxels are in it.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In mm; 0 inside the mask, 1e6 everywhere where the mask is empty.
    """
    squared = np.where(mask != 0, np.float32(0), np.float32(FAR))
    for axis in range(3):
        lines = np.moveaxis(squared, axis, -1)
        _envelope(lines, float(voxel_size[axis]) ** 2)
    distance: FloatArray = np.sqrt(squared, out=squared)
    return distance


@kernel(parallel=True)
def _envelope(lines: NDArray[np.float32], step: float) -> None:
    """Replace each line f by the smallest f[j] + step (i - j)^2 over j."""
    n = lines.shape[2]
    for i in prange(lines.shape[0]):
        value = np.empty(n, np.float64)
        vertex = np.empty(n, np.int64)
        start = np.empty(n + 1, np.float64)
        for j in range(lines.shape[1]):
            top = -1
            for q in range(n):
                value[q] = lines[i, j, q]
                if value[q] >= FAR:
                    continue
                cross = -np.inf
                while top >= 0:
                    p = vertex[top]
                    cross = 0.5 * ((value[q] - value[p]) / (step * (q - p)) + q + p)
                    if cross > start[top]:
                        break
                    top -= 1
                top += 1
                vertex[top] = q
                start[top] = cross if top > 0 else -np.inf
            if top < 0:
                continue
            start[top + 1] = np.inf
            p = 0
            for q in range(n):
                while start[p + 1] < q:
                    p += 1
                lines[i, j, q] = value[vertex[p]] + step * (q - vertex[p]) ** 2
