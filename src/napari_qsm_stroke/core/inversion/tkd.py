"""Thresholded k-space division."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.fourier import backward, forward, spectral_mean
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    LocalField,
    Susceptibility,
    VoxelSize,
)

PADDING = 8


@method(cite=("10.1002/mrm.22135", "10.1002/mrm.24405"), linear=True, revision=2, memory=4)
def tkd(
    local_field: LocalField,
    field_mask: FieldMask,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    threshold: Annotated[float, Interval(gt=0, le=2 / 3)] = 0.15,
) -> Susceptibility:
    """Divide by the dipole in k-space, held at the threshold where it is smaller.

    The result is scaled so that a point source keeps its value: without that, all values come out
    too small by a factor that depends on the threshold alone.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    threshold : float
        Smallest size of the dipole that is divided by.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    References
    ----------
    Shmueli et al., Magn Reson Med 2009;62:1510, doi:10.1002/mrm.22135; scaling: Schweser et al.,
    Magn Reson Med 2013;69:1582, doi:10.1002/mrm.24405.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    inverse = np.abs(dipole)
    np.maximum(inverse, np.float32(threshold), out=inverse)
    np.divide(np.sign(dipole), inverse, out=inverse)
    dipole *= inverse
    inverse *= np.float32(1 / spectral_mean(dipole, frame.shape))
    spectrum = forward(frame.cut(local_field, field_mask))
    spectrum *= inverse
    whole = frame.paste(backward(spectrum, frame.shape))
    whole[field_mask == 0] = 0
    return whole
