"""The template's brain bent to fit the subject's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.masks.morphology import erode
from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.register.images import (
    IDENTITY,
    Image,
    Transform,
    coarser,
    one_thread,
    resample,
    sitk,
    smoothed,
    to_array,
    to_image,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.masks.morphology import Bools, Size
    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import FloatArray

BIAS_MM = 12.0
"""Brightness is taken relative to its mean over so much: coils are brighter near by."""
TISSUE_DEPTH_MM = 6.0
"""How deep in the brain the brightness of the tissues is read."""
CLEAR_FLUID = 0.25
"""Relative difference of fluid to tissue from which on it is told apart wholly."""
LEVELS = ((8.0, 90), (6.0, 60), (4.0, 60))
"""Voxel size in mm and iterations of all stages but the last."""
LAST_ITERATIONS = 30
PASSES = 3
"""Of each stage; what is left out is filled anew before each."""


def bend(
    image: FloatArray,
    brain: Bools,
    left_out: Bools,
    affine: NDArray[np.float64],
    voxel_size: Size,
    template: HeadTemplate,
    start: Transform,
    *,
    finest: float,
    stiffness: float,
    progress: Progress = silent,
) -> tuple[Transform, float]:
    """Bend the template's brain until it fits.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
        Gradient echo.
    brain : ndarray of bool, shape (X, Y, Z)
        Of the subject.
    left_out : ndarray of bool, shape (X, Y, Z)
        Where the image says nothing of the anatomy: the lesion.
    affine : ndarray of shape (4, 4)
        Of ``image``.
    voxel_size : tuple of float
        In mm.
    template : HeadTemplate
        Is bent.
    start : Transform
        From the subject to the template, the best affine one.
    finest : float
        Voxel size of the last stage in mm.
    stiffness : float
        Standard deviation in mm of the smoothing of each step; a quarter of it is that of the
        whole displacement.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    transform : Transform
        From the subject to the template.
    likeness : float
        Correlation of image and bent template in the brain.

    Notes
    -----
    The template is given the contrast of the image: a mix of its tissue maps by least squares, anew
    before each stage, as it is told better the better the two fit. Both are taken relative to their
    own slow variation, so that neither a coil nor a hole where the lesion is looks like a shift.
    Fluid counts as what is outside: masks of the brain hold more or less of it around the stem.
    Then diffeomorphic demons: Vercauteren et al., NeuroImage 2009;45:S61,
    doi:10.1016/j.neuroimage.2008.10.040. They know no mask: the lesion is filled with the bent
    template, which exerts no force there, and its surroundings carry it along (cost-function
    masking: Brett et al., NeuroImage 2001;14:486, doi:10.1006/nimg.2001.0845).
    """
    told = brain & ~left_out
    flat = _flat(image, told, brain, voxel_size)
    placed = _Placed.of(template, start, to_image(flat, affine), left_out, voxel_size)
    hole = to_image(left_out, affine)
    inner = erode(told, TISSUE_DEPTH_MM, voxel_size)
    inner = inner if inner.any() else told
    field: Image | None = None
    bent = IDENTITY
    levels = (*(level for level in LEVELS if level[0] > finest), (finest, LAST_ITERATIONS))
    for index, (spacing, iterations) in enumerate(levels):
        alike, dark = placed.alike(flat, inner, bent)
        fixed = to_image(flat - dark * brain, affine)
        moving = to_image(alike - dark * placed.covered, affine)
        grid = coarser(smoothed(fixed, 1.0), spacing)
        there = sitk.Resample(
            smoothed(moving, 1.5), grid, IDENTITY, sitk.sitkLinear, 0.0, sitk.sitkFloat32
        )
        empty = coarser(hole, spacing, smooth=False) > 0.5
        for turn in range(PASSES):
            progress((index + turn / PASSES) / len(levels), "bending template")
            field = _demons(grid, there, empty, field, iterations // PASSES, stiffness)
        bent = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    seen = erode(told, voxel_size[0], voxel_size)
    pair = to_array(fixed)[seen], resample(moving, fixed, bent)[seen]
    likeness = float(np.corrcoef(*pair)[0, 1]) if min(np.ptp(v) for v in pair) > 0 else 0.0
    return sitk.CompositeTransform([start, bent]), likeness


@dataclass(frozen=True, eq=False)
class _Placed:
    """The template where the affine alignment puts it, on the grid of the image."""

    tissues: tuple[Image, ...]
    covered: Bools
    """Its brain."""
    told: Bools
    """The same without the lesion."""
    voxel_size: Size

    @classmethod
    def of(
        cls,
        template: HeadTemplate,
        start: Transform,
        fixed: Image,
        left_out: Bools,
        voxel_size: Size,
    ) -> _Placed:
        """Bring the template's grey matter, white matter and fluid to the grid of ``fixed``."""
        fluid = np.clip(template.brain - template.gm - template.wm, 0, 1)
        tissues = [
            sitk.Resample(to_image(t, template.affine), fixed, start)
            for t in (template.gm, template.wm, fluid)
        ]
        covered = resample(to_image(template.brain, template.affine), fixed, start) > 0.5
        return cls(tuple(tissues), covered, covered & ~left_out, voxel_size)

    def alike(
        self, flat: FloatArray, inner: Bools, bent: Transform
    ) -> tuple[FloatArray, np.float32]:
        """The template in the contrast of the image: as its tissues look in ``inner`` when bent.

        And the brightness that is to count as nothing: that of fluid, where it is told from tissue.
        """
        parts = [resample(t, t, bent)[inner] for t in self.tissues]
        weights = np.linalg.lstsq(np.stack(parts, axis=1), flat[inner], rcond=None)[0]
        mixed = np.tensordot(weights, [to_array(t) for t in self.tissues], 1)
        told_apart = min(abs(1 - float(weights[2])) / CLEAR_FLUID, 1.0)
        dark = np.float32(told_apart * weights[2])
        return _flat(mixed, self.told, self.covered, self.voxel_size), dark


