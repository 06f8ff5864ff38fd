"""Cylinders fitted to pieces of tubes: radius, contrast and background, with their uncertainty.

A voxel that a tube of radius r fills to the part p(r) holds background + p(r) x contrast. For each
radius the two are a straight line fitted to the voxels around the piece; the radius with the
smallest misfit is taken, and those that fit nearly as well tell how uncertain it is. After the
iterative cylindrical fitting of Ward et al., Front Neurosci 2017;11:89,
doi:10.3389/fnins.2017.00089, in which the part of a voxel is made from radius and course alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.centre_lines import CentreLines
    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]
SUBDIVISIONS = 4
FEWEST_VOXELS = 8
INDEPENDENT_MM3 = 6.0
"""Volume of map that holds one independent value: errors of neighbouring voxels go together."""


@dataclass(frozen=True, eq=False)
class Near:
    """Voxels beside centre lines.

    Parameters
    ----------
    index : ndarray of int64, shape (N, 3)
        Of the voxels.
    point : ndarray of int64, shape (N,)
        Nearest point of the lines.
    offset : ndarray of float64, shape (N, 3)
        From that point to the middle of the voxel, in mm.
    """

    index: NDArray[np.int64]
    point: NDArray[np.int64]
    offset: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cylinders:
    """What fits each piece best; arrays of shape (pieces,), NaN where nothing could be fitted.

    ``radius`` in mm, ``contrast`` and ``background`` in the unit of the image, ``contrast_sd`` and
    ``radius_sd`` their standard deviations from the
    noise of the map, ``misfit`` that of a voxel, ``voxels`` how many.
    """

    radius: NDArray[np.float64]
    radius_sd: NDArray[np.float64]
    contrast: NDArray[np.float64]
    contrast_sd: NDArray[np.float64]
    background: NDArray[np.float64]
    misfit: NDArray[np.float64]
    voxels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Straight lines of the image against the part filled, for each of R radii and each piece.

    Parameters
    ----------
    voxels : ndarray of int64, shape (pieces,)
        Beside each piece.
    mean : ndarray of shape (pieces,)
        Of the image there.
    level, spread : ndarray of shape (R, pieces)
        Mean of the part filled, and sum of the squares of what differs from it.
    contrast : ndarray of shape (R, pieces)
        Slope of the lines.
    misfit : ndarray of shape (R, pieces)
        Sum of squares that the lines leave; without any tube where the slope is not above zero.
    best : ndarray of int64, shape (pieces,)
        Radius with the smallest misfit.
    variance : ndarray of shape (pieces,)
        That goes with a misfit: chances fall by ``exp(-misfit / (2 variance))``.
    usable : ndarray of bool, shape (pieces,)
        Whether there are voxels enough, brighter along the line than beside it.
    """

    voxels: NDArray[np.int64]
    mean: NDArray[np.float64]
    level: NDArray[np.float64]
    spread: NDArray[np.float64]
    contrast: NDArray[np.float64]
    misfit: NDArray[np.float64]
    best: NDArray[np.int64]
    variance: NDArray[np.float64]
    usable: NDArray[np.bool_]


def near_voxels(
    lines: CentreLines, region: NDArray[np.bool_], *, voxel_size: Size, reach: float
) -> Near:
    """Voxels of a region beside the lines: not those beyond the end of a line.

    Parameters
    ----------
    lines : CentreLines
        Of the tubes.
    region : ndarray of bool, shape (X, Y, Z)
        What may be used.
    voxel_size : tuple of float
        In mm.
    reach : float
        How far from the lines, in mm.
    """
    index = np.argwhere(region)
    if not len(index) or not len(lines.points):
        return Near(np.zeros((0, 3), np.int64), np.zeros(0, np.int64), np.zeros((0, 3)))
    size = np.asarray(voxel_size, np.float64)
    distance, point = cKDTree(lines.points).query(index * size, distance_upper_bound=reach)
    close = np.flatnonzero(np.isfinite(distance))
    index, point = index[close], point[close].astype(np.int64)
    offset = index * size - lines.points[point]
    beside = np.abs((offset * lines.tangents[point]).sum(1)) <= lines.steps[point]
    return Near(index[beside], point[beside], offset[beside])


def part_filled(
    near: Near,
    lines: CentreLines,
    radii: NDArray[np.float64],
    *,
    voxel_size: Size,
    blur: float = 0.0,
) -> FloatArray:
    """Part of each voxel within a tube of each of the radii, shape (R, N).

    Parameters
    ----------
    near : Near
        The voxels.
    lines : CentreLines
        Axes of the tubes.
    radii : ndarray of float64, shape (R,)
        In mm, increasing.
    voxel_size : tuple of float
        In mm.
    blur : float
        Standard deviation of what smears the tubes, of the map and of the lines' own error, along
        each axis in parts of the voxel's side there. A voxel is taken to be larger by as much.
    """
    box = np.asarray(voxel_size, np.float64) * np.sqrt(1 + 12 * blur**2)
    filled = np.empty((len(radii), len(near.index)), np.float32)
    squares = np.asarray(radii, np.float64) ** 2
    _fill(near.offset, lines.tangents[near.point], box, squares, filled)
    return filled


