"""HEIDI: what the field shows well is kept, the rest filled in where tissue is homogeneous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.conjugate_gradients import fit_dipole
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.gradient_duals import pull_duals, raise_duals
from napari_qsm_stroke.core.numerics.magnitude_edges import combined_magnitude, steps_that_cost
from napari_qsm_stroke.core.numerics.total_variation import difference_power
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    Magnitude,
    Susceptibility,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]

PADDING = 8
OUTSIDE = 0.1
GRADIENT_PENALTY = 100.0
FIRST_TOLERANCE = 1e-3
SMALL_DIPOLE = 0.03
FIRST_PART = 0.4
KEPT = 1e6
STAGE = "HEIDI"


@method(cite=("10.1016/j.neuroimage.2012.05.067", "10.1145/355984.355989"), memory=15)
def heidi(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    magnitude: Magnitude | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    well: Annotated[float, Interval(gt=0, lt=2 / 3)] = 0.5,
    ill: Annotated[float, Interval(ge=0, lt=2 / 3)] = 0.05,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 5e-4,
    edges: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
    first_steps: Annotated[int, Interval(ge=1, le=100)] = 4,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 60,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-3,
    progress: Progress = silent,
) -> Susceptibility:
    """Keep what the field shows well, and fill in the rest where tissue is homogeneous.

    A few steps of LSQR give the susceptibility at all frequencies, the less surely the smaller
    the dipole is there. Frequencies with a large dipole are kept as they are; those with a small
    one are left open; between them the first solution counts by how well it is conditioned. The
    map with the least total variation under these conditions is taken, and variation costs
    little across edges of the magnitude and of the field: there the tissue changes.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    magnitude : ndarray of shape (X, Y, Z, E), optional
        In any unit; without it edges come from the field alone.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    well : float
        Frequencies with a dipole of at least this size are kept.
    ill : float
        Frequencies with a dipole of at most this size are left open.
    regularisation : float
        Weight of the total variation against the frequencies between, in ppm mm.
    edges : float
        Part of the steps between voxels of the mask, the steepest of the magnitude and as many
        of the field, across which variation costs a tenth.
    first_steps : int
        Steps of LSQR.
    max_iter : int
        Most iterations of the filling.
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
    A step of LSQR costs two pairs of transforms, an iteration of the filling one. Schweser et al.
    fill the transition and the ill-conditioned frequencies one after the other; here both are
    filled by one fit in which the first solution fades out between them.

    References
    ----------
    Schweser et al., NeuroImage 2012;62:2083, doi:10.1016/j.neuroimage.2012.05.067; Paige and
    Saunders, ACM Trans Math Softw 1982;8:43, doi:10.1145/355984.355989.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    level: FloatArray = np.reciprocal(np.abs(dipole) + np.float32(SMALL_DIPOLE))
    spectrum = forward(
        fit_dipole(
            field,
            data_weight(inside, noise),
            dipole * level,
            FIRST_TOLERANCE,
            first_steps,
            part(progress, 0, FIRST_PART),
            STAGE,
        )
    )
    spectrum *= level
    trust = _trust(np.abs(dipole), well, ill, GRADIENT_PENALTY * regularisation)
    costly = steps_that_cost(inside, combined_magnitude(magnitude, frame, inside), edges, step)
    costly &= steps_that_cost(inside, field, edges, step)
    chi = _fill(
        spectrum, trust, costly, step, max_iter, tol, frame.shape, part(progress, FIRST_PART, 1)
    )
    return frame.paste(np.where(inside, chi, np.float32(0)))


def _fill(
    first: NDArray[np.complex64],
    trust: FloatArray,
    costly: ByteArray,
    step: Step,
    max_iter: int,
    tol: float,
    shape: Shape,
    progress: Progress,
) -> FloatArray:
    """Volume of least variation with the spectrum of the first where that is trusted."""
    x, y, z = difference_power(shape, step)
    inverse: FloatArray = x[:, None, None] + y[:, None] + z[: shape[2] // 2 + 1]
    inverse += trust
    np.divide(1, inverse, out=inverse, where=inverse > 0)
    constant = first * trust
    chi = backward(first, shape)
    limits = np.float32(1 / GRADIENT_PENALTY) * np.array([OUTSIDE, 1], np.float32)
    duals = np.zeros((3, *shape), np.float32)
    before, pull = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    for _ in steps(max_iter, progress, STAGE):
        change, size = raise_duals(chi, before, duals, costly, limits, step)
        if change <= tol * size:
            break
        pull_duals(duals, costly, limits, step, pull)
        spectrum = forward(pull)
        spectrum += constant
        spectrum *= inverse
        chi = backward(spectrum, shape)
    progress(1.0, STAGE)
    return chi


def _trust(size: FloatArray, well: float, ill: float, penalty: float) -> FloatArray:
    """Weight of the first solution at each frequency, in units of the penalty of the gradient."""
    share = np.clip((size - np.float32(ill)) / np.float32(max(well - ill, 1e-6)), 0, 1)
    trust = share**2 / np.float32(penalty)
    trust[size >= well] = KEPT
    result: FloatArray = trust.astype(np.float32)
    return result
