"""The arterial territories of a subject, brought from the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.masks.bright import bright_on_diffusion
from napari_qsm_stroke.core.masks.morphology import dilate
from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.physics.dephasing import signal_kept
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    ATLAS,
    HEAD_POSITION,
    TERRITORIES,
    Affine,
    Brain,
    Dwi,
    EchoTimes,
    FieldStrength,
    Infarct,
    Magnitude,
    TotalField,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.deformable import bend, positions
from napari_qsm_stroke.register.images import (
    RAS_TO_LPS,
    Image,
    Stage,
    Transform,
    affine_at,
    align,
    centre_of,
    coarser,
    matrix_of,
    resample,
    rigid_at,
    to_array,
    to_image,
)
from napari_qsm_stroke.register.rigid import early_count, early_echoes
from napari_qsm_stroke.register.template import coarse_template, load_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.masks.morphology import Bools, Size
    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

WORKING_MM = 1.5
SMALLEST_BRAIN_ML = 100.0
POSITION_MM = 4.0
SURROUNDINGS_MM = 20.0
LEAST_OVERLAP = 0.9
LEAST_LIKENESS = 0.3
LEAST_KEPT = 0.3
"""Of the signal: where less is left, mostly noise would be put back."""
SHRUNK, MIDDLE_MM = 0.1, 20.0
"""By how much of itself the bending is too small in the middle of the head, and how wide that is.

The smoothing of the displacement takes it at tips that little holds: with it the worst place of the
mid-surface is off by 2.1 instead of 2.2 mm in the mean of five simulated heads with one echo.
"""
TURNING = (Stage(8.0, smoothing=5.0, step=4.0, last_step=0.2),)
NAME = "aligning template"


@method(
    cite=(
        "10.1109/TMI.2003.809072",
        "10.1016/j.neuroimage.2010.07.033",
        "10.1016/j.neuroimage.2008.10.040",
        "10.1006/nimg.2001.0845",
        "10.1002/1522-2594(200009)44:3<358::AID-MRM3>3.0.CO;2-I",
    ),
    revision=6,
)
def warp_territories(
    magnitude: Magnitude,
    brain: Brain,
    dwi_aligned: Dwi | None = None,
    infarct: Infarct | None = None,
    total_field: TotalField | None = None,
    atlas: Annotated[Volume, ATLAS] | None = None,
    *,
    affine: Affine,
    voxel_size: VoxelSize,
    echo_times: EchoTimes | None = None,
    field_strength: FieldStrength | None = None,
    progress: Progress = silent,
    finest: Annotated[float, Interval(ge=2, le=6), Unit("mm")] = 3.0,
    margin: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 6.0,
    stiffness: Annotated[float, Interval(ge=4, le=40), Unit("mm")] = 10.0,
) -> tuple[Annotated[Volume, TERRITORIES], Annotated[Volume, HEAD_POSITION]]:
    """Fit the template's brain to the subject's and carry its territories over.

    A rigid, then an affine alignment by mutual information of the images within the brain, then a
    smooth bending, all without the lesion. Every voxel of the brain gets a label; where the
    template does not reach it is that of the nearest. The template is symmetric: its mid-plane,
    bent along, is the subject's own mid-sagittal surface.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        The first half of the echoes is used.
    brain : ndarray of uint8, shape (X, Y, Z)
    dwi_aligned : ndarray of float32, shape (X, Y, Z), optional
        What is bright on it is left out of the comparison.
    infarct : ndarray of uint8, shape (X, Y, Z), optional
        The same, where there is no DWI.
    total_field : ndarray of float32, shape (X, Y, Z), optional
        Tells the signal that is lost at the skull base, which is put back: the dark there looks
        like a fissure.
    atlas : Volume, optional
        Labels of ``core.quantities.LABELS`` in the space of the template (MNI, 2009); the built-in
        map where none is given.
    affine : ndarray of shape (4, 4)
        Of the magnitude.
    voxel_size : tuple of float
        In mm.
    echo_times : tuple of float, optional
        In s.
    field_strength : float, optional
        In T.
    progress : Progress
        May raise ``Cancelled``.
    finest : float
        Voxel size of the last stages.
    margin : float
        The images are compared in the brain and this far around it.
    stiffness : float
        The larger, the smoother the template is bent: each step over this length, all of it over a
        quarter.

    Returns
    -------
    territories : Volume
        Labels of ``core.quantities.LABELS``.
    head_position : Volume
        Coordinates in the template on a coarse grid: says what lies opposite each other.

    Raises
    ------
    InputError
        Too little of a brain to be aligned.

    Notes
    -----
    Sources of the built-in map's borders: ``core.masks.atlas``. Template: Fonov et al. 2011.
    Metric: Mattes et al. 2003. Bending: Vercauteren et al. 2009. The lesion left out: Brett et al.
    2001. Lost signal: Fernandez-Seara and Wehrli 2000. A subject's real territories differ by
    centimetres: look, and correct.
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
    template = coarse_template()
    shown = early_echoes(magnitude)
    if total_field is not None and echo_times and field_strength:
        times = echo_times[: early_count(len(echo_times))]
        shown = _put_back(shown, total_field, inside, times, field_strength)
    head = _working_grid(shown, inside, dwi_aligned, infarct, affine)
    here = part(progress, 0, 0.5)
    start = _align(head, template, finest, margin, here)
    transform, likeness = bend(
        head.image,
        head.inside,
        head.lesion,
        head.affine,
        head.voxel_size,
        template,
        start,
        finest=finest,
        stiffness=stiffness,
        progress=part(progress, 0.5, 0.9),
    )
    # bent, the template covers anything: whether this is a brain shows before
    quality = _judge(head, start, likeness, template)
    grid = to_image(inside, affine)
    labels = (
        to_image(load_template().territories, load_template().affine)
        if atlas is None
        else to_image(atlas.data, atlas.grid.affine)
    )
    carried = resample(labels, grid, transform, "nearest")
    filled = _fill(carried, inside, voxel_size)
    across = _across(template)
    filled = _sides(filled, _bent(resample(across, grid, transform), resample(across, grid, start)))
    territories = Volume(filled, Grid(inside.shape, affine), "", "territories", quality)
    return territories, _position(transform, start, grid)


