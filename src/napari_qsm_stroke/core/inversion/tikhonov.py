"""Tikhonov regularisation in closed form."""

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


@method(cite="10.1002/jmri.24365", linear=True, revision=2, memory=4)
def tikhonov(
    local_field: LocalField,
    field_mask: FieldMask,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=10)] = 0.01,
) -> Susceptibility:
    """Fit the field with the smallest susceptibility, in one step in k-space.

    Minimises ``|D chi - field|^2 + regularisation |chi|^2``; the result is scaled so that a point
    source keeps its value.

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
    regularisation : float
        Weight of the size of the susceptibility.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    References
    ----------
    Bilgic et al., J Magn Reson Imaging 2014;40:181, doi:10.1002/jmri.24365.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    inverse = dipole * dipole
    inverse += np.float32(regularisation)
    np.divide(dipole, inverse, out=inverse)
    dipole *= inverse
    inverse *= np.float32(1 / spectral_mean(dipole, frame.shape))
    spectrum = forward(frame.cut(local_field, field_mask))
    spectrum *= inverse
    whole = frame.paste(backward(spectrum, frame.shape))
    whole[field_mask == 0] = 0
    return whole
