"""Noise of a susceptibility map from the noise of the field."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.inversion.tikhonov import tikhonov
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    SusceptibilityNoise,
    VoxelSize,
)

PADDING = 8


@method(cite="10.1002/mrm.22135", memory=5)
def susceptibility_noise(
    field_noise: FieldNoise,
    field_mask: FieldMask,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    inversion: Literal["tikhonov", "tkd"] = "tikhonov",
    threshold: Annotated[float, Interval(gt=0, le=2 / 3)] = 0.15,
    regularisation: Annotated[float, Interval(gt=0, le=10)] = 0.01,
) -> SusceptibilityNoise:
    """Carry the noise of the field through a linear inversion, in closed form.

    Each voxel of the map is a weighted sum of the field, with weights that are the response of the
    inversion to one voxel. Its variance is the sum of the variances of the field, which are
    independent, with the squares of the weights: a convolution. Inversions with a penalty on
    variation have no closed form; their noise in even tissue is lower. What the background step
    does to the noise is left out.

    Parameters
    ----------
    field_noise : ndarray of shape (X, Y, Z)
        Standard deviation of the field in ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the field is known.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    inversion : {"tikhonov", "tkd"}
        Which one.
    threshold : float
        Of ``tkd``.
    regularisation : float
        Of ``tikhonov``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        Standard deviation of the susceptibility in ppm; zero outside the field mask.

    References
    ----------
    Noise of k-space division: Shmueli et al., Magn Reson Med 2009;62:1510,
    doi:10.1002/mrm.22135.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    point = np.zeros(frame.shape, np.float32)
    middle = tuple(n // 2 for n in frame.shape)
    point[middle] = 1
    whole = np.ones(frame.shape, np.uint8)
    if inversion == "tkd":
        response = tkd(point, whole, voxel_size=voxel_size, b0_dir=b0_dir, threshold=threshold)
    else:
        response = tikhonov(
            point, whole, voxel_size=voxel_size, b0_dir=b0_dir, regularisation=regularisation
        )
    squares = np.roll(response * response, [-m for m in middle], (0, 1, 2))
    variance = frame.cut(field_noise, field_mask)
    variance *= variance
    spectrum = forward(variance)
    spectrum *= forward(squares)
    variance = backward(spectrum, frame.shape)
    noise = frame.paste(np.sqrt(np.maximum(variance, 0, out=variance)))
    noise[field_mask == 0] = 0
    return noise