@dataclass(frozen=True, eq=False)
class _Head:
    """What the template is fitted to, on a grid no finer than is needed for it."""

    image: FloatArray
    inside: Bools
    lesion: Bools
    affine: NDArray[np.float64]
    voxel_size: Size


def _put_back(
    shown: FloatArray,
    field: FloatArray,
    inside: Bools,
    echo_times: Sequence[float],
    field_strength: float,
) -> FloatArray:
    """Brightness with what the field's gradient took from it."""
    known = inside & np.isfinite(field) & (field != 0)
    kept = signal_kept(field, known, echo_times, field_strength)
    return np.asarray(shown / np.maximum(kept, LEAST_KEPT), dtype=np.float32)


def _working_grid(
    shown: FloatArray,
    inside: Bools,
    dwi: FloatArray | None,
    infarct: ByteArray | None,
    affine: NDArray[np.float64],
) -> _Head:
    def brought(data: NDArray[Any], smooth: bool = True) -> Image:
        return coarser(to_image(data, affine), WORKING_MM, smooth)

    image = brought(shown)
    x, y, z = (float(s) for s in image.GetSpacing())
    brain = to_array(brought(inside, smooth=False)) > 0.5
    lesion = np.zeros_like(brain)
    if dwi is not None:
        lesion = bright_on_diffusion(to_array(brought(dwi)), brain, (x, y, z))
    elif infarct is not None:
        covered = to_array(brought(infarct != 0, smooth=False)) > 0
        lesion = brain & dilate(covered, WORKING_MM, (x, y, z))  # smoothing took it that far
    healthy = _without(lesion, to_array(image), brain, (x, y, z))
    return _Head(healthy, brain, lesion, _affine_of(image), (x, y, z))


def _without(lesion: Bools, image: FloatArray, inside: Bools, voxel_size: Size) -> FloatArray:
    """Image with the brightness of its surroundings in the lesion.

    A mask alone does not leave it out: images are smoothed before they are compared, and the
    lesion would reach beyond its mask.
    """
    if not lesion.any():
        return image
    around = smooth_inside(image, inside & ~lesion, SURROUNDINGS_MM, voxel_size)
    return np.where(lesion, around, image).astype(np.float32)


