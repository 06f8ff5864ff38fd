"""Veins as a graph of segments: course, calibre, and the susceptibility of the blood inside.

A voxel on the edge of a vein, and every voxel of a vein thinner than that, holds tissue too: its
value is too low. Cylinders fitted to segments tell how much of each voxel is vein, and so what the
blood itself has, as Ward et al. do, Front Neurosci 2017;11:89, doi:10.3389/fnins.2017.00089. As
there, it holds for radii above 0.75 voxel and contrasts above 3 times the noise; and it counts
where its own standard deviation is 20 % at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.tube_fit import fit_tubes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

OF_THE_MAP = 0.07
"""Relative standard deviation that a reconstructed map adds to each segment."""
NINETY_PERCENT = 1.645
MOST_UNSURE = 0.2
"""Largest relative standard deviation of blood that is counted: beyond it, errors pass 20 %."""
CALIBRES_MM = np.geomspace(0.3, 2.4, 10)
"""Limits of the classes of radius that are compared: a quarter wider from one to the next."""
LEAST_SHARED = 0.8


@dataclass(frozen=True, eq=False)
class VeinGraph:
    """Segments of veins, arrays of shape (segments,), NaN where nothing could be fitted.

    Parameters
    ----------
    branch : ndarray of int
        Segments of one branch hang together end to end, between two forks.
    length, radius, radius_sd : ndarray
        In mm.
    angle : ndarray
        Between segment and main field, 0 to 90 degrees.
    blood, blood_sd : ndarray
        Susceptibility inside the vein, free of partial volume, in ppm.
    valid : ndarray of bool
        Whether ``blood`` lies in the range in which it may be trusted.
    points : ndarray of shape (N, 3)
        Points of the centre lines in voxels.
    segment : ndarray of int, shape (N,)
        Segment of each point.
    voxels : ndarray of int, shape (M, 3)
        Voxels beside the centre lines.
    owner : ndarray of int, shape (M,)
        Segment that is nearest to each of them.
    """

    branch: NDArray[np.int64]
    length: Floats
    radius: Floats
    radius_sd: Floats
    angle: Floats
    blood: Floats
    blood_sd: Floats
    valid: NDArray[np.bool_]
    points: Floats
    segment: NDArray[np.int64]
    voxels: NDArray[np.int64]
    owner: NDArray[np.int64]


def vein_graph(
    susceptibility: FloatArray,
    veins: ByteArray,
    known: NDArray[np.bool_],
    *,
    voxel_size: tuple[float, float, float],
    b0_dir: tuple[float, float, float],
    segment_length: float = 12.0,
) -> VeinGraph:
    """Trace the veins of a mask and fit a cylinder to each segment.

    Parameters
    ----------
    susceptibility : ndarray of float32, shape (X, Y, Z)
        In ppm.
    veins : ndarray of uint8, shape (X, Y, Z)
        Vein mask.
    known : ndarray of bool, shape (X, Y, Z)
        Where the map holds values.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Unit vector of the main field in voxel axes.
    segment_length : float
        Longest segment in mm.
    """
    chi = np.where(known, np.nan_to_num(susceptibility), np.float32(0)).astype(np.float32)
    mask = (np.asarray(veins) != 0) & known
    level = np.float32(np.median(chi[known])) if known.any() else np.float32(0)
    fit = fit_tubes(
        chi, mask, chi - level, known, voxel_size=voxel_size, piece_length=segment_length
    )
    lines, found = fit.lines, fit.cylinders
    count = lines.pieces
    length = np.bincount(lines.piece, lines.steps, minlength=count).astype(np.float64)
    along = np.abs(lines.tangents @ np.asarray(b0_dir, np.float64))
    along = np.bincount(lines.piece, along * lines.steps, minlength=count)
    branch = np.zeros(count, np.int64)
    branch[lines.piece] = lines.branch
    blood = found.background + found.contrast
    blood_sd = np.hypot(found.contrast_sd, OF_THE_MAP * np.abs(blood))
    return VeinGraph(
        branch,
        length,
        found.radius,
        found.radius_sd,
        np.degrees(np.arccos(np.clip(along / np.maximum(length, 1e-9), 0, 1))),
        blood,
        blood_sd,
        fit.resolved & (blood_sd <= MOST_UNSURE * np.abs(blood)),
        lines.points / np.asarray(voxel_size),
        lines.piece,
        fit.near.index,
        lines.piece[fit.near.point],
    )


def matched_change(
    values: NDArray[np.floating],
    radii: NDArray[np.floating],
    other: NDArray[np.floating],
    other_radii: NDArray[np.floating],
) -> float | None:
    """Change in percent of a region's median against another's veins of the same calibres.

    The voxels of the other region are weighted until as many of them as in the region belong to
    veins of each class of calibre: what is left does not come from veins being thinner here.

    Parameters
    ----------
    values, radii : ndarray of shape (N,)
        Susceptibility in ppm of the region's vein voxels and radius of their veins in mm.
    other, other_radii : ndarray of shape (M,)
        Of the region that is compared with.

    Returns
    -------
    float or None
        Over the calibres that both have; None where these hold less than 80 % of the region's
        voxels, or the other median is not above zero.
    """
    here, there = np.isfinite(radii), np.isfinite(other_radii)
    values, radii = values[here], radii[here]
    other, other_radii = other[there], other_radii[there]
    own, kind = np.searchsorted(CALIBRES_MM, radii), np.searchsorted(CALIBRES_MM, other_radii)
    wanted, counts = (np.bincount(k, minlength=len(CALIBRES_MM) + 1) for k in (own, kind))
    shared = counts[own] > 0
    if not len(values) or shared.mean() < LEAST_SHARED:
        return None
    values = values[shared]
    weight = (wanted / np.maximum(counts, 1))[kind]
    order = np.argsort(other, kind="stable")
    total = np.cumsum(weight[order])
    median = float(other[order][np.searchsorted(total, total[-1] / 2)])
    return 100 * (float(np.median(values)) / median - 1) if median > 0 else None
