"""iLSQR: least squares, then the streaks are estimated and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.conjugate_gradients import (
    convolve,
    fit_dipole,
    solve_symmetric,
)
from napari_qsm_stroke.core.numerics.diffusion import add_diffusion
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.total_variation import costly_edges
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    Susceptibility,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

PADDING = 8
OUTSIDE = 0.1
"""Weight of squared slopes outside the mask."""
SOURCES_OUTSIDE = 0.25
"""Sources outside the mask come as if their field were weaker by this."""
SMOOTH, EDGE = 0.70, 0.90
"""Slopes up to the first quantile are no edges, those from the second on are."""
FIRST_PART = 0.7
STAGE = "iLSQR"


@method(cite=("10.1016/j.neuroimage.2014.12.043", "10.1145/355984.355989"), memory=17)
def ilsqr(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    threshold: Annotated[float, Interval(gt=0, lt=2 / 3)] = 0.1,
    first_steps: Annotated[int, Interval(ge=1, le=1000)] = 20,
    first_tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-3,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 30,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 0.05,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the field by least squares, and take away the streaks that explain its small slopes.

    LSQR finds a susceptibility, most of it in the mask. Streaks are made of frequencies with a
    small dipole; those are sought which, taken away, leave the least slopes where a map of few
    streaks, the susceptibility weakened by the size of the dipole, has no edges.

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
        Streaks are sought among frequencies with a dipole below this.
    first_steps : int
        Most steps of LSQR.
    first_tol : float
        LSQR stops when its gradient is below this part of the first.
    max_iter : int
        Most iterations for the streaks.
    tol : float
        Stop when the residual of the equations of the streaks is below this part of the first.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    Notes
    -----
    A step of LSQR costs two pairs of transforms, an iteration for the streaks one. Unlike in Li
    et al. the data are weighted by the noise of the field, and the map of few streaks is made
    without averaging in k-space.

    References
    ----------
    Li et al., NeuroImage 2015;108:111, doi:10.1016/j.neuroimage.2014.12.043; Paige and Saunders,
    ACM Trans Math Softw 1982;8:43, doi:10.1145/355984.355989.
    """
    frame = Frame.around(field_mask, (PADDING,) * 3)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    first, second = part(progress, 0, FIRST_PART), part(progress, FIRST_PART, 1)
    support = np.where(inside, np.float32(1), np.float32(SOURCES_OUTSIDE))
    chi = fit_dipole(field, weight, dipole, first_tol, first_steps, first, STAGE, support=support)
    size = np.abs(dipole)
    coupling = _smoothness(convolve(chi, size), inside, voxel_size)
    ill = (size < threshold).astype(np.float32)

    def streaks_of_slopes(x: FloatArray) -> FloatArray:
        slopes = np.zeros_like(x)
        add_diffusion(x, coupling, slopes)
        return convolve(slopes, ill)

    chi -= solve_symmetric(streaks_of_slopes, streaks_of_slopes(chi), tol, max_iter, second, STAGE)
    progress(1.0, STAGE)
    return frame.paste(np.where(inside, chi, np.float32(0)))


def _smoothness(
    fast: FloatArray, inside: NDArray[np.bool_], voxel_size: tuple[float, float, float]
) -> FloatArray:
    """Weight of each squared difference: 1/mm2 where there is no edge, 0 at edges, less outside."""
    coupling = np.empty((3, *fast.shape), np.float32)
    bits = costly_edges(inside)
    for axis, d in enumerate(voxel_size):
        slope = np.abs(np.roll(fast, -1, axis) - fast)
        both = (bits & np.uint8(1 << axis)) != 0
        coupling[axis] = np.float32(OUTSIDE)
        if both.any():
            low, high = (np.float32(q) for q in np.quantile(slope[both], (SMOOTH, EDGE)))
            if high > low:
                flat = np.clip((high - slope[both]) / (high - low), 0, 1)
                coupling[axis][both] = flat * flat
            else:
                coupling[axis][both] = 1
        coupling[axis] /= np.float32(d * d)
    return coupling