def _align(
    head: _Head, template: HeadTemplate, finest: float, margin: float, progress: Progress
) -> Transform:
    fixed = to_image(np.where(head.inside, head.image, 0), head.affine)
    moving = to_image(template.t1, template.affine)
    around = dilate(head.inside, margin, head.voxel_size) & ~head.lesion
    middle = centre_of(to_image(head.inside, head.affine))
    shift = centre_of(to_image(template.brain, template.affine)) - middle
    mask = to_image(around, head.affine)
    # free to shear from the first step on, one head in twenty shrank to a slab
    turned = align(
        fixed, moving, (rigid_at(middle, shift),), TURNING, mask, part(progress, 0, 0.3), NAME
    )
    start = affine_at(middle, matrix_of(turned))
    spacing = max(4.0, finest)
    stages = (
        Stage(spacing, smoothing=3.0, step=1.5, last_step=0.05),
        Stage(spacing, smoothing=2.0, step=0.5),
    )
    return align(fixed, moving, (start,), stages, mask, part(progress, 0.3, 1), NAME)


def _judge(head: _Head, transform: Transform, likeness: float, template: HeadTemplate) -> Quality:
    """How well the two brains cover each other before bending, and how alike they are after it."""
    grid = to_image(head.inside, head.affine)
    there = resample(to_image(template.brain, template.affine), grid, transform) > 0.5
    both = int((there & head.inside).sum())
    overlap = 2 * both / max(int(there.sum()) + int(head.inside.sum()), 1)
    figures = {"template_overlap": round(overlap, 4), "template_likeness": round(likeness, 4)}
    if overlap >= LEAST_OVERLAP and likeness >= LEAST_LIKENESS:
        return Quality(figures)
    return Quality(
        figures,
        f"The arterial territories may lie wrongly: the template covers {100 * overlap:.0f} % of "
        f"the brain with a likeness of {likeness:.2f}. Check the brain mask and the borders.",
    )


def _across(template: HeadTemplate) -> Image:
    """Image of the distance to the right of the template's mid-plane in mm."""
    place = template.affine[0, 0] * np.arange(template.brain.shape[0]) + template.affine[0, 3]
    wide = np.broadcast_to(place[:, None, None], template.brain.shape)
    return to_image(wide, template.affine)


def _bent(across: FloatArray, unbent: FloatArray) -> FloatArray:
    """Distance across the mid-surface in mm, with what the smoothing took from the bending."""
    middle = np.exp(-0.5 * (across / MIDDLE_MM) ** 2)
    more = SHRUNK * middle * (across - unbent)
    return np.where(across == 0, 0, across + more).astype(np.float32)


def _sides(labels: ByteArray, across: FloatArray) -> ByteArray:
    """Labels whose side is that of the mid-plane, also where they come from a neighbour.

    Atlases are a few mm off it here and there. Beyond the template's grid ``across`` is 0.
    """
    left = np.where(across == 0, labels % 2 == 1, across < 0)
    return np.where(labels > 0, (labels + 1) // 2 * 2 - left, 0).astype(np.uint8)


def _position(transform: Transform, start: Transform, grid: Image) -> Volume:
    """Template coordinates (RAS) on a coarse grid."""
    coarse = coarser(grid, POSITION_MM, smooth=False)
    place, unbent = (
        positions(t, coarse) @ RAS_TO_LPS.astype(np.float32) for t in (transform, start)
    )
    place[..., 0] = _bent(place[..., 0], unbent[..., 0])
    return Volume(place, Grid(place.shape[:3], _affine_of(coarse)), "mm", "place in the template")


def _affine_of(image: Image) -> NDArray[np.float64]:
    """Voxel index to scanner coordinates (RAS) in mm."""
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = RAS_TO_LPS @ direction
    affine[:3, 3] = RAS_TO_LPS @ np.array(image.GetOrigin())
    return affine


def _fill(carried: FloatArray, inside: Bools, voxel_size: Size) -> ByteArray:
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
