"""The total field by a fit to the complex echoes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.echo_fit import fit_echoes
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    FieldNoise,
    FieldStrength,
    Magnitude,
    TotalField,
    UnwrappedPhase,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

STEPS = 20
SMALL = 1e-5


@method(cite="10.1002/mrm.24272", memory=3.5)
def nonlinear_fit(
    unwrapped_phase: UnwrappedPhase,
    magnitude: Magnitude,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    offset_smoothing: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 3.0,
) -> tuple[TotalField, FieldNoise]:
    """Fit field and phase offset to the complex signal of all echoes, by Gauss-Newton steps.

    Starts from the weighted line through the unwrapped phase. The noise of complex numbers is
    Gaussian where that of their phase is not, and an echo that is off by a whole turn does no
    harm. Where all is well the result is that of the line.

    Parameters
    ----------
    unwrapped_phase : ndarray of shape (X, Y, Z, E)
        In rad; of all echoes but the start only the part below a turn counts.
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    brain : ndarray of shape (X, Y, Z)
        Where to fit.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    voxel_size : tuple of float
        In mm.
    offset_smoothing : float
        Standard deviation of the Gaussian over which the phase offset is averaged. With 0 each
        voxel has an offset of its own.

    Returns
    -------
    total_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_noise : ndarray of float32, shape (X, Y, Z)
        Standard deviation of the total field in ppm; zero outside the brain.

    Raises
    ------
    InputError
        The number of echo times is not that of the echoes.

    Notes
    -----
    Minimises ``sum_e m_e^2 |exp(i phase_e) - exp(i (offset + slope t_e))|^2`` in each voxel.

    References
    ----------
    Liu et al., Magn Reson Med 2013;69:467, doi:10.1002/mrm.24272.
    """
    if unwrapped_phase.shape[3] != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {unwrapped_phase.shape[3]}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    inside = np.ascontiguousarray(brain) != 0
    times = np.asarray(echo_times, dtype=np.float64)
    sigma = [offset_smoothing / v for v in voxel_size]
    fit = fit_echoes(unwrapped_phase, magnitude, inside, times, sigma)
    slope, offset = fit.slope.copy(), fit.intercept.copy()
    alone = times.size > 1 and offset_smoothing == 0
    _improve(fit.phase, fit.magnitude, times, alone, offset, slope)
    scale = 1 / radians_per_ppm_second(field_strength)
    total, error = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    total[inside] = slope * np.float32(scale)
    error[inside] = fit.spread * np.float32(fit.noise * scale)
    return total, error


@kernel(parallel=True)
def _improve(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    alone: bool,
    offset: FloatArray,
    slope: FloatArray,
) -> None:
    """Gauss-Newton steps; the offset is fitted too where each voxel stands alone."""
    last = times[times.size - 1]
    for n in prange(slope.size):
        a, b = float(offset[n]), float(slope[n])
        for _ in range(STEPS):
            s0, s1, s2, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0
            for e in range(times.size):
                t, w = times[e], float(magnitude[e, n]) ** 2
                # imaginary part of what turns the model into the signal
                left = w * np.sin(phase[e, n] - a - b * t)
                s0 += w
                s1 += w * t
                s2 += w * t * t
                r0 += left
                r1 += left * t
            if s2 <= 0:
                break
            if alone:
                determinant = s0 * s2 - s1 * s1
                if determinant <= 0:
                    break
                step_a = (s2 * r0 - s1 * r1) / determinant
                step_b = (s0 * r1 - s1 * r0) / determinant
            else:
                step_a, step_b = 0.0, r1 / s2
            a += step_a
            b += step_b
            if abs(step_a) + abs(step_b) * last < SMALL:
                break
        offset[n], slope[n] = a, b
