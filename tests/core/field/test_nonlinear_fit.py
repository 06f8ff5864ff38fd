"""The field by a fit to complex echoes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from napari_qsm_stroke.core.field.nonlinear_fit import nonlinear_fit
from napari_qsm_stroke.core.field.weighted_fit import weighted_fit
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.010, 0.016, 0.022)
SHAPE = (9, 8, 7)
RADIANS = 2 * np.pi * 42.577478461 * 3.0
HEAD = {"echo_times": TIMES, "field_strength": 3.0}


def echoes(noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unwrapped phase and magnitude of noisy complex signals, and the field in ppm."""
    rng = np.random.default_rng(51)
    field = rng.uniform(-0.3, 0.3, SHAPE)
    clean = 0.4 + RADIANS * field[..., None] * np.array(TIMES)
    size = 100 * np.exp(-rng.uniform(10, 80, SHAPE)[..., None] * np.array(TIMES))
    signal = size * np.exp(1j * clean)
    signal += noise * (rng.normal(size=signal.shape) + 1j * rng.normal(size=signal.shape))
    phase = clean + np.angle(signal * np.exp(-1j * clean))
    return phase.astype(np.float32), np.abs(signal).astype(np.float32), field


def test_minimises_the_difference_of_complex_numbers() -> None:
    phase, magnitude, _ = echoes(12.0)
    found, _ = nonlinear_fit(phase, magnitude, np.ones(SHAPE), offset_smoothing=0.0, **HEAD)
    for place in ((0, 0, 0), (4, 3, 6), (8, 7, 2)):
        size, signal = magnitude[place], magnitude[place] * np.exp(1j * phase[place])

        def cost(x: np.ndarray, size=size, signal=signal) -> float:
            model = size * np.exp(1j * (x[0] + x[1] * 100 * np.array(TIMES)))
            return float(np.sum(np.abs(signal - model) ** 2))

        start = [0.4, found[place] * RADIANS / 100]
        best = optimize.minimize(cost, start, method="Nelder-Mead", tol=1e-9)
        assert found[place] == pytest.approx(best.x[1] * 100 / RADIANS, abs=2e-5)


@pytest.mark.parametrize("smoothing", [0.0, 3.0])
def test_without_noise_it_is_the_line_and_the_truth(smoothing: float) -> None:
    phase, magnitude, field = echoes(0.0)
    options = {"offset_smoothing": smoothing, **HEAD}
    total, noise = nonlinear_fit(phase, magnitude, np.ones(SHAPE), **options)
    line, line_noise = weighted_fit(phase, magnitude, np.ones(SHAPE), **options)
    assert total.dtype == noise.dtype == np.float32
    np.testing.assert_allclose(total, field, atol=1e-5)
    np.testing.assert_allclose(total, line, atol=1e-5)
    np.testing.assert_array_equal(noise, line_noise)


def test_an_echo_off_by_a_turn_does_no_harm() -> None:
    phase, magnitude, field = echoes(0.3)
    phase[4, 4, 4, 3] += np.float32(2 * np.pi)
    errors = [
        abs(fit(phase, magnitude, np.ones(SHAPE), **HEAD)[0][4, 4, 4] - field[4, 4, 4])
        for fit in (weighted_fit, nonlinear_fit)
    ]
    assert errors[0] > 0.05
    assert errors[1] < 0.005


def test_one_echo_is_phase_over_time() -> None:
    phase, magnitude, _ = echoes(1.0)
    total, _ = nonlinear_fit(
        phase[..., :1], magnitude[..., :1], np.ones(SHAPE), echo_times=(0.004,), field_strength=3.0
    )
    np.testing.assert_allclose(total, phase[..., 0] / 0.004 / RADIANS, atol=1e-5)


def test_echo_times_must_fit() -> None:
    phase, magnitude, _ = echoes(0.0)
    with pytest.raises(InputError, match="expected 4, one for each echo, found 3"):
        nonlinear_fit(phase, magnitude, np.ones(SHAPE), echo_times=TIMES[:3], field_strength=3.0)
