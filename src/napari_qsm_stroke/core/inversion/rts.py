"""Rapid two-step inversion: what the field shows well, then the rest by total variation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.conjugate_gradients import fit_dipole
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.gradient_duals import pull_duals, raise_duals
from napari_qsm_stroke.core.numerics.total_variation import costly_edges, difference_power
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    Susceptibility,
    VoxelSize,
)

if TYPE_CHECKING:
    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray

PADDING = 8
OUTSIDE = 0.1
GRADIENT_PENALTY = 100.0
FIRST_TOLERANCE = 1e-3
SMALL_DIPOLE = 0.03
FIRST_PART = 0.4
STAGE = "Rapid two-step"


@method(cite=("10.1016/j.neuroimage.2017.11.018", "10.1145/355984.355989"), memory=16.5)
def rts(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    threshold: Annotated[float, Interval(gt=0, lt=2 / 3)] = 0.1,
    first_steps: Annotated[int, Interval(ge=1, le=100)] = 3,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 2e-3,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 60,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-3,
    progress: Progress = silent,
) -> Susceptibility:
    """Take what the field shows well from a few steps of LSQR, and the rest by total variation.

    Frequencies near the magic angle, where the dipole is small, are noise after the first step.
    The second replaces them: it minimises ``1/2 |M (chi - first)|^2 +
    regularisation |grad chi|_1`` by the alternating direction method of multipliers, where ``M``
    keeps the frequencies with a dipole above the threshold. Outside the mask variation costs a
    tenth.

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
    threshold : float
        Frequencies with a dipole of this size or less are filled in.
    first_steps : int
        Steps of LSQR.
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother.
    max_iter : int
        Most iterations of the second step.
    tol : float
        Stop when the susceptibility changes by less than this part of itself.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    Notes
    -----
    A step of LSQR costs two pairs of transforms, an iteration of the second step one. Unlike
    Kames et al. the unknown of the first step is ``(|D| + 0.03) chi``: all frequencies that the
    field shows are then there after two or three steps.

    References
    ----------
    Kames et al., NeuroImage 2018;167:276, doi:10.1016/j.neuroimage.2017.11.018; Paige and
    Saunders, ACM Trans Math Softw 1982;8:43, doi:10.1145/355984.355989.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    first = part(progress, 0, FIRST_PART)
    level: FloatArray = np.reciprocal(np.abs(dipole) + np.float32(SMALL_DIPOLE))
    fitted = fit_dipole(field, weight, dipole * level, FIRST_TOLERANCE, first_steps, first, STAGE)
    spectrum = forward(fitted)
    spectrum *= level
    kept = (np.abs(dipole) > threshold).astype(np.float32)
    kept *= np.float32(1 / (GRADIENT_PENALTY * regularisation))
    inverse = _inverse(kept, frame.shape, step)
    constant = spectrum * kept
    chi = backward(spectrum, frame.shape)
    edges = costly_edges(inside)
    limits = np.float32(1 / GRADIENT_PENALTY) * np.array([OUTSIDE, 1], np.float32)
    duals = np.zeros((3, *frame.shape), np.float32)
    before, pull = np.zeros(frame.shape, np.float32), np.empty(frame.shape, np.float32)
    for _ in steps(max_iter, part(progress, FIRST_PART, 1), STAGE):
        change, size = raise_duals(chi, before, duals, edges, limits, step)
        if change <= tol * size:
            break
        pull_duals(duals, edges, limits, step, pull)
        spectrum = forward(pull)
        spectrum += constant
        spectrum *= inverse
        chi = backward(spectrum, frame.shape)
    progress(1.0, STAGE)
    return frame.paste(np.where(inside, chi, np.float32(0)))


def _inverse(kept: FloatArray, shape: Shape, step: tuple[float, float, float]) -> FloatArray:
    """``1 / (grad'grad + kept)`` on the half grid, zero where both are."""
    x, y, z = difference_power(shape, step)
    inverse: FloatArray = x[:, None, None] + y[:, None] + z[: shape[2] // 2 + 1]
    inverse += kept
    np.divide(1, inverse, out=inverse, where=inverse > 0)
    return inverse
