"""The total field: the slope of the unwrapped phase over echo time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    FieldNoise,
    FieldStrength,
    Magnitude,
    TotalField,
    UnwrappedPhase,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

MAD_TO_SD = 1.4826


@method(cite="10.1109/TMI.2009.2023787")
def weighted_fit(
    unwrapped_phase: UnwrappedPhase,
    magnitude: Magnitude,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
) -> tuple[TotalField, FieldNoise]:
    """Fit a line with intercept to the phase of each voxel, echoes weighted by squared magnitude.

    The intercept takes up what is left of the phase offset: a line through zero would turn 1 rad
    of it into tens of Hz. One echo has no intercept; its field is phase over time.

    Parameters
    ----------
    unwrapped_phase : ndarray of shape (X, Y, Z, E)
        In rad.
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit; the noise of phase is the noise of the signal over it.
    brain : ndarray of shape (X, Y, Z)
        Where to fit.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.

    Returns
    -------
    total_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_noise : ndarray of float32, shape (X, Y, Z)
        Standard deviation of the total field in ppm; zero outside the brain. The noise of the
        signal is estimated from mixed differences of the phase, which anatomy hardly enters.

    Raises
    ------
    InputError
        The number of echo times is not that of the echoes.

    References
    ----------
    Kressler et al., IEEE Trans Med Imaging 2010;29:273,
    doi:10.1109/TMI.2009.2023787.
    """
    count = unwrapped_phase.shape[3]
    if count != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {count}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    inside = np.ascontiguousarray(brain) != 0
    phase = np.nan_to_num(unwrapped_phase[inside], posinf=0, neginf=0)
    size = np.nan_to_num(magnitude[inside], posinf=0, neginf=0)
    noise = _signal_noise(unwrapped_phase[..., 0], magnitude[..., 0], inside)
    slope, spread = np.empty(len(phase), np.float32), np.empty(len(phase), np.float32)
    times = np.asarray(echo_times, dtype=np.float64)
    _fit(phase, size, times, slope, spread)
    scale = 1 / radians_per_ppm_second(field_strength)
    total, error = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    total[inside] = slope * np.float32(scale)
    error[inside] = spread * np.float32(noise * scale)
    return total, error


def _signal_noise(phase: NDArray[Any], magnitude: NDArray[Any], inside: NDArray[np.bool_]) -> float:
    """Noise of the signal in units of the magnitude, from differences of phase along all axes."""
    mixed, valid = phase, inside
    for axis in range(3):
        if phase.shape[axis] > 1:
            first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
            second = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
            mixed = mixed[second] - mixed[first]
            valid = valid[second] & valid[first]
    corner = tuple(slice(n) for n in valid.shape)
    values = (mixed * magnitude[corner])[valid]
    values = values[np.isfinite(values)]
    taps = math.sqrt(phase.size and 2.0 ** sum(n > 1 for n in phase.shape))
    return MAD_TO_SD * float(np.median(np.abs(values))) / taps if values.size else 0.0


@kernel()
def _fit(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    slope: FloatArray,
    spread: FloatArray,
) -> None:
    """Slope in rad/s and its standard deviation for a signal noise of 1."""
    echoes = times.size
    for v in range(phase.shape[0]):
        weight, mean_t, mean_p = 0.0, 0.0, 0.0
        for e in range(echoes):
            w = float(magnitude[v, e]) ** 2
            weight += w
            mean_t += w * times[e]
            mean_p += w * phase[v, e]
        slope[v], spread[v] = 0.0, 0.0
        if weight <= 0:
            continue
        if echoes > 1:
            mean_t /= weight
            mean_p /= weight
        else:
            mean_t, mean_p = 0.0, 0.0
        square, product = 0.0, 0.0
        for e in range(echoes):
            w = float(magnitude[v, e]) ** 2
            square += w * (times[e] - mean_t) ** 2
            product += w * (times[e] - mean_t) * (phase[v, e] - mean_p)
        if square > 0:
            slope[v] = product / square
            spread[v] = 1 / math.sqrt(square)
