"""Total variation by ADMM."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.fourier import backward_packed, forward_packed
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.total_variation import (
    costly_edges,
    descend,
    difference_power,
    solve_spectrum,
    step_duals,
)
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    Susceptibility,
    VoxelSize,
)

PADDING = 8
GRADIENT_PENALTY = 100.0
FIELD_PENALTY = 0.3
OUTSIDE = 0.1


@method(cite=("10.1002/mrm.25029", "10.1016/j.neuroimage.2012.05.049"))
def tv(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-3,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the field with the susceptibility of least total variation.

    Minimises ``1/2 |w (D chi - field)|^2 + regularisation |grad chi|_1`` by the alternating
    direction method of multipliers. The weight ``w`` is 1 but where the field noise is unusually
    high, and 0 outside the mask. Outside, variation costs a tenth: what the background step left
    over or took too much is harmonic in the brain, and sources out there explain it.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother and takes contrast from veins.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the susceptibility changes by less than this part of itself.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    References
    ----------
    Bilgic et al., Magn Reson Med 2014;72:1444, doi:10.1002/mrm.25029 (splitting of the
    variation); Liu et al., NeuroImage 2012;59:2560, doi:10.1016/j.neuroimage.2011.08.082.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    powers = difference_power(frame.shape, step)
    penalties = (GRADIENT_PENALTY * regularisation, FIELD_PENALTY, 0.0)
    limits = np.float32(1 / GRADIENT_PENALTY) * np.array([OUTSIDE, 1], np.float32)
    edges = costly_edges(inside)
    packed = np.zeros(frame.shape, np.complex64)
    packed.real = field
    gradient = np.zeros((3, *frame.shape), np.float32)
    dual, before = np.zeros(frame.shape, np.float32), np.zeros(frame.shape, np.float32)
    for _ in steps(max_iter, progress, "Total variation"):
        spectrum = forward_packed(packed)
        solve_spectrum(spectrum, dipole, *powers, penalties)
        packed = backward_packed(spectrum)
        change, size = step_duals(packed, before, gradient, edges, limits, step)
        if change <= tol * size:
            break
        descend(packed, gradient, dual, dual, field, weight, edges, limits, step, penalties)
    progress(1.0, "Total variation")
    return frame.paste(np.where(inside, before, np.float32(0)))
