"""Diffusion images brought to the gradient echo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    ADC,
    ADC_ALIGNED,
    ADC_PLACED,
    B0_IMAGE,
    DWI,
    DWI_ALIGNED,
    DWI_PLACED,
    Affine,
    Brain,
    Magnitude,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.images import Image, Transform, resample, to_image
from napari_qsm_stroke.register.rigid import align_rigid, early_echoes, placed

if TYPE_CHECKING:
    from napari_qsm_stroke.case.quality import Quality


@method(cite=("10.1109/TMI.2003.809072",), revision=2)
def align_diffusion(
    dwi: Annotated[Volume, DWI],
    magnitude: Magnitude,
    brain: Brain,
    b0: Annotated[Volume, B0_IMAGE] | None = None,
    adc: Annotated[Volume, ADC] | None = None,
    *,
    affine: Affine,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    finest: Annotated[float, Interval(ge=1, le=6), Unit("mm")] = 3.0,
    margin: Annotated[float, Interval(ge=0, le=30), Unit("mm")] = 6.0,
) -> tuple[
    Annotated[Volume, DWI_ALIGNED],
    Annotated[Volume, ADC_ALIGNED] | None,
    Annotated[Volume, DWI_PLACED],
    Annotated[Volume, ADC_PLACED] | None,
]:
    """Align the diffusion images rigidly with the gradient echo by mutual information.

    The b0 image, which shows no infarct, is aligned where there is one, else the DWI; DWI and ADC
    follow. It starts from the scanner coordinates of both. Halves of the brain are aligned again
    by themselves: where they disagree, the alignment is doubtful, and the results say so.

    Parameters
    ----------
    dwi : Volume
        Diffusion-weighted image, on a grid of its own.
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        Gradient echo; the first half of its echoes is used.
    brain : ndarray of uint8, shape (X, Y, Z)
        On the grid of the magnitude.
    b0, adc : Volume, optional
        In the same scanner space as ``dwi``.
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
    dwi_aligned, adc_aligned : Volume
        On the grid of the magnitude; ADC in mm2/s, None where none was given.
    dwi_placed, adc_placed : Volume
        The images as they were taken, voxel for voxel, with the affine that puts them in place.

    Raises
    ------
    InputError
        The diffusion image is empty or does not reach into the brain.

    Notes
    -----
    Mattes et al., IEEE Trans Med Imaging 2003;22:120, doi:10.1109/TMI.2003.809072. Runs on one
    thread without random sampling: the result repeats exactly.
    """
    inside = brain != 0
    early = early_echoes(magnitude)
    transform, quality = align_rigid(
        early,
        inside,
        affine,
        voxel_size,
        volume_image(b0 if b0 is not None else dwi),
        finest=finest,
        margin=margin,
        name="DWI",
        progress=progress,
    )
    fixed = to_image(early, affine)
    grid = Grid(inside.shape, affine)
    aligned = _aligned(dwi, fixed, grid, transform, quality)
    if not aligned.data[inside].any():
        raise InputError(
            "dwi", "it does not overlap with the brain.", "Give a DWI of the same examination."
        )
    return (
        aligned,
        None if adc is None else _aligned(adc, fixed, grid, transform, quality),
        _placed(dwi, transform, quality),
        None if adc is None else _placed(adc, transform, quality),
    )


def volume_image(volume: Volume) -> Image:
    """Return a volume as an image; values that are not finite become 0."""
    data = volume.data if volume.data.ndim == 3 else volume.data[..., 0]
    return to_image(np.nan_to_num(data, posinf=0, neginf=0), volume.grid.affine)


def _aligned(
    volume: Volume, fixed: Image, grid: Grid, transform: Transform, quality: Quality
) -> Volume:
    data = resample(volume_image(volume), fixed, transform)
    return Volume(data, grid, volume.unit, volume.source, quality)


def _placed(volume: Volume, transform: Transform, quality: Quality) -> Volume:
    data = volume.data if volume.data.ndim == 3 else volume.data[..., 0]
    grid = Grid(data.shape, placed(transform, volume.grid.affine), volume.grid.stored_as)
    return Volume(np.nan_to_num(data, posinf=0, neginf=0), grid, volume.unit, "", quality)
