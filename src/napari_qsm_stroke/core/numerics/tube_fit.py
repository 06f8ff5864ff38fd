"""Tubes of a mask as cylinders: lines, radius and contrast of each piece, and the level around."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from napari_qsm_stroke.core.numerics.centre_lines import CentreLines, centre_lines
from napari_qsm_stroke.core.numerics.cylinders import (
    Cylinders,
    Near,
    fit_cylinders,
    near_voxels,
    part_filled,
)
from napari_qsm_stroke.core.numerics.distance import within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]
SMALLEST_RADIUS, LARGEST_RADIUS, RADII = 0.25, 3.0, 28
"""Of the cylinders: from a part of the geometric mean of the voxel's sides to this many mm."""
BLURS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Smear of map and lines that is tried, in parts of the geometric mean of the voxel's sides."""
SHORTEST_MM = 3.0
REGION_MM = 2.0
"""How far beyond a tube its background is looked for."""
REACH_MM = 4.5
NEIGHBOURS = 24
SAME_BLOOD_MM = 10.0
BETWEEN = 0.1
"""Relative standard deviation of blood between veins that are ``SAME_BLOOD_MM`` apart."""
WITHIN = 0.03
RESOLVED_VOXELS = 0.75
"""Least radius for which the contrast is told from the radius (Ward et al. 2017)."""
UNRESOLVED = 0.5
"""Relative standard deviation of the contrast of a thinner tube, however well it fits."""


@dataclass(frozen=True, eq=False)
class TubeFit:
    """Lines, the voxels beside them, what was fitted, the smear that fitted best, and the side.

    ``side`` is that of a cube with the volume of a voxel; both are in mm.
    """

    lines: CentreLines
    near: Near
    cylinders: Cylinders
    blur: float
    side: float


def fit_tubes(
    image: FloatArray,
    mask: NDArray[np.bool_],
    brightness: FloatArray,
    inside: NDArray[np.bool_],
    *,
    voxel_size: Size,
    piece_length: float,
) -> TubeFit:
    """Fit cylinders to the tubes of a mask.

    How far map and lines smear a tube is the same for all of them: of several widths the one with
    the smallest misfit is taken.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
        What the cylinders are fitted to.
    mask : ndarray of bool, shape (X, Y, Z)
        Tubes.
    brightness : ndarray of float32, shape (X, Y, Z)
        Positive within tubes and highest in their middle.
    inside : ndarray of bool, shape (X, Y, Z)
        Where the image is valid.
    voxel_size : tuple of float
        In mm.
    piece_length : float
        Longest piece in mm.
    """
    side = float(np.prod(voxel_size)) ** (1 / 3)
    radii = np.geomspace(SMALLEST_RADIUS * side, max(LARGEST_RADIUS, side), RADII)
    lines = centre_lines(
        mask, brightness, voxel_size=voxel_size, piece_length=piece_length, shortest=SHORTEST_MM
    )
    region = within(mask, REGION_MM, voxel_size) & inside
    near = near_voxels(lines, region, voxel_size=voxel_size, reach=max(REACH_MM, 2 * side))
    fits = []
    for blur in BLURS:
        filled = part_filled(near, lines, radii, voxel_size=voxel_size, blur=blur * side)
        fits.append(fit_cylinders(image, near, lines, radii, filled, voxel_size=voxel_size))
    misfits = [float(np.nansum(fit.misfit**2 * fit.voxels)) for fit in fits]
    best = int(np.argmin(misfits))
    return TubeFit(lines, near, _unsure_of_blur(fits, best), BLURS[best] * side, side)


def _unsure_of_blur(fits: list[Cylinders], best: int) -> Cylinders:
    """Widen the uncertainty by what half a step of the smear changes."""
    low, high = max(best - 1, 0), min(best + 1, len(fits) - 1)
    half = 0.5 / max(high - low, 1)

    def wider(name: str) -> NDArray[np.float64]:
        change = getattr(fits[high], name) - getattr(fits[low], name)
        sd: NDArray[np.float64] = getattr(fits[best], f"{name}_sd")
        return np.asarray(np.hypot(sd, half * np.nan_to_num(change)))

    return replace(fits[best], contrast_sd=wider("contrast"), radius_sd=wider("radius"))


def contrast_around(fit: TubeFit) -> NDArray[np.float64]:
    """Typical contrast of the tubes around each piece, its own first, shape (pieces,).

    A tube much thinner than a voxel tells little of its own contrast: what fits it may be thin and
    strong or thick and weak. Close by flows much the same blood. The median of the closest pieces
    is weighted by how sure each is and how far away; NaN where no piece could be fitted at all.
    """
    lines, found = fit.lines, fit.cylinders
    counts = np.bincount(lines.piece, minlength=lines.pieces)
    middle = np.stack(
        [np.bincount(lines.piece, axis, minlength=lines.pieces) / counts for axis in lines.points.T]
        if lines.pieces
        else [np.zeros(0)] * 3,
        axis=1,
    )
    known = np.flatnonzero(np.isfinite(found.contrast))
    if not len(known):
        return np.full(lines.pieces, np.nan)
    value, sd = found.contrast[known], found.contrast_sd[known]
    thin = found.radius[known] < RESOLVED_VOXELS * fit.side
    sd = np.hypot(sd, np.where(thin, UNRESOLVED * value, 0))
    count = min(NEIGHBOURS, len(known))
    distance, other = cKDTree(middle[known]).query(middle, k=range(1, count + 1))
    typical = np.median(value[other], axis=1, keepdims=True)
    apart = (BETWEEN * typical) ** 2 * distance / SAME_BLOOD_MM
    weight = 1 / (sd[other] ** 2 + apart + (WITHIN * typical) ** 2)
    order = np.argsort(value[other], axis=1)
    ordered = np.take_along_axis(value[other], order, axis=1)
    total = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    half = (total >= total[:, -1:] / 2).argmax(axis=1)
    return np.asarray(ordered[np.arange(len(half)), half])
