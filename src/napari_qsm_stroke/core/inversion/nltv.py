"""Total variation with a nonlinear data term and edges from the magnitude."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.fourier import backward_packed, forward_packed
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.magnitude_edges import combined_magnitude, steps_that_cost
from napari_qsm_stroke.core.numerics.mask_rows import MaskRows
from napari_qsm_stroke.core.numerics.phase_variation import descend_phase
from napari_qsm_stroke.core.numerics.total_variation import (
    difference_power,
    step_duals,
)
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_axes
from napari_qsm_stroke.core.physics.dipole_solver import solve_spectrum
from napari_qsm_stroke.core.physics.phase_scale import radians_per_ppm
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldDirection,
    FieldMask,
    FieldNoise,
    FieldStrength,
    LocalField,
    Magnitude,
    Susceptibility,
    VoxelSize,
)

PADDING = 8
GRADIENT_PENALTY = 100.0
FIELD_PENALTY = 0.3
CHEAP = 0.4
"""What variation costs outside the mask and across edges, relative to elsewhere."""
RELAXATION = 1.7
STAGE = "Nonlinear total variation"


@method(cite=("10.1002/mrm.27073", "10.1002/mrm.25029"), memory=14)
def nltv(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    magnitude: Magnitude | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    edge_fraction: Annotated[float, Interval(ge=0, le=0.9)] = 0.2,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 0.01,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the phase with the susceptibility of least total variation.

    Minimises ``w / s^2 (1 - cos(s (D chi - field))) + regularisation |m grad chi|_1`` by the
    alternating direction method of multipliers, where ``s`` is the phase that 1 ppm makes by the
    mean echo time: a voxel that is off by a turn does not pull. ``m`` is 1 but across edges of
    the magnitude and outside the mask, where it is 0.4.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    magnitude : ndarray of shape (X, Y, Z, E), optional
        In any unit; variation costs the same all over the mask without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother and takes contrast from veins.
    edge_fraction : float
        Part of the steps between voxels that count as edges of the magnitude.
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
    Milovic et al., Magn Reson Med 2018;80:814, doi:10.1002/mrm.27073; Bilgic et al., Magn Reson
    Med 2014;72:1444, doi:10.1002/mrm.25029 (splitting of the variation).
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    axes = dipole_axes(frame.shape, voxel_size, b0_dir)
    powers = difference_power(frame.shape, step)
    penalties = (GRADIENT_PENALTY * regularisation, FIELD_PENALTY, 0.0)
    limits = np.float32(1 / GRADIENT_PENALTY) * np.array([CHEAP, 1], np.float32)
    image = combined_magnitude(magnitude, frame, inside)
    edges = steps_that_cost(inside, image, edge_fraction, step)
    scale = radians_per_ppm(echo_times, field_strength)
    packed = field.astype(np.complex64)
    duals, fitted = np.zeros((3, *frame.shape), np.float32), field.copy()
    dual, rows = np.zeros(frame.shape, np.float32), MaskRows.of(inside)
    before = rows.zeros()
    for _ in steps(max_iter, progress, STAGE):
        spectrum = forward_packed(packed)
        solve_spectrum(spectrum, axes, *powers, penalties)
        packed = backward_packed(spectrum)
        change, size = step_duals(
            packed, before, rows.spans, duals, edges, limits, step, RELAXATION
        )
        if change <= tol * size:
            break
        data = (fitted, dual, field, weight)
        descend_phase(packed, duals, *data, edges, limits, step, penalties, scale, RELAXATION)
    progress(1.0, STAGE)
    return frame.paste(np.where(inside, rows.unpack(before), np.float32(0)))
