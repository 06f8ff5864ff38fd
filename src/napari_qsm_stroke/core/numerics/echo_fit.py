"""Lines through the phase of the echoes of each voxel, weighted by squared magnitude.

The phase at time zero is what the coils add: it hardly changes from voxel to voxel. Known from the
neighbourhood instead of the voxel alone, it leaves one unknown where there were two, and the slope
has half the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.gaussian import gaussian
from napari_qsm_stroke.core.numerics.phase_noise import signal_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi


@dataclass(frozen=True)
class EchoFit:
    """Lines through the echoes of the N voxels of a mask.

    Attributes
    ----------
    phase, magnitude : ndarray of float32, shape (E, N)
        What was fitted; the magnitude is 0 where either was not finite.
    slope, intercept : ndarray of float32, shape (N,)
        In rad/s and rad.
    spread : ndarray of float32, shape (N,)
        Standard deviation of the slope for a signal noise of 1; 0 where there is no signal.
    noise : float
        Of the signal, in units of the magnitude.
    """

    phase: FloatArray
    magnitude: FloatArray
    slope: FloatArray
    intercept: FloatArray
    spread: FloatArray
    noise: float


def fit_echoes(
    phase: NDArray[Any],
    magnitude: NDArray[Any],
    inside: NDArray[np.bool_],
    times: NDArray[np.float64],
    sigma: Sequence[float],
) -> EchoFit:
    """Fit lines; one echo has no intercept.

    Parameters
    ----------
    phase, magnitude : ndarray of shape (X, Y, Z, E)
        Phase in rad, unwrapped.
    inside : ndarray of bool, shape (X, Y, Z)
        Where to fit.
    times : ndarray of float64, shape (E,)
        In s.
    sigma : sequence of float
        Standard deviation, in voxels, of the Gaussian that averages the intercept; all 0: none.
    """
    picked, size = pick_echoes(phase, magnitude, np.flatnonzero(inside))
    if times.size == 1:
        intercept = np.zeros(picked.shape[1], np.float32)
        slope, spread = fit_slopes(picked, size, times, intercept)
    else:
        slope, intercept, spread, certainty = fit_lines(picked, size, times)
    if times.size > 2:
        noise = residual_noise(picked, size, times, slope, intercept)
    else:
        noise = signal_noise(phase, magnitude, inside)
    if times.size > 1 and max(sigma) > 0:
        del slope, spread
        first = early_intercept(picked, times)
        intercept = smooth_intercept(intercept, certainty, first, inside, sigma)
        slope, spread = fit_slopes(picked, size, times, intercept)
    return EchoFit(picked, size, slope, intercept, spread, noise)


def pick_echoes(
    phase: NDArray[Any], magnitude: NDArray[Any], places: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Echoes (X, Y, Z, E) at some places of the flat grid, both of shape (E, N).

    Both are 0 where either is not finite.
    """
    count = phase.shape[3]
    picked = np.empty((2, count, places.size), np.float32)
    flat = [np.ascontiguousarray(a, np.float32).reshape(-1, count) for a in (phase, magnitude)]
    _pick(flat[0], flat[1], places, picked[0], picked[1])
    return picked[0], picked[1]


