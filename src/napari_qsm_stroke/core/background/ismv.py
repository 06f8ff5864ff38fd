"""iSMV: the background field as the one that spherical means leave as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

from napari_qsm_stroke.core.background.ball_filter import BallFilter
from napari_qsm_stroke.core.background.brain_box import BrainBox, Rim, radius_of_ball
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.flexible_gradients import solve_preconditioned
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/mrm.24998", linear=True, memory=12, revision=2)
def ismv(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 6.0,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 1e-3,
    rim: Rim = "extended",
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Find the background that equals its own spherical means, and the total field in the rim.

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
    max_iter : int
        Most iterations.
    tol : float
        Stop when spherical means change the background by less than this part of what they change
        the total field by.
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
    Wen et al. take spherical means again and again, some hundred times. The same fixed point is
    reached here by conjugate gradients in a few iterations, each of one pair of transforms.

    References
    ----------
    Wen et al., Magn Reson Med 2014;72:1065, doi:10.1002/mrm.24998.
    """
    progress(0.0, "iSMV")
    radius = radius_of_ball(radius, voxel_size)
    box = BrainBox.of(total_field, brain, voxel_size)
    deep = box.deeper_than(radius)
    sphere = BallFilter(box.frame.shape, radius, voxel_size)

    def changed(volume: FloatArray) -> FloatArray:
        result = sphere.apply(volume)
        result *= deep
        return result

    local = solve_preconditioned(
        changed,
        sphere.rough_inverse(deep),
        changed(box.field),
        tol,
        max_iter,
        part(progress, 0.0, 0.9),
        "iSMV",
    )
    result = box.finish(local, deep, rim)
    progress(1.0, "iSMV")
    return result
