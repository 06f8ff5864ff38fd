"""The total field as a weighted average of what each echo says by itself."""

from __future__ import annotations

from typing import Annotated, Literal

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
)
from napari_qsm_stroke.errors import InputError


@method(cite="10.1002/nbm.3601", recommended=False, memory=4.3)
def echo_average(
    unwrapped_phase: UnwrappedPhase,
    magnitude: Magnitude,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    weights: Literal["precision", "magnitude", "equal"] = "precision",
    latest: Annotated[float, Interval(gt=0, le=1), Unit("s")] = 1.0,
) -> tuple[TotalField, FieldNoise]:
    """Average phase over time of all echoes, by their precision or their magnitude.

    The line that it draws goes through zero: what is left of the phase offset of the coils is
    taken for field. Where the offset is well known it is the least noisy, and early echoes keep
    their say inside a bleeding; where it is not, ``weighted_fit`` is right and this is not.

    Parameters
    ----------
    unwrapped_phase : ndarray of shape (X, Y, Z, E)
        In rad, with the phase offset taken away.
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    brain : ndarray of shape (X, Y, Z)
        Where to average.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    weights : {"precision", "magnitude", "equal"}
        Squared magnitude times squared time, which is one over the variance of an echo's field;
        the magnitude; or none.
    latest : float
        Echoes later than this are left out; the first one always counts.

    Returns
    -------
    total_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_noise : ndarray of float32, shape (X, Y, Z)
        Standard deviation of the total field in ppm; zero outside the brain and where there is no
        signal.

    Raises
    ------
    InputError
        The number of echo times is not that of the echoes.

    References
    ----------
    Compared with others by Robinson et al., NMR Biomed 2017;30:e3601, doi:10.1002/nbm.3601.
    """
    if unwrapped_phase.shape[3] != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {unwrapped_phase.shape[3]}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    inside = np.ascontiguousarray(brain) != 0
    times = np.asarray(echo_times, dtype=np.float64)
    fit = fit_echoes(unwrapped_phase, magnitude, inside, times, (0.0, 0.0, 0.0))
    total, weight, variance = (np.zeros(fit.slope.size) for _ in range(3))
    for phase, size, time in zip(fit.phase, fit.magnitude, times, strict=True):
        if time > max(latest, times[0]):
            continue
        known = size > 0
        m = np.where(known, size, 1).astype(np.float64)
        share = {"precision": (m * time) ** 2, "magnitude": m, "equal": np.ones_like(m)}[weights]
        share *= known
        total += share * phase / time
        weight += share
        variance += (share / (m * time)) ** 2
    weight[weight == 0] = np.inf  # no signal: no field, and no noise either
    scale = 1 / radians_per_ppm_second(field_strength)
    field, noise = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    field[inside] = total / weight * scale
    noise[inside] = np.sqrt(variance) / weight * (fit.noise * scale)
    return field, noise
