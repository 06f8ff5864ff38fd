"""The arterial territories of a subject, brought from the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.masks.morphology import dilate
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import Affine, Brain, Magnitude, Territories, VoxelSize
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.images import (
    Stage,
    Transform,
    affine_at,
    align,
    centre_of,
    resample,
    to_image,
)
from napari_qsm_stroke.register.template import load_template

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

SMALLEST_BRAIN_ML = 100.0


@method(cite=("10.1109/TMI.2003.809072", "10.1016/j.neuroimage.2010.07.033"))
def warp_territories(
    magnitude: Magnitude,
    brain: Brain,
    *,
    affine: Affine,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    finest: Annotated[float, Interval(ge=2, le=6), Unit("mm")] = 3.0,
    margin: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 6.0,
) -> Territories:
    """Align the template's brain with the subject's and carry its territories over.

    An affine alignment by mutual information of the images within the brain. Every voxel of the
    brain gets a label; where the template does not reach it is that of the nearest.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        The first half of the echoes is used.
    brain : ndarray of uint8, shape (X, Y, Z)
    affine : ndarray of shape (4, 4)
        Of the magnitude.
    voxel_size : tuple of float
        In mm.
    progress : Progress
        May raise ``Cancelled``.
    finest : float
        Voxel size of the last stage of the alignment.
    margin : float
        The images are compared in the brain and this far around it.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        Labels of ``core.quantities.LABELS``.

    Raises
    ------
    InputError
        Too little of a brain to be aligned.

    Notes
    -----
    Sources of the map's borders: ``core.masks.atlas``. Template: Fonov et al. 2011. Metric: Mattes
    et al. 2003. A subject's real territories differ by centimetres: look, and correct.
    """
    inside = brain != 0
    volume = float(inside.sum() * np.prod(voxel_size) / 1000)
    if volume < SMALLEST_BRAIN_ML:
        raise InputError(
            "brain",
            f"{volume:.0f} ml are too little to be aligned with a whole brain, "
            f"which takes at least {SMALLEST_BRAIN_ML:.0f} ml.",
            "Load the territories as a file, or correct the brain mask.",
        )
    template = load_template()
    transform = _align(magnitude, inside, affine, voxel_size, template, finest, margin, progress)
    labels = to_image(template.territories, template.affine)
    carried = resample(labels, to_image(inside, affine), transform, "nearest")
    return _fill(carried, inside, voxel_size)


def _align(
    magnitude: FloatArray,
    inside: NDArray[np.bool_],
    affine: NDArray[np.float64],
    voxel_size: tuple[float, float, float],
    template: HeadTemplate,
    finest: float,
    margin: float,
    progress: Progress,
) -> Transform:
    early = magnitude[..., : (magnitude.shape[3] + 1) // 2].mean(axis=3)
    fixed = to_image(np.where(inside, early, 0), affine)
    moving = to_image(template.t1, template.affine)
    around = to_image(dilate(inside, margin, voxel_size), affine)
    middle = centre_of(to_image(inside, affine))
    start = np.eye(4)
    start[:3, 3] = centre_of(to_image(template.brain, template.affine)) - middle
    stages = (
        Stage(8.0, smoothing=5.0, step=4.0),
        Stage(max(4.0, finest), smoothing=3.0, step=1.5),
        Stage(finest, smoothing=2.0, step=0.5, iterations=60),
    )
    starts = (affine_at(middle, start),)
    return align(fixed, moving, starts, stages, around, part(progress, 0, 0.9), "aligning template")


def _fill(
    carried: FloatArray, inside: NDArray[np.bool_], voxel_size: tuple[float, float, float]
) -> ByteArray:
    """Give each voxel of the brain that has no label that of the nearest with one."""
    labels = np.where(inside, np.round(carried), 0).astype(np.uint8)
    if not labels.any():
        raise InputError("brain", "the template could not be aligned.", "Load the territories.")
    x, y, z = ndimage.find_objects(inside.astype(np.int8))[0]
    box = labels[x, y, z]
    nearest = ndimage.distance_transform_edt(
        box == 0, sampling=voxel_size, return_distances=False, return_indices=True
    )
    labels[x, y, z] = np.where(inside[x, y, z], box[tuple(nearest)], 0)
    return labels
