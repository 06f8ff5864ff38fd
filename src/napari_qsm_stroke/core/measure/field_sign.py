"""Whether the sign of the field is that of nature: positive near air, veins paramagnetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.distance import within
from napari_qsm_stroke.core.numerics.gaussian import gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

RIM_MM = 2.0
INSIDE_MM = 4.0
NEIGHBOURHOOD_MM = 3.0
DARKEST_PERCENT = 1.0
SCREENED = 0.02
"""Signal below this share of the mean counts as this share: the logarithm of noise is no contrast.
"""


def air_evidence(
    total_field: FloatArray, brain: NDArray[np.uint8], voxel_size: tuple[float, float, float]
) -> float:
    """Return the skewness of the total field in the brain; positive where its sign is right.

    Air is 9.4 ppm more paramagnetic than tissue. Above the sinuses of the skull base, the part of
    their dipole fields that the brain lies in is positive and reaches far beyond all other fields.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm.
    brain : ndarray of uint8, shape (X, Y, Z)
        Its rim of 2 mm is left out.
    voxel_size : tuple of float
        In mm.
    """
    values = total_field[_inside(brain, RIM_MM, voxel_size)].astype(np.float64)
    if values.size < 2 or not values.std() > 0:
        return 0.0
    apart = values - np.median(values)
    return float((apart**3).mean() / values.std() ** 3)


def vein_evidence(
    susceptibility: FloatArray,
    magnitude: FloatArray,
    brain: NDArray[np.uint8],
    voxel_size: tuple[float, float, float],
) -> float:
    """Return the susceptibility of small dark spots against their surroundings, in its spread.

    Veins and nuclei are dark in the late magnitude and paramagnetic: positive where the sign is
    right, near zero where echoes are too short to show them.

    Parameters
    ----------
    susceptibility : ndarray of shape (X, Y, Z)
        In ppm.
    magnitude : ndarray of shape (X, Y, Z, E)
        The last echo is used.
    brain : ndarray of uint8, shape (X, Y, Z)
        Its rim of 4 mm is left out.
    voxel_size : tuple of float
        In mm.
    """
    inside = _inside(brain, INSIDE_MM, voxel_size) & (susceptibility != 0)
    if not inside.any():
        return 0.0
    late = magnitude[..., -1]
    least = SCREENED * float(late[inside].mean())
    contrast = np.log(np.maximum(late, max(least, 1e-12)))
    sigma = [NEIGHBOURHOOD_MM / size for size in voxel_size]
    share = np.maximum(gaussian(inside.astype(np.float32), sigma), 1e-6)
    dark, chi = (
        (image - gaussian(np.where(inside, image, 0).astype(np.float32), sigma) / share)[inside]
        for image in (contrast, susceptibility)
    )
    spread = float(chi.std())
    darkest = dark <= np.percentile(dark, DARKEST_PERCENT)
    return float(chi[darkest].mean()) / spread if spread > 0 else 0.0


def _inside(
    brain: NDArray[np.uint8], depth: float, voxel_size: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Voxels of the mask that lie deeper than ``depth`` in mm."""
    inside: NDArray[np.bool_] = (brain != 0) & ~within(brain == 0, depth, voxel_size)
    return inside
