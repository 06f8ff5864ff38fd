"""V-SHARP: the background field by spherical means of many radii."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.distance import distance_to
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.physics.sphere import mean_value_kernel
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_qsm_stroke.core.quantities import FloatArray

TOUCHING = 1e-3
"""A voxel at the rim of a ball is in it, whatever is rounded; in mm."""


@method(cite=("10.1016/j.neuroimage.2010.10.070", "10.1002/mrm.23000"), linear=True)
def vsharp(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    max_radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 12.0,
    min_radius: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 1.0,
    radius_step: Annotated[float, Interval(gt=0, le=20), Unit("mm")] = 1.0,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.05,
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
        Radius of the smallest ball, at least one voxel along each axis; voxels nearer to the edge
        are lost.
    radius_step : float
        Difference between one radius and the next.
    threshold : float
        Frequencies that the filter keeps by less than this are left out.
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
    Schweser et al., NeuroImage 2011;54:2789, doi:10.1016/j.neuroimage.2010.10.070;
    Wu et al., Magn Reson Med 2012;67:137, doi:10.1002/mrm.23000.
    """
    box = Frame.around(brain).box
    largest_fit = min((s.stop - s.start) * d / 2 for s, d in zip(box, voxel_size, strict=True))
    radii = _radii(min(max_radius, largest_fit), min_radius, radius_step, voxel_size)
    frame = Frame.around(brain, millimetres(max(radii, default=0.0), voxel_size))
    field = frame.cut(total_field, brain)
    room = _room(frame.cut(brain, brain), voxel_size)
    spectrum = forward(field)
    filtered = np.zeros(frame.shape, np.float32)
    known = np.zeros(frame.shape, bool)
    largest = None
    for index in steps(len(radii), progress, "V-SHARP"):
        kernel = mean_value_kernel(frame.shape, radii[index], voxel_size)
        new = (room > radii[index] + TOUCHING) & ~known
        if new.any():
            largest = kernel if largest is None else largest
            means = backward(spectrum * kernel, frame.shape)
            np.copyto(filtered, field - means, where=new)
            known |= new
    if largest is None:
        return frame.paste(filtered), frame.paste(known.astype(np.uint8))
    inverse = 1 - largest
    np.divide(1, inverse, out=inverse, where=np.abs(inverse) > threshold)
    inverse[np.abs(1 - largest) <= threshold] = 0
    local = backward(forward(filtered) * inverse, frame.shape) * known
    return frame.paste(local), frame.paste(known.astype(np.uint8))


def _radii(
    largest: float, smallest: float, step: float, voxel_size: Sequence[float]
) -> list[float]:
    """Radii in mm from the largest down."""
    # a ball within one slice has no neighbours in the others: no spherical mean
    smallest = max(smallest, *voxel_size)
    return [float(r) for r in np.arange(largest, smallest - 1e-6, -step)]


def _room(inside: FloatArray, voxel_size: tuple[float, float, float]) -> FloatArray:
    """Distance in mm of each voxel to the nearest one outside: a smaller ball fits."""
    padded = np.pad(inside == 0, 1, constant_values=True)
    room: FloatArray = distance_to(padded, voxel_size)[1:-1, 1:-1, 1:-1]
    return room
