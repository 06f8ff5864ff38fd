"""The infarct core in a diffusion-weighted image, a day to three after the stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.masks.lesion import LesionRules, find_lesion
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.midplane import midsagittal_plane
from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    ADC_PLACED,
    DWI_PLACED,
    HEAD_POSITION,
    INFARCT,
    INFARCT_NATIVE,
    Affine,
    Brain,
    Territories,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.images import IDENTITY, Image, resample, to_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray


@method(cite=("10.1161/STROKEAHA.110.610618",), revision=5)
def infarct_dwi(
    dwi_placed: Annotated[Volume, DWI_PLACED],
    brain: Brain,
    territories: Territories,
    adc_placed: Annotated[Volume, ADC_PLACED] | None = None,
    head_position: Annotated[Volume, HEAD_POSITION] | None = None,
    *,
    affine: Affine,
    progress: Progress = silent,
    seed_score: Annotated[float, Interval(gt=0, le=20)] = 4.0,
    growth: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
    adc_weight: Annotated[float, Interval(ge=0, le=2)] = 0.5,
    smoothing: Annotated[float, Interval(ge=0, le=5), Unit("mm")] = 1.0,
    mirror_smoothing: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 3.0,
    bridge: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 4.0,
    closing: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 3.0,
    blood_closing: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 13.0,
    smallest_part: Annotated[float, Interval(ge=0, le=10), Unit("ml")] = 0.3,
) -> tuple[Annotated[Volume, INFARCT], Annotated[Volume, INFARCT_NATIVE]]:
    """Propose the infarct: bright on DWI against the brain and against the other side.

    It is found on the DWI's own grid, where its volume is measured, and then carried to the
    gradient echo. The score of a voxel is the smaller of two deviations, each in robust standard
    deviations: that of its DWI from the brain's median, and that of the ratio to its mirror place.
    A lowered ADC adds to it, a raised one takes away; no absolute value of the ADC decides, since
    it is normal again in many cores at 24 to 72 hours. What holds a sure seed in the territory of
    a middle cerebral artery is kept, on one side.

    Parameters
    ----------
    dwi_placed : Volume
        As taken, in place.
    brain : ndarray of uint8, shape (X, Y, Z)
    territories : ndarray of uint8, shape (X, Y, Z)
        Give the side, and where to look.
    adc_placed : Volume, optional
        In mm2/s.
    head_position : Volume, optional
        Says what lies opposite each other; else the plane between left and right territories does.
    affine : ndarray of shape (4, 4)
        Of brain and territories.
    progress : Progress
        May raise ``Cancelled``.
    seed_score : float
        Score that a place must reach to start a lesion, in robust standard deviations.
    growth : float
        A lesion reaches out to this fraction of the median asymmetry of its seed.
    adc_weight : float
        Weight of the ADC's deviation from the mirror place; 0 leaves it out.
    smoothing, mirror_smoothing : float
        Standard deviation of the smoothing of an image and of its mirror image.
    bridge : float
        What is thinner than this is no lesion and joins none.
    closing : float
        Gaps narrower than twice this are closed, and holes filled.
    blood_closing : float
        Gaps narrower than twice this that are darker than the other side are blood, and closed too.
    smallest_part : float
        Parts below this volume are dropped.

    Returns
    -------
    infarct : Volume
        On the grid of the gradient echo. Empty where nothing stands out.
    infarct_native : Volume
        On the grid of the DWI.

    Raises
    ------
    InputError
        The territories show no left and right.

    Notes
    -----
    DWI lesions outlast those of the ADC: Campbell et al., Stroke 2012;43:91; here the DWI leads.
    """
    rules = LesionRules(
        seed_score,
        growth,
        adc_weight,
        smoothing,
        mirror_smoothing,
        bridge,
        closing,
        blood_closing,
        smallest_part,
    )
    grid = dwi_placed.grid
    dwi = dwi_placed.data
    target = to_image(dwi, grid.affine)
    found, depth = find_lesion(
        dwi,
        (_brought(brain, affine, target) > 0.5).astype(np.uint8),
        np.round(_brought(territories, affine, target, labels=True)).astype(np.uint8),
        None if adc_placed is None else _adc(adc_placed, grid, target),
        _head(head_position, territories, affine),
        voxel_size=grid.voxel_size,
        affine=grid.affine,
        rules=rules,
        progress=progress,
    )
    # beyond the scan's own grid it is zero, which is no lesion either
    carried = resample(to_image(depth, grid.affine), to_image(brain, affine), IDENTITY) > 0
    infarct = (carried & (brain != 0)).astype(np.uint8)
    quality = dwi_placed.quality
    return (
        Volume(infarct, Grid(brain.shape, affine), "", "infarct", quality),
        Volume(found, grid, "", "infarct on DWI", quality),
    )


def _brought(
    mask: ByteArray, affine: NDArray[np.float64], target: Image, labels: bool = False
) -> FloatArray:
    return resample(to_image(mask, affine), target, IDENTITY, "nearest" if labels else "linear")


def _adc(adc: Volume, grid: Grid, target: Image) -> FloatArray:
    """ADC on the grid of the DWI; most often it lies there already."""
    if adc.grid == grid:
        return adc.data
    return resample(to_image(adc.data, adc.grid.affine), target, IDENTITY)


def _head(
    position: Volume | None, territories: ByteArray, affine: NDArray[np.float64]
) -> HeadCoordinates:
    if position is not None:
        return HeadCoordinates(position.data, position.grid.affine)
    plane = midsagittal_plane(territories, affine)
    if plane is None:
        raise InputError(
            "territories", "they show no left and right.", "Give territories of both sides."
        )
    return HeadCoordinates.of_plane(plane)
