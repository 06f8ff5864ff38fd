"""How much each voxel counts in a fit to the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

LARGEST_WEIGHT = 2.0


def data_weight(inside: NDArray[np.bool_], noise: FloatArray | None) -> FloatArray:
    """Squared weight of the data: 1 where the noise is at its median, 0 outside the mask.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        Where the field is known.
    noise : ndarray of shape (X, Y, Z) or None
        Standard deviation of the field in ppm; zero where it is not known. All voxels weigh the
        same without it.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        At most 2: single voxels of high signal do not outweigh their surroundings.
    """
    weight = inside.astype(np.float32)
    if noise is None:
        return weight
    known = inside & (noise > 0)
    if known.any():
        ratio = np.median(noise[known]) / noise[known]
        weight[known] = np.minimum(ratio * ratio, LARGEST_WEIGHT)
        weight[inside & ~known] = 0
    return weight
