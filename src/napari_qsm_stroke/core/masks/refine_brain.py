"""A brain mask without the places where the phase cannot be trusted."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    box_around,
    close,
    depth,
    dilate,
    erode,
    fill_holes,
    largest,
)
from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import Brain, PhaseQuality, VoxelSize

REFERENCE_DEPTH_MM = 10.0
MARGIN = 6  # voxels


@method(cite=("10.1002/mrm.28563", "10.1002/mrm.29048"), memory=8)
def refine_brain(
    brain: Brain,
    phase_quality: PhaseQuality,
    *,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    level: Annotated[float, Interval(ge=0, lt=1)] = 0.65,
    smoothing: Annotated[float, Interval(ge=0, le=5), Unit("mm")] = 1.0,
    reach: Annotated[float, Interval(ge=0, le=60), Unit("mm")] = 20.0,
    thinnest: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 3.0,
    closing: Annotated[float, Interval(ge=0, le=15), Unit("mm")] = 3.0,
) -> Brain:
    """Cut off the rim and the skull base where the phase is unreliable.

    Only what hangs together with the outside is cut, and only where it is thicker than a vein:
    cortical veins have a poor phase as well, and are what this study looks for.

    Parameters
    ----------
    brain : ndarray of uint8, shape (X, Y, Z)
        Brain by its magnitude.
    phase_quality : ndarray of float32, shape (X, Y, Z)
        Reliability of the phase; any scale.
    voxel_size : tuple of float
        In mm.
    progress : Progress
        May raise ``Cancelled``.
    level : float
        Quality, relative to the median deep in the brain, below which a place is unreliable. 0
        leaves the mask as it is.
    smoothing : float
        Standard deviation of the smoothing of the quality within the mask.
    reach : float
        How deep from the surface anything is cut.
    thinnest : float
        Unreliable places thinner than this are kept.
    closing : float
        Notches narrower than twice this are filled again where the first mask was.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)

    Notes
    -----
    Masks by phase quality, filled where vessels make holes: Stewart et al., Magn Reson Med
    2022;87:1289, doi:10.1002/mrm.29048; the quality is that of ROMEO, doi:10.1002/mrm.28563.
    """
    whole = brain != 0
    if level == 0 or not whole.any():
        return np.asarray(whole, dtype=np.uint8)
    box = box_around(whole, MARGIN)
    inside = whole[box]
    inward = depth(inside, voxel_size)
    progress(0.3, "phase quality")
    quality = smooth_inside(np.nan_to_num(phase_quality[box]), inside, smoothing, voxel_size)
    core = inward > min(REFERENCE_DEPTH_MM, 0.5 * float(inward.max()))
    poor = inside & (quality < level * np.median(quality[core])) & (inward <= reach)
    progress(0.5, "cutting the rim")
    radius = thinnest / 2
    solid = _touching_border(erode(poor | ~inside, radius, voxel_size))
    cut = dilate(solid, radius, voxel_size) & inside
    kept = inside & ~cut
    core = largest(erode(kept, radius, voxel_size))
    kept &= dilate(core, radius + max(voxel_size), voxel_size)
    kept = fill_holes(close(kept, closing, voxel_size) & inside)
    result = np.zeros(brain.shape, np.uint8)
    result[box] = kept
    return result


def _touching_border(mask: Bools) -> Bools:
    """Parts of the mask that reach the border of the array."""
    labels, _ = ndimage.label(np.pad(mask, 1, constant_values=True))
    return np.asarray(labels == labels[0, 0, 0])[1:-1, 1:-1, 1:-1]