def _demons(
    fixed: Image,
    moving: Image,
    empty: Image,
    field: Image | None,
    iterations: int,
    stiffness: float,
) -> Image:
    """One pass; ``field`` is that of the pass before, on any grid."""
    if field is None:
        field = sitk.Image(fixed.GetSize(), sitk.sitkVectorFloat64, 3)
        field.CopyInformation(fixed)
    else:
        field = sitk.Resample(field, fixed, IDENTITY, sitk.sitkLinear, 0.0, sitk.sitkVectorFloat64)
    here = sitk.DisplacementFieldTransform(sitk.Image(field))
    filling = sitk.Resample(moving, fixed, here, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    filled = sitk.Mask(fixed, empty, 0.0, 1) + sitk.Mask(filling, empty)
    demons = sitk.DiffeomorphicDemonsRegistrationFilter()
    demons.SetNumberOfIterations(max(1, iterations))
    # steps that are smooth need less smoothing of their sum, which pulls it back where the images
    # say little
    demons.SetSmoothUpdateField(True)
    demons.SetUpdateFieldStandardDeviations([stiffness / s for s in fixed.GetSpacing()])
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations([stiffness / 4 / s for s in fixed.GetSpacing()])
    with one_thread():
        return demons.Execute(filled, moving, field)


def _flat(image: FloatArray, told: Bools, brain: Bools, voxel_size: Size) -> FloatArray:
    """Brightness of the brain relative to its slow variation; 0 outside."""
    near = smooth_inside(image, told, BIAS_MM, voxel_size)
    floor = 0.2 * float(np.median(near[brain])) or 1.0
    return np.where(brain, image / np.maximum(near, floor), 0).astype(np.float32)


def positions(transform: Transform, grid: Image) -> FloatArray:
    """LPS coordinates to which a transform takes the voxels of a grid, shape (X, Y, Z, 3)."""
    to_field = sitk.TransformToDisplacementFieldFilter()
    to_field.SetReferenceImage(grid)
    shift = sitk.GetArrayFromImage(to_field.Execute(transform))
    index = np.indices(grid.GetSize()).reshape(3, -1).T * np.array(grid.GetSpacing())
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    place = (index @ direction.T + np.array(grid.GetOrigin())).reshape(*grid.GetSize(), 3)
    return np.asarray(place + shift.transpose(2, 1, 0, 3), dtype=np.float32)
