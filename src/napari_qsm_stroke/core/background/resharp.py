"""RESHARP: spherical means of one radius, undone by regularised least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.background.ball_filter import BallFilter
from napari_qsm_stroke.core.background.brain_box import BrainBox, Rim, radius_of_ball
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.flexible_gradients import solve_preconditioned
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/mrm.24765", linear=True, memory=14, revision=2)
def resharp(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 6.0,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 1e-2,
    rim: Rim = "extended",
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Find the smallest local field that has the spherical means of the total field.

    Minimises ``|M C (local - total)|^2 + regularisation |local|^2``, where C takes from a field
    its means over a ball and M keeps the voxels about which the ball fits into the brain.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm.
    brain : ndarray of shape (X, Y, Z)
        Where the total field is known.
    voxel_size : tuple of float
        In mm.
    radius : float
        Of the ball, at least one voxel along each axis.
    regularisation : float
        Weight of the size of the local field against that of its misfit: a number, whatever the
        field strength. Larger loses more of what is smooth in the local field.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the residual is below this part of the filtered total field.
    rim : str
        Nearer to the edge than the radius no ball fits. "extended": the background goes on there
        as the harmonic function that joins what is known with the field just outside the brain.
        "lost": these voxels are left out of the field mask.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    local_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        Where the local field is known.

    Notes
    -----
    The minimum is ``local = C y`` with ``(M C^2 M + regularisation) y = M C total``: an iteration
    of conjugate gradients on y takes one pair of transforms instead of two.

    References
    ----------
    Sun and Wilman, Magn Reson Med 2014;71:1151, doi:10.1002/mrm.24765.
    """
    progress(0.0, "RESHARP")
    radius = radius_of_ball(radius, voxel_size)
    box = BrainBox.of(total_field, brain, voxel_size)
    deep = box.deeper_than(radius)
    sphere = BallFilter(box.frame.shape, radius, voxel_size)
    nearly = sphere.rough_inverse(deep, float(np.sqrt(regularisation)))

    def normal(volume: FloatArray) -> FloatArray:
        result = sphere.apply(volume, times=2)
        result *= deep
        result += np.float32(regularisation) * volume
        return result

    def roughly_invert(volume: FloatArray) -> FloatArray:
        result = nearly(nearly(volume))
        result *= deep
        return result

    filtered = sphere.apply(box.field)
    filtered *= deep
    made = solve_preconditioned(
        normal, roughly_invert, filtered, tol, max_iter, part(progress, 0.0, 0.9), "RESHARP"
    )
    result = box.finish(sphere.apply(made), deep, rim)
    progress(1.0, "RESHARP")
    return result
