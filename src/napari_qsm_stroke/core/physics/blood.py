"""What the veins carry: calibres, oxygenation and susceptibility, region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtri

from napari_qsm_stroke.core.physics.constants import BLOOD_SUSCEPTIBILITY_PPM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.tubes import Tubes

HAEMATOCRIT = 0.42
EXTRACTION = 0.26
"""Oxygen extraction fraction of the unaffected side (Fan et al. 2020: 25.5 %)."""
SCATTER_BETWEEN, SCATTER_WITHIN = 0.065, 0.047
"""Relative standard deviation between the veins of a region and along a vein: 8 % together."""
WITHIN_PIECES = 8.0
"""Correlation length along a vein, in its straight pieces."""
STUDY_CORE_RATIO = 0.62
STUDY_IPSILATERAL_RATIO = 0.62 / 0.59
CALIBRE_SHAPE = (1.3, 2.6)


def susceptibility_of_blood(
    extraction: float | NDArray[np.float64], haematocrit: float = HAEMATOCRIT
) -> float | NDArray[np.float64]:
    """Susceptibility in ppm (SI) of venous blood against fully oxygenated blood.

    Parameters
    ----------
    extraction : float or ndarray
        Oxygen extraction fraction, 0 to 1.
    haematocrit : float
        0 to 1.
    """
    return haematocrit * BLOOD_SUSCEPTIBILITY_PPM * extraction


def r2star_of_blood(extraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """R2* in 1/s of venous blood at 3 T.

    Of the form of Zhao et al., Magn Reson Med 2007;58:592, doi:10.1002/mrm.21342.
    """
    return 16.5 + 181.0 * extraction**2


def region_ratios(core_ratio: float) -> NDArray[np.float64]:
    """Susceptibility of veins over the contralateral one, in the order of ``veins.REGIONS``.

    At 0.62 the three regions are as in the study; towards 1 the whole effect fades, in the core
    and beside it alike.
    """
    effect = (1 - core_ratio) / (1 - STUDY_CORE_RATIO)
    ipsilateral = 1 + (STUDY_IPSILATERAL_RATIO - 1) * effect
    return np.array([1.0, core_ratio, ipsilateral, 1.0])


def draw_radii(
    rng: np.random.Generator, length: NDArray[np.float64], limits: tuple[float, float]
) -> NDArray[np.float64]:
    """Radius of each vein such that every region gets the same mix of calibres.

    The set of radii is that of one skewed distribution; they are dealt out by chance and then
    exchanged between veins as long as that makes the regions more alike.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    length : ndarray of shape (veins, regions)
        Length of each vein in each region, in mm.
    limits : tuple of float
        Smallest and largest radius in mm.
    """
    count = len(length)
    sample = np.sort(rng.beta(*CALIBRE_SHAPE, 20001))
    radii = limits[0] + (limits[1] - limits[0]) * np.quantile(
        sample, (np.arange(count) + 0.5) / count
    )
    edges = np.quantile(radii, np.linspace(0.1, 0.9, 9))
    goal = (radii[:, None] <= edges).mean(0)
    below = (radii[:, None] <= edges).astype(np.float64)
    order = rng.permutation(count)
    share = length[:, 1:] / np.maximum(length[:, 1:].sum(0), 1e-9)
    mix = share.T @ below[order]
    cost = ((mix - goal) ** 2).sum()
    for a, b in rng.integers(count, size=(6000, 2)):
        change = np.outer(share[a] - share[b], below[order[b]] - below[order[a]])
        new = ((mix + change - goal) ** 2).sum()
        if new < cost:
            order[a], order[b] = order[b], order[a]
            mix, cost = mix + change, new
    return radii[order]


def vein_extraction(
    rng: np.random.Generator, tubes: Tubes, region: NDArray[np.int64], core_ratio: float
) -> NDArray[np.float64]:
    """Oxygen extraction fraction in each piece of vein.

    Veins differ by about 8 %, less along their course than from one to the next; a vein that
    crosses the edge of the core changes there. The median by volume of each region is exactly the
    one asked for.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    tubes : Tubes
        Veins.
    region : ndarray of int, shape (n,)
        Index into ``veins.REGIONS`` of each piece.
    core_ratio : float
        Core over contralateral susceptibility.
    """
    vessels = int(tubes.vessel.max()) + 1
    quantiles = (rng.permutation(vessels) + 0.5) / vessels
    along = gaussian_filter1d(rng.normal(size=len(region)), WITHIN_PIECES)
    along *= SCATTER_WITHIN / along.std()
    scatter = np.exp(SCATTER_BETWEEN * ndtri(quantiles)[tubes.vessel] + along)
    extraction = np.empty(len(region))
    for number, ratio in enumerate(region_ratios(core_ratio)):
        here = region == number
        if here.any():
            middle = weighted_median(scatter[here], tubes.volume[here])
            extraction[here] = EXTRACTION * ratio * scatter[here] / middle
    return extraction


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Value below and above which lies half of the weight."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
