"""SHARP: the background field by spherical means of one radius."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from napari_qsm_stroke.core.background.ball_filter import BallFilter
from napari_qsm_stroke.core.background.brain_box import BrainBox, Rim, radius_of_ball
from napari_qsm_stroke.core.background.spherical_means import undo
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.frame import millimetres
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize


@method(cite="10.1016/j.neuroimage.2010.10.070", linear=True, memory=8.6, revision=2)
def sharp(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 6.0,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.05,
    rim: Rim = "extended",
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Take from each voxel the mean over a ball about it, then undo that filter in k-space.

    The background field is harmonic in the brain, so that its mean over a ball is its value at
    the centre. A truncated division gives back what the filter takes from the local field.

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
    threshold : float
        Frequencies that the filter keeps by less than this are left out.
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

    References
    ----------
    Schweser et al., NeuroImage 2011;54:2789, doi:10.1016/j.neuroimage.2010.10.070.
    """
    progress(0.0, "SHARP")
    radius = radius_of_ball(radius, voxel_size)
    box = BrainBox.of(total_field, brain, voxel_size, millimetres(radius, voxel_size))
    deep = box.deeper_than(radius)
    sphere = BallFilter(box.frame.shape, radius, voxel_size)
    filtered = sphere.apply(box.field)
    filtered *= deep
    progress(0.4, "SHARP")
    local = undo(filtered, sphere.kernel, threshold)
    progress(0.7, "SHARP")
    result = box.finish(local, deep, rim)
    progress(1.0, "SHARP")
    return result
