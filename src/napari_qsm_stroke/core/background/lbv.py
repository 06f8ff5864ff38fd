"""LBV: the background field as the harmonic function with the field's values at the boundary."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.multigrid import Poisson, negative_laplacian
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import Brain, FieldMask, LocalField, TotalField, VoxelSize


@method(cite="10.1002/nbm.3064", linear=True)
def lbv(
    total_field: TotalField,
    brain: Brain,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 50,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-4,
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Solve Laplace's equation in the brain and take its solution from the total field.

    The background field is harmonic in the brain and is taken to be the total field on the
    outermost layer of voxels, so that the local field is zero there. No voxel is lost. What is
    taken too much is a harmonic function; ``tv`` gives it back by sources outside the brain.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm.
    brain : ndarray of shape (X, Y, Z)
        Where the total field is known.
    voxel_size : tuple of float
        In mm.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the residual is below this part of the Laplacian of the field.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    local_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        The brain.

    References
    ----------
    Zhou et al., NMR Biomed 2014;27:312, doi:10.1002/nbm.3064.
    """
    frame = Frame.around(brain)
    field = frame.cut(total_field, brain)
    inside = frame.cut(brain, dtype=np.uint8) != 0
    deep = ndimage.binary_erosion(inside)
    source = negative_laplacian(field, deep, voxel_size)
    local = Poisson(deep, voxel_size).solve(source, tol, max_iter, progress)
    return frame.paste(local), frame.paste(inside.astype(np.uint8))
