"""Veins cut into segments: the units that a confidence interval counts.

Neighbouring voxels of a vein share their error and their blood, so the number of voxels says
little on how sure a median is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vein_segments(
    voxels: NDArray[np.intp],
    *,
    voxel_size: tuple[float, float, float],
    segment_length: float = 10.0,
) -> NDArray[np.int32]:
    """Number the vein segments.

    Parameters
    ----------
    voxels : ndarray of int, shape (N, 3)
        Indices of the vein voxels, in the order of ``numpy.argwhere``.
    voxel_size : tuple of float
        In mm.
    segment_length : float
        How far a segment reaches from its first voxel, in mm.

    Returns
    -------
    ndarray of int32, shape (N,)
        Segment of each voxel, from 0 on.

    Notes
    -----
    A segment is a connected piece of vein (26 neighbours) within ``segment_length`` of its first
    voxel. Segments are taken one after the other in the order of the voxels, so that the same mask
    always gives the same segments.
    """
    if len(voxels) == 0:
        return np.zeros(0, dtype=np.int32)
    low = voxels.min(axis=0) - 1
    inside = (voxels - low).astype(np.int64)
    place = np.zeros(tuple(inside.max(axis=0) + 2), dtype=np.int32)
    place[inside[:, 0], inside[:, 1], inside[:, 2]] = np.arange(1, len(voxels) + 1)
    size = np.asarray(voxel_size, dtype=np.float64)
    labels: NDArray[np.int32] = _grow(inside, place, size, float(segment_length) ** 2)
    return labels


@kernel()
def _grow(voxels: Any, place: Any, size: Any, reach_squared: float) -> Any:
    count = voxels.shape[0]
    labels = np.full(count, -1, dtype=np.int32)
    queue = np.empty(count, dtype=np.int32)
    segment = 0
    for seed in range(count):
        if labels[seed] >= 0:
            continue
        labels[seed] = segment
        queue[0] = seed
        head, tail = 0, 1
        while head < tail:
            x, y, z = voxels[queue[head]]
            head += 1
            for i in range(x - 1, x + 2):
                for j in range(y - 1, y + 2):
                    for k in range(z - 1, z + 2):
                        other = place[i, j, k] - 1
                        if other < 0 or labels[other] >= 0:
                            continue
                        dx = (i - voxels[seed, 0]) * size[0]
                        dy = (j - voxels[seed, 1]) * size[1]
                        dz = (k - voxels[seed, 2]) * size[2]
                        if dx * dx + dy * dy + dz * dz <= reach_squared:
                            labels[other] = segment
                            queue[tail] = other
                            tail += 1
        segment += 1
    return labels
