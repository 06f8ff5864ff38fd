"""Confidence interval of a median whose values come in clusters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_CLUSTERS = 5
BINS = 256


def clustered_median_interval(
    values: NDArray[np.floating],
    clusters: NDArray[np.integer],
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Bootstrap interval of the median, drawing whole clusters.

    Parameters
    ----------
    values : ndarray, shape (N,)
        Finite values.
    clusters : ndarray of int, shape (N,)
        Cluster of each value.
    samples : int
        Number of bootstrap samples; 0 makes no interval.
    confidence : float
        Between 0 and 1.
    seed : int
        Same seed, same interval.

    Returns
    -------
    tuple of float or None
        Lower and upper end in the unit of the values; None with fewer than 5 clusters.

    Notes
    -----
    Cluster bootstrap with percentile ends: Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, doi:10.1017/CBO9780511802843, section 3.8. More than 256 values are grouped
    into 256 bins of equal count, each standing for its median: 0.4 % of the distribution.
    """
    _, cluster = np.unique(clusters, return_inverse=True)
    count = int(cluster.max()) + 1 if len(cluster) else 0
    if count < FEWEST_CLUSTERS or samples < 1:
        return None
    order = np.argsort(values, kind="stable")
    centres, bin_of = _bins(np.asarray(values, dtype=np.float64)[order])
    table = np.zeros((count, len(centres)), dtype=np.float32)
    np.add.at(table, (cluster[order], bin_of), 1)
    cumulative = _draws(count, samples, seed) @ np.cumsum(table, axis=1)
    half = cumulative[:, -1:] / 2
    lower = (cumulative < half).sum(axis=1)
    upper = (cumulative <= half).sum(axis=1)
    medians = (centres[lower] + centres[np.minimum(upper, len(centres) - 1)]) / 2
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=12)
def _draws(count: int, samples: int, seed: int) -> NDArray[np.float32]:
    """How often each cluster is in each sample; the same for every mask with as many clusters."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, count, size=(samples, count)) + np.arange(samples)[:, None] * count
    times = np.bincount(drawn.ravel(), minlength=samples * count)
    return times.reshape(samples, count).astype(np.float32)


def _bins(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Centres of the bins, and the bin of each of the sorted values."""
    if len(ordered) <= BINS:
        return ordered, np.arange(len(ordered))
    bin_of = np.arange(len(ordered)) * BINS // len(ordered)
    edges = np.searchsorted(bin_of, np.arange(BINS + 1))
    centres = ordered[(edges[:-1] + edges[1:] - 1) // 2]
    return centres, bin_of
