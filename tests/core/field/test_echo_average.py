"""The average of the echoes: right without an offset, as noisy as it says, and biased with one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.field.echo_average import echo_average
from napari_qsm_stroke.core.field.weighted_fit import weighted_fit
from napari_qsm_stroke.errors import InputError

TIMES = (0.005, 0.012, 0.024)
SHAPE = (16, 15, 14)
RADIANS = 2 * np.pi * 42.577478461 * 3.0


def echoes(noise: float, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phase and magnitude of decaying echoes, and their field in ppm."""
    rng = np.random.default_rng(61)
    field = 0.05 * rng.normal(size=SHAPE)
    magnitude = 100 * np.exp(-rng.uniform(15, 60, SHAPE)[..., None] * np.array(TIMES))
    phase = offset + RADIANS * field[..., None] * np.array(TIMES)
    phase += noise / magnitude * rng.normal(size=magnitude.shape)
    return phase.astype(np.float32), magnitude.astype(np.float32), field


def average(phase: np.ndarray, magnitude: np.ndarray, **others: object) -> list[np.ndarray]:
    mask = np.ones(SHAPE, np.uint8)
    made = echo_average(phase, magnitude, mask, echo_times=TIMES, field_strength=3.0, **others)
    return list(made)


@pytest.mark.parametrize("weights", ["precision", "magnitude", "equal"])
def test_field_is_exact_without_noise_and_offset(weights: str) -> None:
    phase, magnitude, field = echoes(0.0)
    total, _ = average(phase, magnitude, weights=weights)
    np.testing.assert_allclose(total, field, atol=1e-6)


@pytest.mark.parametrize("weights", ["precision", "magnitude", "equal"])
def test_noise_is_the_scatter(weights: str) -> None:
    phase, magnitude, field = echoes(2.0)
    total, noise = average(phase, magnitude, weights=weights)
    assert np.std((total - field) / noise) == pytest.approx(1.0, rel=0.06)


def test_precision_is_the_least_noisy_and_less_so_than_a_line_with_intercept() -> None:
    phase, magnitude, field = echoes(2.0)
    error = {
        w: np.std(average(phase, magnitude, weights=w)[0] - field)
        for w in ("precision", "magnitude", "equal")
    }
    line, _ = weighted_fit(
        phase,
        magnitude,
        np.ones(SHAPE),
        echo_times=TIMES,
        field_strength=3.0,
        offset_smoothing=0.0,
    )
    assert error["precision"] < 0.9 * min(error["magnitude"], error["equal"])
    assert error["precision"] < 0.8 * np.std(line - field)


def test_an_offset_is_taken_for_field() -> None:
    phase, magnitude, field = echoes(0.0, offset=0.5)
    total, _ = average(phase, magnitude, weights="equal")
    wanted = 0.5 / RADIANS * np.mean(1 / np.array(TIMES))
    np.testing.assert_allclose(total - field, wanted, rtol=1e-3)


def test_late_echoes_and_lost_ones_do_not_count() -> None:
    phase, magnitude, field = echoes(0.0)
    phase[..., 2] += 2
    np.testing.assert_allclose(average(phase, magnitude, latest=0.02)[0], field, atol=1e-6)
    magnitude[..., 2] = 0
    np.testing.assert_allclose(average(phase, magnitude)[0], field, atol=1e-6)
    first, _ = average(phase, magnitude, latest=0.001)
    np.testing.assert_allclose(first, phase[..., 0] / (RADIANS * TIMES[0]), atol=1e-6)
    assert not any(a.any() for a in average(phase, 0 * magnitude))


def test_each_echo_needs_its_time() -> None:
    phase, magnitude, _ = echoes(0.0)
    with pytest.raises(InputError, match="expected 2, one for each echo, found 3"):
        average(phase[..., :2], magnitude[..., :2])
