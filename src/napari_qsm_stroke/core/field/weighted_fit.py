"""The total field: the slope of the unwrapped phase over echo time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import inner, kernel, prange
from napari_qsm_stroke.core.numerics.phase_noise import signal_noise
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


@method(cite="10.1109/TMI.2009.2023787", revision=2)
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
    phase = np.ascontiguousarray(unwrapped_phase, np.float32)
    size = np.ascontiguousarray(magnitude, np.float32)
    inside = np.ascontiguousarray(brain) != 0
    total, error = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    scale = 1 / radians_per_ppm_second(field_strength)
    spread = scale * signal_noise(phase, size, inside)
    times = np.asarray(echo_times, dtype=np.float64)
    flat = (-1, count)
    _fit(
        phase.reshape(flat),
        size.reshape(flat),
        inside.reshape(-1),
        times,
        np.array([scale, spread]),
        total.reshape(-1),
        error.reshape(-1),
    )
    return total, error


@kernel(parallel=True)
def _fit(
    phase: FloatArray,
    magnitude: FloatArray,
    inside: NDArray[np.bool_],
    times: NDArray[np.float64],
    scales: NDArray[np.float64],
    slope: FloatArray,
    spread: FloatArray,
) -> None:
    """Slope of the phase and its standard deviation, times the first and second of ``scales``."""
    echoes = times.size
    for v in prange(inside.size):
        if not inside[v]:
            continue
        weight, mean_t, mean_p = 0.0, 0.0, 0.0
        for e in range(echoes):
            w = _weight(magnitude[v, e], phase[v, e])
            if w > 0:
                weight += w
                mean_t += w * times[e]
                mean_p += w * phase[v, e]
        if weight <= 0:
            continue
        if echoes > 1:
            mean_t /= weight
            mean_p /= weight
        else:
            mean_t, mean_p = 0.0, 0.0
        square, product = 0.0, 0.0
        for e in range(echoes):
            w = _weight(magnitude[v, e], phase[v, e])
            if w > 0:
                square += w * (times[e] - mean_t) ** 2
                product += w * (times[e] - mean_t) * (phase[v, e] - mean_p)
        if square > 0:
            slope[v] = scales[0] * product / square
            spread[v] = scales[1] / math.sqrt(square)


@inner
def _weight(magnitude: np.float32, phase: np.float32) -> float:
    """Squared magnitude; 0 where magnitude or phase is not finite."""
    m = float(magnitude)
    return m * m if math.isfinite(m) and math.isfinite(phase) else 0.0
