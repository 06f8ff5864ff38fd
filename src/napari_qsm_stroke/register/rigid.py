"""Rigid alignment of two images of one head, and whether to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.core.masks.morphology import dilate
from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.images import (
    RAS_TO_LPS,
    Image,
    Stage,
    Transform,
    align,
    centre_of,
    matrix_of,
    resample,
    rigid_at,
    to_image,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.masks.morphology import Bools, Size

CHECK = Stage(4.0, smoothing=1.5, step=1.0, last_step=0.05, iterations=40)
"""How parts of the brain are aligned by themselves."""
MOST_DISAGREEMENT_MM = 3.0
LEAST_COVERAGE = 0.85
DARK, BLUR_MM = 0.25, 4.0
"""Where an image, smoothed within the brain, is darker than this part of its 75th percentile, it
shows no brain."""


def align_rigid(
    fixed: NDArray[np.float32],
    brain: Bools,
    affine: NDArray[np.float64],
    voxel_size: Size,
    moving: Image,
    *,
    finest: float,
    margin: float,
    name: str,
    progress: Progress = silent,
) -> tuple[Transform, Quality]:
    """Align an image rigidly with another of the same head.

    Parameters
    ----------
    fixed : ndarray of shape (X, Y, Z)
        The image that stays.
    brain : ndarray of bool, shape (X, Y, Z)
        Where the two are compared.
    affine : ndarray of shape (4, 4)
        Of ``fixed``.
    voxel_size : tuple of float
        In mm.
    moving : Image
        In any contrast.
    finest : float
        Voxel size of the last stage in mm.
    margin : float
        How far around the brain the two are compared, in mm.
    name : str
        Of the moving image, for messages.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    transform : Transform
        From fixed to moving.
    quality : Quality
        ``disagreement_mm``: how far apart the alignments of the two halves of the brain, front and
        back or lower and upper, put the brain; the larger of the two. ``coverage``: part of the
        brain that the moving image shows. There is a doubt where one of them is poor.

    Raises
    ------
    InputError
        The images do not overlap, or one of them is empty.

    Notes
    -----
    A rigid transform that is right is right for each half of the brain; a wrong one (another
    patient, a mirrored image, a local optimum, no brain at all) is another one in each half.
    """
    image = to_image(fixed, affine)
    around = to_image(dilate(brain, margin, voxel_size), affine)
    centre = centre_of(to_image(brain, affine))
    starts = (rigid_at(centre), rigid_at(centre, centre_of(moving) - centre))
    stages = (
        Stage(max(8.0, finest), smoothing=4.0, step=6.0, last_step=0.3, iterations=60),
        Stage(max(4.0, finest), smoothing=2.0, step=2.0, last_step=0.05),
        Stage(finest, smoothing=1.0, step=0.5),
    )
    what = f"aligning {name}"
    transform = align(image, moving, starts, stages, around, part(progress, 0, 0.6), what)
    covered = _coverage(resample(moving, image, transform), brain, voxel_size)
    if covered == 0:
        raise InputError(name, "it does not overlap with the brain.", "Give one of the same head.")
    apart = _disagreement(
        image, moving, transform, brain, affine, voxel_size, margin, part(progress, 0.6, 1), what
    )
    figures = {"coverage": round(covered, 4)}
    if np.isfinite(apart):
        figures["disagreement_mm"] = round(apart, 3)
    return transform, Quality(figures, _doubt(name, apart, covered))


def early_count(echoes: int) -> int:
    """How many echoes are the first half, the middle one with it."""
    return (echoes + 1) // 2


def early_echoes(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the first half of the echoes: little signal is lost there."""
    mean: NDArray[np.float32] = magnitude[..., : early_count(magnitude.shape[3])].mean(axis=3)
    return mean


def placed(transform: Transform, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Affine that puts an image, as it is, where a rigid transform from fixed finds it."""
    flip = np.diag([*np.diag(RAS_TO_LPS), 1.0])
    return np.asarray(flip @ matrix_of(transform.GetInverse()) @ flip @ affine)


def _coverage(shown: NDArray[np.float32], brain: Bools, voxel_size: Size) -> float:
    """Part of the brain where an image has signal; fluid and vessels count with what is around."""
    smooth = smooth_inside(shown, brain, BLUR_MM, voxel_size)[brain]
    bright = float(np.percentile(smooth, 75)) if smooth.size else 0.0
    bright = bright or float(smooth.max(initial=0))
    return float((smooth > DARK * bright).mean()) if bright > 0 else 0.0


def _disagreement(
    image: Image,
    moving: Image,
    transform: Transform,
    brain: Bools,
    affine: NDArray[np.float64],
    voxel_size: Size,
    margin: float,
    progress: Progress,
    name: str,
) -> float:
    """Mean distance in mm between where two halves of the brain put all of it."""
    index = np.argwhere(brain)
    some = index[:: max(1, len(index) // 2000)]
    points = (some @ affine[:3, :3].T + affine[:3, 3]) @ RAS_TO_LPS
    worst = 0.0
    for number, axis in enumerate((1, 2)):
        middle = int(np.median(index[:, axis]))
        places = []
        for half, cut in enumerate((slice(None, middle + 1), slice(middle + 1, None))):
            own = np.zeros_like(brain)
            box = tuple(cut if i == axis else slice(None) for i in range(3))
            own[box] = brain[box]
            mask = to_image(dilate(own, margin, voxel_size), affine)
            here = part(progress, (2 * number + half) / 4, (2 * number + half + 1) / 4)
            try:
                found = align(image, moving, (transform,), (CHECK,), mask, here, name)
            except InputError:  # half of the brain is not there
                return float("inf")
            places.append(np.array([found.TransformPoint(p.tolist()) for p in points]))
        worst = max(worst, float(np.linalg.norm(places[0] - places[1], axis=1).mean()))
    return worst


def _doubt(name: str, apart: float, coverage: float) -> str:
    if coverage < LEAST_COVERAGE:
        return (
            f"{name} shows only {100 * coverage:.0f} % of the brain: what lies beyond it is not "
            "seen. Check where it ends."
        )
    if apart > MOST_DISAGREEMENT_MM:
        how = f"disagree by {apart:.0f} mm" if np.isfinite(apart) else "do not fit at all"
        return (
            f"{name} may be aligned wrongly: parts of the brain {how}. Compare its outlines with "
            "the gradient echo; check that both are of one patient and none is mirrored."
        )
    return ""