@kernel(parallel=True)
def _fill(offset: Any, tangent: Any, size: Any, squares: Any, filled: Any) -> None:
    """Count the points of each voxel that lie within each of the radii from the axis."""
    parts = SUBDIVISIONS
    for n in prange(offset.shape[0]):
        counts = np.zeros(squares.size + 1, np.int64)
        for a in range(parts):
            x = offset[n, 0] + ((a + 0.5) / parts - 0.5) * size[0]
            for b in range(parts):
                y = offset[n, 1] + ((b + 0.5) / parts - 0.5) * size[1]
                for c in range(parts):
                    z = offset[n, 2] + ((c + 0.5) / parts - 0.5) * size[2]
                    along = x * tangent[n, 0] + y * tangent[n, 1] + z * tangent[n, 2]
                    counts[np.searchsorted(squares, x * x + y * y + z * z - along * along)] += 1
        total = 0
        for r in range(squares.size):
            total += counts[r]
            filled[r, n] = total / parts**3


def compare(
    image: FloatArray,
    near: Near,
    lines: CentreLines,
    filled: FloatArray,
    *,
    voxel_size: Size,
) -> Comparison:
    """Fit background and contrast of each piece for every radius.

    Parameters
    ----------
    image : ndarray of float32, shape (X, Y, Z)
        Whatever the tubes are bright in.
    near : Near
        Voxels beside the tubes.
    lines : CentreLines
        The pieces.
    filled : ndarray of float32, shape (R, N)
        From ``part_filled``.
    voxel_size : tuple of float
        In mm.
    """
    count = lines.pieces
    piece = lines.piece[near.point]
    values = image[tuple(near.index.T)].astype(np.float64)

    def total(what: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(piece, what, minlength=count).astype(np.float64)

    n = np.bincount(piece, minlength=count)
    mean = total(values) / np.maximum(n, 1)
    centred = values - mean[piece]
    power = total(centred**2)
    misfit, slope, spread, level = (np.empty((len(filled), count)) for _ in range(4))
    for r in range(len(filled)):
        part = filled[r].astype(np.float64)
        level[r] = total(part) / np.maximum(n, 1)
        part -= level[r][piece]
        spread[r] = np.maximum(total(part**2), 1e-9)
        slope[r] = total(part * centred) / spread[r]
        misfit[r] = np.where(slope[r] > 0, power - slope[r] ** 2 * spread[r], power)
    best = misfit.argmin(0)
    at = (best, np.arange(count))
    independent = np.maximum(n * np.prod(voxel_size) / INDEPENDENT_MM3, 4.0)
    variance = np.maximum(misfit[at] / np.maximum(independent - 3.0, 1.0), 1e-12)
    usable = (n >= FEWEST_VOXELS) & (slope[at] > 0)
    return Comparison(n, mean, level, spread, slope, misfit, best, variance, usable)


def fit_cylinders(found: Comparison, radii: NDArray[np.float64]) -> Cylinders:
    """Fit a cylinder to each piece.

    Parameters
    ----------
    found : Comparison
        From ``compare``.
    radii : ndarray of float64, shape (R,)
        Those of the comparison, in mm, increasing.
    """
    at = (found.best, np.arange(len(found.voxels)))
    worse = found.misfit - found.misfit[at]
    chance = np.where(found.contrast > 0, np.exp(-0.5 * worse / found.variance), 0) + 1e-300
    chance /= chance.sum(0)
    radius = (chance * radii[:, None]).sum(0)
    contrast = (chance * found.contrast).sum(0)
    own = found.variance / found.spread
    contrast_sd = np.sqrt((chance * (own + (found.contrast - contrast) ** 2)).sum(0))
    radius_sd = np.sqrt((chance * (radii[:, None] - radius) ** 2).sum(0))
    background = found.mean - (chance * found.contrast * found.level).sum(0)

    def known(what: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(found.usable, what, np.nan)

    return Cylinders(
        known(radius),
        known(radius_sd),
        known(contrast),
        known(contrast_sd),
        known(background),
        known(np.sqrt(np.maximum(found.misfit[at], 0) / np.maximum(found.voxels, 1))),
        found.voxels,
    )


def contrast_chances(found: Comparison, contrasts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each contrast suits each piece, whatever its radius: shape (pieces, contrasts).

    Parameters
    ----------
    found : Comparison
        From ``compare``.
    contrasts : ndarray of float64, shape (C,)
        In the unit of the image, above zero.

    Returns
    -------
    ndarray of float64, shape (pieces, C)
        Likelihood over its largest value; 1 everywhere where a piece tells nothing.
    """
    chances = np.ones((len(found.voxels), len(contrasts)))
    for piece in np.flatnonzero(found.usable):
        spread, slope = found.spread[:, piece, None], found.contrast[:, piece, None]
        log = spread * contrasts * (slope - 0.5 * contrasts) / found.variance[piece]
        chances[piece] = np.exp(log - log.max()).sum(0)
        chances[piece] /= chances[piece].max()
    return chances
