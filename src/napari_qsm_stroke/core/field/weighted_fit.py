"""The total field: the slope of the unwrapped phase over echo time."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
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


@method(cite=("10.1109/TMI.2009.2023787", "10.1002/mrm.26963"), revision=4, memory=3)
def weighted_fit(
    unwrapped_phase: UnwrappedPhase,
    magnitude: Magnitude,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    offset_smoothing: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 1.5,
) -> tuple[TotalField, FieldNoise]:
    """Fit a line with intercept to the phase of each voxel, echoes weighted by squared magnitude.

    The intercept takes up what is left of the phase offset: a line through zero would turn 1 rad
    of it into tens of Hz. It is smooth, so that the mean of the neighbourhood, weighted by its
    certainty, stands for that of the voxel; the field has half the noise so. One echo has no
    intercept; its field is phase over time.

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
    voxel_size : tuple of float
        In mm.
    offset_smoothing : float
        Standard deviation of the Gaussian over which the intercept is averaged. With 0 each voxel
        has an intercept of its own, as where the phase offset is not smooth.

    Returns
    -------
    total_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_noise : ndarray of float32, shape (X, Y, Z)
        Standard deviation of the total field in ppm; zero outside the brain. The noise of the
        signal is estimated from what lines leave over; with less than three echoes from mixed
        differences of the phase, which anatomy hardly enters.

    Raises
    ------
    InputError
        The number of echo times is not that of the echoes.

    References
    ----------
    Kressler et al., IEEE Trans Med Imaging 2010;29:273,
    doi:10.1109/TMI.2009.2023787 (weights); Eckstein et al., Magn Reson Med 2018;79:2996,
    doi:10.1002/mrm.26963 (smooth offset).
    """
    count = unwrapped_phase.shape[3]
    if count != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {count}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    inside = np.ascontiguousarray(brain) != 0
    times = np.asarray(echo_times, dtype=np.float64)
    sigma = [offset_smoothing / v for v in voxel_size]
    fit = fit_echoes(unwrapped_phase, magnitude, inside, times, sigma)
    scale = 1 / radians_per_ppm_second(field_strength)
    total, error = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    total[inside] = fit.slope * np.float32(scale)
    error[inside] = fit.spread * np.float32(fit.noise * scale)
    return total, error
