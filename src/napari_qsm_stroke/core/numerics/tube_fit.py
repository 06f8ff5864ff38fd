"""Tubes of a mask as cylinders: lines, radius and contrast of each piece, and the level around."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.centre_lines import CentreLines, centre_lines
from napari_qsm_stroke.core.numerics.cylinders import (
    Comparison,
    Cylinders,
    Near,
    compare,
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
"""Smear of map and lines that is tried, in parts of the voxel's sides."""
SHORTEST_MM = 3.0
REGION_MM = 2.0
"""How far beyond a tube its background is looked for."""
REACH_MM = 4.5
RESOLVED_VOXELS, LEAST_CONTRAST_TO_NOISE = 0.75, 3.0


@dataclass(frozen=True, eq=False)
class TubeFit:
    """Lines, the voxels beside them, and what was fitted.

    ``filled`` and ``found`` are the part of the voxels within tubes of each radius and what that
    fitted, both with the smear that fitted best; ``side`` in mm is that of a cube with the volume
    of a voxel; ``kept`` tells which pieces are tubes at all.
    """

    lines: CentreLines
    near: Near
    cylinders: Cylinders
    filled: FloatArray
    found: Comparison
    side: float
    kept: NDArray[np.bool_]

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Pieces whose contrast is told from their radius, and stands out (Ward et al. 2017)."""
        fit = self.cylinders
        with np.errstate(invalid="ignore"):
            wide = fit.radius >= RESOLVED_VOXELS * self.side
            return np.asarray(wide & (fit.contrast >= LEAST_CONTRAST_TO_NOISE * fit.misfit))

    def without(self, pieces: NDArray[np.bool_]) -> TubeFit:
        """Forget what was fitted to some of the pieces."""
        known = replace(
            self.cylinders,
            radius=np.where(pieces, np.nan, self.cylinders.radius),
            contrast=np.where(pieces, np.nan, self.cylinders.contrast),
            background=np.where(pieces, np.nan, self.cylinders.background),
        )
        return replace(self, cylinders=known, kept=self.kept & ~pieces)


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
    fits: list[Cylinders] = []
    misfits: list[float] = []
    for blur in BLURS:
        filled = part_filled(near, lines, radii, voxel_size=voxel_size, blur=blur)
        found = compare(image, near, lines, filled, voxel_size=voxel_size)
        fits.append(fit_cylinders(found, radii))
        misfits.append(float(np.nansum(fits[-1].misfit ** 2 * fits[-1].voxels)))
        if int(np.argmin(misfits)) == len(misfits) - 1:
            kept = filled, found
    cylinders = _unsure_of_blur(fits, int(np.argmin(misfits)))
    return TubeFit(lines, near, cylinders, *kept, side, np.ones(lines.pieces, bool))


def _unsure_of_blur(fits: list[Cylinders], best: int) -> Cylinders:
    """Widen the uncertainty by what half a step of the smear changes."""
    low, high = max(best - 1, 0), min(best + 1, len(fits) - 1)
    half = 0.5 / max(high - low, 1)

    def wider(name: str) -> NDArray[np.float64]:
        change = getattr(fits[high], name) - getattr(fits[low], name)
        sd: NDArray[np.float64] = getattr(fits[best], f"{name}_sd")
        return np.asarray(np.hypot(sd, half * np.nan_to_num(change)))

    return replace(fits[best], contrast_sd=wider("contrast"), radius_sd=wider("radius"))
