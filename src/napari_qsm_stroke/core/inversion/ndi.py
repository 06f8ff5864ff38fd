"""Nonlinear dipole inversion: descent on the misfit of the phase, stopped early."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.conjugate_gradients import convolve
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.phase_misfit import misfit_slope
from napari_qsm_stroke.core.numerics.products import dot, norm
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.physics.phase_scale import radians_per_ppm
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldDirection,
    FieldMask,
    FieldNoise,
    FieldStrength,
    LocalField,
    Susceptibility,
    VoxelSize,
)

PADDING = 8
OUTSIDE = 0.2
"""Sources outside the mask come as if their field were weaker by this."""
STAGE = "Nonlinear dipole inversion"


@method(cite="10.1002/nbm.4271", memory=15)
def ndi(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    regularisation: Annotated[float, Interval(ge=0, le=1)] = 5e-4,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 60,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 0.02,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the phase that the susceptibility makes, and stop before the noise.

    Minimises ``w / s^2 (1 - cos(s (D chi - field))) + regularisation/2 |chi|^2``, where
    ``s`` is the phase that 1 ppm makes by the mean echo time. A voxel that is off by a turn of
    the phase does not pull. Nothing but the early stop and the small penalty holds the streaks
    back. Sources outside the mask come later than those inside.

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
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    regularisation : float
        Weight of the squared size of the susceptibility.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the susceptibility changes by less than this part of itself. Smaller gives veins
        more of their value and the map more streaks.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    Notes
    -----
    Polak et al. take steps of fixed length. Here they are conjugate (Polak and Ribiere), each as
    long as the parabola above the misfit says: a tenth as many do, of two pairs of transforms
    each.

    References
    ----------
    Polak et al., NMR Biomed 2020;33:e4271, doi:10.1002/nbm.4271.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    scale = radians_per_ppm(echo_times, field_strength)
    allowed = np.where(inside, np.float32(1), np.float32(OUTSIDE**2))
    chi, model, direction, last = (np.zeros(frame.shape, np.float32) for _ in range(4))
    slope, before = np.empty(frame.shape, np.float32), 0.0
    for _ in steps(max_iter, progress, STAGE):
        misfit_slope(model, field, weight, scale, slope)
        gradient = convolve(slope, dipole)
        gradient += np.float32(regularisation) * chi
        better = allowed * gradient
        power = dot(gradient, better)
        if power == 0:
            break
        kept = max(0.0, (power - dot(last, better)) / before) if before > 0 else 0.0
        direction *= np.float32(kept)
        direction -= better
        made = convolve(direction, dipole)
        size = dot(direction, direction)
        curvature = dot(made, weight * made) + regularisation * size
        length = -dot(gradient, direction) / curvature
        chi += np.float32(length) * direction
        model += np.float32(length) * made
        last, before = gradient, power
        if abs(length) * norm(direction[inside]) <= tol * norm(chi[inside]):
            break
    progress(1.0, STAGE)
    return frame.paste(np.where(inside, chi, np.float32(0)))
