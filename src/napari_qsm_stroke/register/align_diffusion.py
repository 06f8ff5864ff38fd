"""Diffusion images brought to the grid of the gradient echo."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.masks.morphology import dilate
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    ADC,
    B0_IMAGE,
    DWI,
    Adc,
    Affine,
    Brain,
    Dwi,
    Magnitude,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.images import (
    Image,
    Stage,
    align,
    centre_of,
    resample,
    rigid_at,
    to_image,
)


@method(cite=("10.1109/TMI.2003.809072",))
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
    finest: Annotated[float, Interval(ge=1, le=6), Unit("mm")] = 2.5,
    margin: Annotated[float, Interval(ge=0, le=30), Unit("mm")] = 6.0,
) -> tuple[Dwi, Adc | None]:
    """Align the diffusion images rigidly with the gradient echo by mutual information.

    The b0 image, which shows no infarct, is aligned where there is one, else the DWI; DWI and ADC
    follow. It starts from the scanner coordinates of both.

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
    dwi_aligned : ndarray of float32, shape (X, Y, Z)
    adc_aligned : ndarray of float32 or None
        mm2/s; None where no ADC was given.

    Raises
    ------
    InputError
        The diffusion image is empty or does not reach into the brain.

    Notes
    -----
    Mattes et al., IEEE Trans Med Imaging 2003;22:120, doi:10.1109/TMI.2003.809072. Runs on one
    thread without random sampling: the result repeats exactly.
    """
    early = magnitude[..., : (magnitude.shape[3] + 1) // 2].mean(axis=3)
    fixed = to_image(early, affine)
    moving = volume_image(b0 if b0 is not None else dwi)
    around = to_image(dilate(brain != 0, margin, voxel_size), affine)
    centre = centre_of(around)
    starts = (rigid_at(centre), rigid_at(centre, centre_of(moving) - centre))
    stages = (
        Stage(max(6.0, finest), smoothing=4.0, step=4.0),
        Stage(max(3.0, finest), smoothing=2.0, step=1.0),
        Stage(finest, smoothing=1.0, step=0.3, iterations=50),
    )
    transform = align(fixed, moving, starts, stages, around, part(progress, 0, 0.9), "aligning DWI")
    aligned = resample(volume_image(dwi), fixed, transform)
    if not aligned[brain != 0].any():
        raise InputError(
            "dwi", "it does not overlap with the brain.", "Give a DWI of the same examination."
        )
    return aligned, None if adc is None else resample(volume_image(adc), fixed, transform)


def volume_image(volume: Volume) -> Image:
    """Return a volume as an image; values that are not finite become 0."""
    data = volume.data if volume.data.ndim == 3 else volume.data[..., 0]
    return to_image(np.nan_to_num(data, posinf=0, neginf=0), volume.grid.affine)
