"""V-SHARP: the background field by spherical means of many radii."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.background.brain_box import BrainBox, Rim, radius_of_ball
from napari_qsm_stroke.core.background.spherical_means import (
    NOWHERE,
    largest_ball,
    less_means,
    undo,
)
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.physics.sphere import mean_value_kernel
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray


@method(
    cite=("10.1016/j.neuroimage.2010.10.070", "10.1002/mrm.23000"),
    linear=True,
    revision=3,
    memory=6.6,
)
def vsharp(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    max_radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 12.0,
    min_radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 4.0,
    radius_step: Annotated[float, Interval(gt=0, le=20), Unit("mm")] = 1.0,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.05,
    rim: Rim = "extended",
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Take from each voxel the mean over the largest ball that fits, then undo the filter.

    The background field is harmonic in the brain, so that its mean over a ball is its value at
    the centre. The filter also weakens the local field; a truncated division in k-space by the
    filter of the largest ball brings it back.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm.
    brain : ndarray of shape (X, Y, Z)
        Where the total field is known.
    voxel_size : tuple of float
        In mm.
    max_radius : float
        Radius of the ball used deep in the brain.
    min_radius : float
        Radius of the smallest ball, at least one voxel along each axis.
    radius_step : float
        Difference between one radius and the next.
    threshold : float
        Frequencies that the filter keeps by less than this are left out.
    rim : str
        Nearer to the edge than the smallest radius no ball fits. "extended": the background goes
        on there as the harmonic function that joins what is known with the field just outside the
        brain.
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
    Small balls take most of the local field and tell little of the background: with the rim
    extended, a smallest radius of 4 mm keeps more of the field of cortical veins than 1 mm does.

    References
    ----------
    Schweser et al., NeuroImage 2011;54:2789, doi:10.1016/j.neuroimage.2010.10.070;
    Wu et al., Magn Reson Med 2012;67:137, doi:10.1002/mrm.23000.
    """
    radii = _radii(brain, max_radius, min_radius, radius_step, voxel_size)
    margin = millimetres(max(radii, default=0.0), voxel_size)
    box = BrainBox.of(total_field, brain, voxel_size, margin)
    index = largest_ball(box.room(max(radii, default=0.0)), radii)
    known = np.zeros(box.frame.shape, bool)
    known[box.frame.core] = index != NOWHERE
    local = box.field
    if known.any():
        ball = mean_value_kernel(box.frame.shape, radii[int(index.min())], voxel_size)
        local = less_means(
            box.field, index, radii, box.frame, voxel_size, ball, part(progress, 0.0, 0.7)
        )
        local = undo(local, np.subtract(1, ball, out=ball), threshold)
    progress(0.9, "V-SHARP")
    result = box.finish(local, known, rim)
    progress(1.0, "V-SHARP")
    return result


def _radii(
    brain: ByteArray,
    largest: float,
    smallest: float,
    step: float,
    voxel_size: tuple[float, float, float],
) -> list[float]:
    """Radii in mm from the largest that can fit down."""
    box = Frame.around(brain).box
    fit = min((s.stop - s.start) * d / 2 for s, d in zip(box, voxel_size, strict=True))
    smallest = radius_of_ball(smallest, voxel_size)
    return [float(r) for r in np.arange(min(largest, fit), smallest - 1e-6, -step)]
