"""Choosing the weight of a regularisation from the data: L-curve and discrepancy principle.

A method hands in a ``Fit``: it solves for one weight, and says how far the solution is from the
data and how large its penalty is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Fit = Callable[[float], tuple[float, float]]
"""Solve for a weight; gives the norm of the weighted misfit and the penalty of the solution."""
Choose = Literal["fixed", "noise", "l_curve"]
"""The weight as given; the largest that fits to the noise; the corner of the L-curve."""

MAD_TO_SD = 1.4826
SPAN = 30.0
"""Weights from this part of the given one to this many times it are tried to fit to the noise."""
CURVE_SPAN = 10.0
"""The same for the L-curve, whose ends bend for reasons of their own."""


def noise_map(field: FloatArray, inside: NDArray[np.bool_], known: FloatArray | None) -> FloatArray:
    """Standard deviation of the field: as known, or one value estimated from the field.

    The estimate rests on differences taken once along each axis, which anatomy hardly enters.

    Parameters
    ----------
    field : ndarray of float32, shape (X, Y, Z)
        In ppm.
    inside : ndarray of bool, shape (X, Y, Z)
        Where the field is known.
    known : ndarray of float32, shape (X, Y, Z) or None
        In ppm; zero where it is not known.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the mask.
    """
    if known is not None and known[inside].any():
        return np.where(inside, known, np.float32(0))
    mixed, valid, taps = field, inside, 1
    for axis, n in enumerate(field.shape):
        if n > 1:
            first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
            second = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
            mixed = mixed[second] - mixed[first]
            valid = valid[second] & valid[first]
            taps *= 2
    values = np.abs(mixed[valid])
    spread = MAD_TO_SD * float(np.median(values)) / math.sqrt(taps) if values.size else 0.0
    return inside.astype(np.float32) * np.float32(spread)


def by_noise(
    fit: Fit, start: float, target: float, *, tol: float = 0.02, max_fits: int = 8
) -> float:
    """Weight at which the misfit is that of the noise, by false position on its logarithm.

    The misfit grows with the weight. Where noise is not reached within the span, the end of the
    span that comes nearest is taken.

    Parameters
    ----------
    fit : Fit
        Is called once for each weight that is looked at.
    start : float
        First weight.
    target : float
        Norm of the misfit that noise alone would leave, in the unit of the fit.
    tol : float
        Accepted relative difference to the target.
    max_fits : int
        Most calls.

    References
    ----------
    Morozov, Soviet Math Dokl 1966;7:414. For total variation: Wen and Chan, IEEE Trans Image
    Process 2012;21:1770, doi:10.1109/TIP.2011.2181401.
    """
    low, high = start / SPAN, start * SPAN
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    weight = start
    for _ in range(max_fits):
        misfit, _penalty = fit(weight)
        excess = math.log(misfit / target) if misfit > 0 < target else 0.0
        if abs(excess) <= tol:
            break
        point = (math.log(weight), excess)
        below, above = (point, above) if excess < 0 else (below, point)
        if below is not None and above is not None:
            share = min(max(-below[1] / (above[1] - below[1]), 0.1), 0.9)
            weight = math.exp(below[0] + share * (above[0] - below[0]))
        elif weight in (low, high):
            break
        else:
            weight = min(weight * 4, high) if excess < 0 else max(weight / 4, low)
    return weight


def by_l_curve(fit: Fit, start: float, *, count: int = 7) -> float:
    """Weight at the corner of the curve of penalty over misfit, both as logarithms.

    With total variation the curve of a head has no sharp corner, but a part where it is least
    concave: errors change little along it.

    Parameters
    ----------
    fit : Fit
        Is called ``count`` times, from the largest weight to the smallest.
    start : float
        Middle of the weights that are looked at.
    count : int
        How many they are.

    References
    ----------
    Hansen and O'Leary, SIAM J Sci Comput 1993;14:1487, doi:10.1137/0914086.
    """
    weights = [float(w) for w in np.geomspace(start * CURVE_SPAN, start / CURVE_SPAN, count)]
    points = [fit(weight) for weight in weights]
    if min(min(p) for p in points) <= 0:
        return start
    return corner(weights, *np.log(points).T)


def corner(weights: Sequence[float], misfits: Sequence[float], penalties: Sequence[float]) -> float:
    """Weight of the greatest curvature of an L-curve, between its points by a parabola.

    Parameters
    ----------
    weights : sequence of float
        In even steps of their logarithm, at least five.
    misfits, penalties : sequence of float
        Logarithms, one for each weight.
    """
    place = np.log(np.asarray(weights))
    step = place[1] - place[0]
    x, y = np.asarray(misfits), np.asarray(penalties)
    x1, y1 = ((v[2:] - v[:-2]) / (2 * step) for v in (x, y))
    x2, y2 = ((v[2:] - 2 * v[1:-1] + v[:-2]) / step**2 for v in (x, y))
    bend = (x1 * y2 - x2 * y1) / np.maximum(x1 * x1 + y1 * y1, 1e-12) ** 1.5
    best = int(np.argmax(bend))
    shift = 0.0
    if 0 < best < len(bend) - 1:
        left, top, right = bend[best - 1 : best + 2]
        curve = left - 2 * top + right
        shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return float(math.exp(place[best + 1] + shift * step))
