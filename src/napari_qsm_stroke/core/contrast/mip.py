"""Minimum-intensity slabs."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.quantities import FieldDirection, Swi, SwiSlab, VoxelSize


@method(cite="10.1002/mrm.20198", memory=2.3)
def mip(
    swi: Swi,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    thickness: Annotated[float, Interval(gt=0, le=100), Unit("mm")] = 8.0,
) -> SwiSlab:
    """Show at each place the darkest voxel of a slab around it: veins come out as lines.

    Slabs lie across the axis that is nearest to the main field, as axial slices do.

    Parameters
    ----------
    swi : ndarray of shape (X, Y, Z)
        In any unit.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    thickness : float
        Of a slab; an odd number of slices, at least one.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In the unit of the image.

    References
    ----------
    Haacke et al., Magn Reson Med 2004;52:612, doi:10.1002/mrm.20198.
    """
    axis = int(np.argmax(np.abs(b0_dir)))
    each_side = round((thickness / voxel_size[axis] - 1) / 2)
    return np.asarray(
        ndimage.minimum_filter1d(np.nan_to_num(swi), 2 * each_side + 1, axis=axis, mode="nearest"),
        dtype=np.float32,
    )