def fit_lines(
    phase: FloatArray, magnitude: FloatArray, times: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit slope and intercept in each voxel.

    Parameters
    ----------
    phase, magnitude : ndarray of float32, shape (E, N)
        At least two echoes; phase in rad, unwrapped.
    times : ndarray of float64, shape (E,)
        In s.

    Returns
    -------
    slope, intercept, spread, certainty : ndarray of float32, shape (N,)
        In rad/s and rad; standard deviation of the slope, and one over the variance of the
        intercept, for a signal noise of 1.
    """
    slope, intercept, spread, certainty = (np.zeros(phase.shape[1], np.float32) for _ in range(4))
    _fit_lines(phase, magnitude, times, slope, intercept, spread, certainty)
    return slope, intercept, spread, certainty


def fit_slopes(
    phase: FloatArray, magnitude: FloatArray, times: NDArray[np.float64], intercept: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slope of lines whose intercept is known, and its standard deviation for a noise of 1.

    Parameters
    ----------
    phase, magnitude : ndarray of float32, shape (E, N)
        Phase in rad, unwrapped.
    times : ndarray of float64, shape (E,)
        In s.
    intercept : ndarray of float32, shape (N,)
        In rad.

    Returns
    -------
    slope, spread : ndarray of float32, shape (N,)
        In rad/s; 0 where there is no signal.
    """
    slope, spread = np.zeros_like(intercept), np.zeros_like(intercept)
    _fit_slopes(phase, magnitude, times, intercept, slope, spread)
    return slope, spread


def early_intercept(phase: FloatArray, times: NDArray[np.float64]) -> FloatArray:
    """Intercept of the line through the first two echoes, which hardly ever miss a turn."""
    early: FloatArray = phase[0] - np.float32(times[0] / (times[1] - times[0])) * (
        phase[1] - phase[0]
    )
    return early


def smooth_intercept(
    intercept: FloatArray,
    certainty: FloatArray,
    near: FloatArray,
    inside: NDArray[np.bool_],
    sigma: Sequence[float],
) -> FloatArray:
    """Intercepts of the neighbourhood, averaged as angles by their certainty.

    Parameters
    ----------
    intercept, certainty : ndarray of float32, shape (N,)
        Of the voxels of the mask; in rad.
    near : ndarray of float32, shape (N,)
        Angles in rad that are right up to less than half a turn.
    inside : ndarray of bool, shape (X, Y, Z)
        The mask, with N voxels.
    sigma : sequence of float
        Standard deviation of the Gaussian along each axis, in voxels.

    Returns
    -------
    ndarray of float32, shape (N,)
        The one of all angles that differ by whole turns which is nearest to ``near``.
    """
    box = inside[Frame.around(inside).box]
    angle = _mean_angle(intercept, certainty, box, sigma)
    # at the edge the neighbours all lie on one side: what that takes shows in the rest
    angle += _mean_angle(intercept - angle, certainty, box, sigma)
    turns: FloatArray = angle + np.float32(TURN) * np.rint((near - angle) / np.float32(TURN))
    return turns


def _mean_angle(
    angle: FloatArray, weight: FloatArray, inside: NDArray[np.bool_], sigma: Sequence[float]
) -> FloatArray:
    volume = np.zeros(inside.shape, np.float32)
    parts = []
    for part_of in (np.cos, np.sin):
        turned: FloatArray = part_of(angle)
        turned *= weight
        volume[inside] = turned
        parts.append(gaussian(volume, sigma)[inside])
    mean: FloatArray = np.arctan2(parts[1], parts[0])
    return mean


def residual_noise(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    slope: FloatArray,
    intercept: FloatArray,
) -> float:
    """Noise of the signal in units of the magnitude, from what lines leave over.

    The sum of squares of E echoes less a line is that of E - 2 numbers of unit variance, times the
    variance of the noise; the median over all voxels is compared. At least three echoes.
    """
    squares = np.empty(slope.size, np.float32)
    _sum_of_squares(phase, magnitude, times, slope, intercept, squares)
    known = squares[squares > 0]
    if known.size == 0:
        return 0.0
    expected = 2 * scipy.special.gammaincinv((len(times) - 2) / 2, 0.5)
    return math.sqrt(float(np.median(known)) / expected)


@kernel(parallel=True)
def _pick(
    phase: FloatArray,
    magnitude: FloatArray,
    places: NDArray[np.int64],
    angle: FloatArray,
    size: FloatArray,
) -> None:
    for n in prange(places.size):
        for e in range(phase.shape[1]):
            p, m = phase[places[n], e], magnitude[places[n], e]
            good = p - p == 0 and m - m == 0
            angle[e, n] = p if good else np.float32(0)
            size[e, n] = m if good else np.float32(0)


@kernel(parallel=True)
def _fit_lines(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    slope: FloatArray,
    intercept: FloatArray,
    spread: FloatArray,
    certainty: FloatArray,
) -> None:
    for n in prange(slope.size):
        weight, mean_t, mean_p = 0.0, 0.0, 0.0
        for e in range(times.size):
            w = float(magnitude[e, n]) ** 2
            weight += w
            mean_t += w * times[e]
            mean_p += w * phase[e, n]
        if weight <= 0:
            continue
        mean_t /= weight
        mean_p /= weight
        square, product = 0.0, 0.0
        for e in range(times.size):
            w = float(magnitude[e, n]) ** 2
            square += w * (times[e] - mean_t) ** 2
            product += w * (times[e] - mean_t) * (phase[e, n] - mean_p)
        if square > 0:
            slope[n] = product / square
            intercept[n] = mean_p - mean_t * product / square
            spread[n] = 1 / math.sqrt(square)
            certainty[n] = 1 / (1 / weight + mean_t * mean_t / square)


@kernel(parallel=True)
def _fit_slopes(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    intercept: FloatArray,
    slope: FloatArray,
    spread: FloatArray,
) -> None:
    for n in prange(slope.size):
        square, product = 0.0, 0.0
        for e in range(times.size):
            w = float(magnitude[e, n]) ** 2 * times[e]
            square += w * times[e]
            product += w * (phase[e, n] - intercept[n])
        if square > 0:
            slope[n] = product / square
            spread[n] = 1 / math.sqrt(square)


@kernel(parallel=True)
def _sum_of_squares(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    slope: FloatArray,
    intercept: FloatArray,
    squares: FloatArray,
) -> None:
    for n in prange(slope.size):
        total = 0.0
        for e in range(times.size):
            left = phase[e, n] - intercept[n] - slope[n] * times[e]
            total += (magnitude[e, n] * left) ** 2
        squares[n] = total
