"""T1-weighted and FLAIR images brought to the gradient echo."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    FLAIR,
    FLAIR_ALIGNED,
    T1W,
    T1W_ALIGNED,
    Affine,
    Brain,
    Magnitude,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.align_diffusion import volume_image
from napari_qsm_stroke.register.images import resample, to_image
from napari_qsm_stroke.register.rigid import align_rigid, early_echoes


@method(cite=("10.1109/TMI.2003.809072",))
def align_anatomy(
    magnitude: Magnitude,
    brain: Brain,
    t1w: Annotated[Volume, T1W] | None = None,
    flair: Annotated[Volume, FLAIR] | None = None,
    *,
    affine: Affine,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    finest: Annotated[float, Interval(ge=1, le=6), Unit("mm")] = 3.0,
    margin: Annotated[float, Interval(ge=0, le=30), Unit("mm")] = 6.0,
) -> tuple[Annotated[Volume, T1W_ALIGNED] | None, Annotated[Volume, FLAIR_ALIGNED] | None]:
    """Align T1-weighted and FLAIR images rigidly with the gradient echo by mutual information.

    Each is aligned by itself, starting from the scanner coordinates. Halves of the brain are
    aligned again by themselves: where they disagree, the alignment is doubtful.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        Gradient echo; the first half of its echoes is used.
    brain : ndarray of uint8, shape (X, Y, Z)
        On the grid of the magnitude.
    t1w, flair : Volume, optional
        Each on a grid of its own; at least one of them.
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
    t1w_aligned, flair_aligned : Volume or None
        On the grid of the magnitude; None where the image was not given.

    Raises
    ------
    InputError
        Neither was given, or one is empty or does not reach into the brain.

    Notes
    -----
    Mattes et al., IEEE Trans Med Imaging 2003;22:120, doi:10.1109/TMI.2003.809072.
    """
    if t1w is None and flair is None:
        raise InputError("T1 and FLAIR", "neither is in the case.", "Give one of them.")
    early, inside = early_echoes(magnitude), brain != 0
    fixed, grid = to_image(early, affine), Grid(brain.shape, affine)

    def aligned(volume: Volume | None, name: str, here: Progress) -> Volume | None:
        if volume is None:
            return None
        moving = volume_image(volume)
        transform, quality = align_rigid(
            early,
            inside,
            affine,
            voxel_size,
            moving,
            finest=finest,
            margin=margin,
            name=name,
            progress=here,
        )
        data = resample(moving, fixed, transform)
        return Volume(data, grid, volume.unit, volume.source, quality)

    half = 0.0 if t1w is None else 1.0 if flair is None else 0.5
    return (
        aligned(t1w, "T1", part(progress, 0, half)),
        aligned(flair, "FLAIR", part(progress, half, 1)),
    )
