"""Veins in a susceptibility map, by shape and local contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from scipy.spatial import cKDTree

from napari_qsm_stroke.core.masks.masses import STREAK, masses, room, touching
from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    Size,
    box_around,
    dilate,
    without_small_parts,
)
from napari_qsm_stroke.core.masks.signal_loss import without_signal_loss
from napari_qsm_stroke.core.masks.smoothing import extended, smooth
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.rank import opening
from napari_qsm_stroke.core.numerics.regularisation import MAD_TO_SD
from napari_qsm_stroke.core.numerics.shared_contrast import shared_contrast
from napari_qsm_stroke.core.numerics.tube_fit import fit_tubes
from napari_qsm_stroke.core.numerics.tubes import ridges, tube_response
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import (
    Excluded,
    FieldMask,
    FieldNoise,
    Infarct,
    Susceptibility,
    Veins,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.tube_fit import TubeFit
    from napari_qsm_stroke.core.quantities import FloatArray

TEXTURE_QUANTILES = (0.5, 0.75)
MARGIN = 2  # voxels, for the derivatives
PIECE_MM = 4.0
"""Blood may change within a few mm: longer pieces mix it."""
USUAL_SDS = 2.5
"""What lies beside a vein is within so many robust standard deviations of the median."""
MIDDLE_QUANTILE = 0.75
"""Of the contrast of what the filter follows: in the middle of most veins."""


@method(
    cite=("10.1016/S1361-8415(98)80009-1", "10.1007/BFb0056195", "10.3389/fnins.2017.00089"),
    memory=12,
    revision=8,
)
def vein_filter(
    susceptibility: Susceptibility,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    infarct: Infarct | None = None,
    *,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    smallest_scale: Annotated[float, Interval(gt=0, le=3), Unit("mm")] = 0.5,
    largest_scale: Annotated[float, Interval(gt=0, le=5), Unit("mm")] = 1.2,
    widest_radius: Annotated[float, Interval(gt=0.5, le=10), Unit("mm")] = 2.5,
    sensitivity: Annotated[float, Interval(gt=0, le=200)] = 15.0,
    connection: Annotated[float, Interval(gt=0, le=1)] = 0.7,
    extent: Annotated[float, Interval(gt=0, lt=1)] = 0.22,
    mass_level: Annotated[float, Interval(gt=0, le=10)] = 0.45,
    margin: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 2.0,
    streaks: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 2.5,
    smallest_part: Annotated[float, Interval(ge=0, le=1000), Unit("mm3")] = 6.0,
) -> tuple[Veins, Excluded]:
    """Find bright tubes, however faint, and every voxel that their blood fills in part.

    What is wider than a vein (nuclei, sinuses, haemorrhage, slow variation) is taken off by a
    grey-value opening. Tubes are told by the second curvature at several scales, against the
    texture of the same map: the ridges of the filter's response, nearly all of them texture, tell
    how strong texture gets. Cylinders fitted to the tubes then tell how bright the blood is that
    fills them, apart from how much of a voxel it fills. Last, a voxel belongs to a vein where its
    contrast exceeds a part of that of the blood close by.

    No value of susceptibility decides anything, and the width that a vein is given depends
    neither on how strong nor on how wide it is: veins of low susceptibility, and thin ones, come
    out like the others. A threshold on susceptibility, or on the strongest voxel, would keep
    another part of each of them and change the number that is looked for.

    Parameters
    ----------
    susceptibility : ndarray of float32, shape (X, Y, Z)
        In ppm; any factor and any offset give the same veins.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        Where the susceptibility is valid.
    field_noise : ndarray of float32, shape (X, Y, Z), optional
        Tells what is dark in the magnitude. Without it streaks are not told from veins.
    infarct : ndarray of uint8, shape (X, Y, Z), optional
        Blood may be another on the two sides of its border, brighter or darker: veins there tell
        nothing of each other. Without it a vein just inside is told by those outside, and what
        sets the core apart comes out too small.
    voxel_size : tuple of float
        In mm.
    progress : Progress
        May raise ``Cancelled``.
    smallest_scale, largest_scale : float
        Range of the standard deviation of the smoothing, about the radius of the veins.
    widest_radius : float
        What a ball of this radius fits into is no vein.
    sensitivity : float
        How far above the median of the texture a tube must stand out, in differences between its
        upper quartile and its median. Lower finds more.
    connection : float
        Fraction of that level down to which a tube is followed.
    extent : float
        Part of a voxel that blood must fill, told by its contrast over that of the blood close by.
    mass_level : float
        What is wide and this bright, as a fraction of the contrast in the middle of veins, is a
        mass (haemorrhage, nucleus, sinus): no vein is found in it.
    margin : float
        Nor this far around it.
    streaks : float
        Nor this far around one that is brighter than veins, or around a hole of the map.
    smallest_part : float
        Parts below this volume are dropped.

    Returns
    -------
    veins : ndarray of uint8, shape (X, Y, Z)
    excluded : ndarray of uint8, shape (X, Y, Z)
        Labels of ``EXCLUDED``: masses and holes that no vein was sought around, and streaks.

    Notes
    -----
    Line filters on the eigenvalues of the Hessian: Sato et al., Med Image Anal 1998;2:143,
    doi:10.1016/S1361-8415(98)80009-1; Frangi et al. 1998, doi:10.1007/BFb0056195. Cylinders and
    partial volume: after Ward et al., Front Neurosci 2017;11:89, doi:10.3389/fnins.2017.00089.
    """
    inside = field_mask != 0
    veins, excluded = np.zeros(inside.shape, np.uint8), np.zeros(inside.shape, np.uint8)
    if not inside.any():
        return veins, excluded
    box = box_around(inside, MARGIN)
    chi, inside = np.nan_to_num(susceptibility[box]), inside[box]
    whole = extended(chi, inside, 2.0, voxel_size)
    calm = smooth(whole, 0.4 * min(voxel_size), voxel_size)
    contrast = whole - opening(calm, widest_radius, voxel_size)
    progress(0.2, "tubes")
    scales = _scales(smallest_scale, max(largest_scale, smallest_scale))
    tubes = _tubes(contrast, inside, scales, sensitivity, voxel_size, part(progress, 0.2, 0.7))
    found = _connected(tubes, inside, connection)
    del tubes
    if not found.any():
        return veins, excluded
    middle = float(np.quantile(contrast[found], MIDDLE_QUANTILE))
    levels = mass_level * middle, max(mass_level, 1) * middle
    wide = masses(whole, calm, inside, levels, widest_radius, voxel_size)
    free = inside & room(wide, margin, streaks, voxel_size)
    del whole, calm
    progress(0.8, "calibre")
    noise = None if field_noise is None else field_noise[box]
    core = None if infarct is None else infarct[box] != 0
    vein, streak = _filled(found & free, chi, contrast, noise, core, free, extent, voxel_size)
    veins[box] = without_small_parts(vein, smallest_part, voxel_size)
    wide[streak] = STREAK
    excluded[box] = wide
    return veins, excluded


def _filled(
    found: Bools,
    chi: FloatArray,
    contrast: FloatArray,
    noise: FloatArray | None,
    core: Bools | None,
    allowed: Bools,
    extent: float,
    size: Size,
) -> tuple[Bools, Bools]:
    """Voxels in and beside what was found that are filled to more than ``extent`` with blood.

    And those that only seem to be: streaks.
    """
    fit = fit_tubes(chi, found, contrast, allowed, voxel_size=size, piece_length=PIECE_MM)
    if noise is not None:
        fit = fit.without(without_signal_loss(fit, noise, voxel_size=size))
    vein, streak = np.zeros(found.shape, dtype=bool), np.zeros(found.shape, dtype=bool)
    blood = shared_contrast(fit, None if core is None else _within(core, fit, size))
    if not np.isfinite(blood).any():
        return vein, streak
    beside = _usual(fit.cylinders.background)
    near = np.argwhere(dilate(found, 1.01 * max(size), size) & allowed)
    _, point = cKDTree(fit.lines.points).query(near * np.array(size))
    piece, where = fit.lines.piece[point], tuple(near.T)
    filled = chi[where] > beside[piece] + extent * blood[piece]
    vein[where], streak[where] = filled & fit.kept[piece], filled & ~fit.kept[piece]
    return vein, streak


def _usual(background: NDArray[np.float64]) -> NDArray[np.float64]:
    """What lies beside each piece, within what is usual for tissue.

    In the shadow of a haemorrhage the level of a bad fit lies far below: all around it would count
    as filled with blood.
    """
    middle = float(np.nanmedian(background))
    most = USUAL_SDS * MAD_TO_SD * float(np.nanmedian(np.abs(background - middle)))
    known = np.where(np.isfinite(background), background, middle)
    return np.clip(known, middle - most, middle + most)


def _within(region: Bools, fit: TubeFit, size: VoxelSize) -> Bools:
    """Pieces whose middle lies in a region."""
    return np.asarray(region[tuple(np.rint(fit.lines.middles() / size).astype(int).T)])


def _scales(smallest: float, largest: float) -> list[float]:
    count = int(np.ceil(np.log(largest / smallest) / np.log(1.6) - 1e-6)) + 1
    return [float(s) for s in np.geomspace(smallest, largest, count)]


def _tubes(
    contrast: FloatArray,
    inside: Bools,
    scales: list[float],
    sensitivity: float,
    size: Size,
    progress: Progress,
) -> FloatArray:
    """Largest response of all scales to bright tubes, over the level that texture stays below."""
    mask = inside.astype(np.uint8)
    largest = np.zeros(contrast.shape, np.float32)
    for index in steps(len(scales), progress, "tubes"):
        scale = scales[index]
        tubes = tube_response(smooth(contrast, scale, size), mask, scale, size)
        ridge = ridges(tubes)
        if ridge.size == 0:
            continue
        middle, upper = np.quantile(ridge, TEXTURE_QUANTILES)
        level = middle + sensitivity * (upper - middle)
        tubes /= np.float32(max(level, 1e-12))
        np.maximum(largest, tubes, out=largest)
    return largest


def _connected(tubes: FloatArray, inside: Bools, connection: float) -> Bools:
    """All above the lower level that hang together with something above the upper one."""
    return touching((tubes > connection) & inside, (tubes > 1) & inside)
