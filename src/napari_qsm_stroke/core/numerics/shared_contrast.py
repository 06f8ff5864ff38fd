"""Contrast of thin tubes, told with the help of the tubes around them.

What fits a tube much thinner than a voxel may be thin and strong or thick and weak. The same blood
flows in it as close by: each piece and its neighbours say how well every contrast suits them, and
what they say counts the less, the further away they are and the thinner they are. A neighbour may
also be quite another one, with some small chance: where blood changes within a few mm, the side
with the other blood is then overruled rather than averaged in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_qsm_stroke.core.numerics.cylinders import contrast_chances
from napari_qsm_stroke.core.numerics.tube_fit import SMALLEST_RADIUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.tube_fit import TubeFit

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

STEPS = np.geomspace(1 / 16, 4, 97)
"""Contrasts that are tried, over the typical one."""
STEP = float(np.log(STEPS[1] / STEPS[0]))
NEXT_TO = 0.05
"""Relative standard deviation of blood between neighbours."""
KNOWN_BORDER, UNKNOWN_BORDER = (16, 0.25), (8, 0.5)
"""How many neighbours tell of a piece, and what 10 mm add to the square of that deviation.

Where blood may jump is either known, or any neighbour may be beyond the jump.
"""
ACROSS_MM = 100.0
"""A neighbour in another part of the brain, where there is none in the own, counts as that far."""
ANOTHER = 0.05
"""Chance that a neighbour tells nothing of the piece."""
CLEAR = 1.25
"""Most misfit of those that are listened to, over what is usual for their contrast: thin tubes
often fit as wide and weak ones, and as these all err to one side they would outvote the others.

Misfit is noise and, in proportion to the contrast, errors of shape: in between it goes with the
root. A bound that goes with the contrast itself picks weak tubes by what noise adds to them.
"""
OF_SHAPE = 0.1
"""Relative standard deviation of the contrast of a tube of one voxel's radius from errors of the
map and of the line; the thinner, the more: a tube of half a voxel tells little."""
WORSE_WHEN_THIN = 3
KINDS = np.geomspace(0.03, 1.2, 12)
"""Relative standard deviations that are told apart."""


def shared_contrast(fit: TubeFit, inside: NDArray[np.bool_] | None = None) -> Floats:
    """Most likely contrast of each piece, seen with its neighbours, shape (pieces,).

    Parameters
    ----------
    fit : TubeFit
        Tubes and the cylinders fitted to them.
    inside : ndarray of bool, shape (pieces,), optional
        Which pieces lie in a region at whose border blood may jump, either way.

    Returns
    -------
    ndarray of float64, shape (pieces,)
        In the unit of the image; NaN where no piece could be fitted at all.
    """
    cylinders, lines = fit.cylinders, fit.lines
    if not np.isfinite(cylinders.contrast).any():
        return np.full(lines.pieces, np.nan)
    contrasts = float(np.nanmedian(cylinders.contrast)) * STEPS
    chances = contrast_chances(fit.found, contrasts)
    radius = np.nan_to_num(cylinders.radius / fit.side, nan=SMALLEST_RADIUS)
    chances = _less_sure(chances, OF_SHAPE * np.maximum(1, 1 / radius) ** WORSE_WHEN_THIN)
    likely = _with_neighbours(chances, lines.middles(), _clear(fit), inside)
    middle = [np.interp(0.5, np.cumsum(row) / row.sum(), np.log(contrasts)) for row in likely]
    return np.exp(np.array(middle))


def _less_sure(chances: Floats, relative: Floats) -> Floats:
    """Chances when the contrast has a further relative error, one for each row."""
    kind = np.abs(np.log(relative[:, None] / KINDS)).argmin(1)
    result = np.empty_like(chances)
    for k in np.unique(kind):
        result[kind == k] = _blurred(chances[kind == k], float(KINDS[k]))
    return result


def _blurred(chances: Floats, relative: float) -> Floats:
    smooth = ndimage.gaussian_filter1d(chances, relative / STEP, axis=1, mode="nearest")
    return np.asarray(smooth / smooth.max(1, keepdims=True))


def _clear(fit: TubeFit) -> NDArray[np.bool_]:
    """Pieces that are resolved and fit as well as is usual for their contrast."""
    resolved = fit.resolved
    if not resolved.any():
        return resolved
    misfit, contrast = (
        what / np.median(what[resolved]) for what in (fit.cylinders.misfit, fit.cylinders.contrast)
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(resolved & (misfit <= CLEAR * np.sqrt(contrast)))


def _with_neighbours(
    chances: Floats, middles: Floats, clear: NDArray[np.bool_], inside: NDArray[np.bool_] | None
) -> Floats:
    """Chances of each piece times those of the clear ones around, each as sure as it is close.

    What thin tubes say of each other is not used: they all err to the same side. Beyond the border
    of a region only those are asked that have nobody on their own side.
    """
    total = np.log(chances + 1e-30)
    if not clear.any():
        return chances
    if inside is None:
        everyone = np.ones(len(chances), bool)
        _add_told(total, chances, middles, everyone, clear, UNKNOWN_BORDER)
    else:
        place = np.column_stack([middles, ACROSS_MM * inside])
        for part in (inside, ~inside):
            own = clear & part
            _add_told(total, chances, place, part, own if own.any() else clear, KNOWN_BORDER)
    return np.asarray(np.exp(total - total.max(1, keepdims=True)))


def _add_told(
    total: Floats,
    chances: Floats,
    place: Floats,
    asked: NDArray[np.bool_],
    telling: NDArray[np.bool_],
    border: tuple[int, float],
) -> None:
    """Add to the logarithms of the pieces that are asked what the nearest telling ones say."""
    most, at_10_mm = border
    own, known = np.flatnonzero(asked), np.flatnonzero(telling)
    count = min(most + 1, len(known))
    distance, other = cKDTree(place[known]).query(place[own], k=range(1, count + 1))
    other = known[other]
    apart = np.sqrt(NEXT_TO**2 + at_10_mm**2 * distance / 10)
    kind = np.abs(np.log(apart[..., None] / KINDS)).argmin(2)
    told = {
        k: np.log((1 - ANOTHER) * _blurred(chances, float(KINDS[k])) + ANOTHER)
        for k in np.unique(kind)
    }
    itself = other == own[:, None]
    for n in range(count):
        for k, logs in told.items():
            here = (kind[:, n] == k) & ~itself[:, n]
            total[own[here]] += logs[other[here, n]]
