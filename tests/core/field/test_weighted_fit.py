"""The slope of phase over time."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.field.weighted_fit import weighted_fit
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.010, 0.016, 0.028)
SHAPE = (14, 12, 10)
HZ_PER_PPM = 42.577478461 * 3.0


def echoes(
    noise: float, times: tuple[float, ...] = TIMES, seed: int = 50
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phase with an offset, magnitude with decay, and the field in ppm."""
    rng = np.random.default_rng(seed)
    x, y, z = np.indices(SHAPE)
    field = 0.1 + 0.02 * x - 0.01 * y + 0.005 * z
    decay = rng.uniform(15, 60, SHAPE)[..., None]
    time = np.array(times)
    magnitude = 100 * np.exp(-decay * time)
    offset = 0.8 if len(times) > 1 else 0.0
    clean = offset + 2 * np.pi * HZ_PER_PPM * field[..., None] * time
    phase = clean + noise / magnitude * rng.normal(size=magnitude.shape)
    return phase.astype(np.float32), magnitude.astype(np.float32), field


@pytest.mark.parametrize("times", [TIMES, TIMES[:2], (0.020,)])
def test_field_is_in_ppm_and_free_of_the_offset(times: tuple[float, ...]) -> None:
    phase, magnitude, field = echoes(0.0, times)
    total, noise = weighted_fit(
        phase, magnitude, np.ones(SHAPE), echo_times=times, field_strength=3.0
    )
    assert total.dtype == noise.dtype == np.float32
    np.testing.assert_allclose(total, field, atol=1e-5)


def test_equals_weighted_least_squares() -> None:
    phase, magnitude, _ = echoes(5.0)
    total, _ = weighted_fit(
        phase,
        magnitude,
        np.ones(SHAPE),
        echo_times=TIMES,
        field_strength=3.0,
        offset_smoothing=0.0,
    )
    for place in ((0, 0, 0), (7, 3, 9), (13, 11, 5)):
        slope = np.polyfit(TIMES, phase[place].astype(float), 1, w=magnitude[place])[0]
        assert total[place] == pytest.approx(slope / (2 * np.pi * HZ_PER_PPM), rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 3.0])
@pytest.mark.parametrize("times", [TIMES, TIMES[:2], (0.020,)])
def test_noise_is_the_scatter_of_the_field(times: tuple[float, ...], smoothing: float) -> None:
    fields, noises = [], []
    for seed in range(12):
        phase, magnitude, truth = echoes(2.0, times, seed)
        total, noise = weighted_fit(
            phase,
            magnitude,
            np.ones(SHAPE),
            echo_times=times,
            field_strength=3.0,
            offset_smoothing=smoothing,
        )
        fields.append((total - truth) / noise)
        noises.append(noise)
    assert np.std(fields) == pytest.approx(1, abs=0.12)
    assert np.mean(noises) > 0


def test_outside_the_brain_is_zero_and_nan_stays_there() -> None:
    phase, magnitude, field = echoes(0.0)
    brain = np.ones(SHAPE, np.uint8)
    brain[:4] = 0
    phase[:4] = np.nan
    magnitude[:4] = np.nan
    total, noise = weighted_fit(phase, magnitude, brain, echo_times=TIMES, field_strength=3.0)
    assert (total[:4] == 0).all()
    assert (noise[:4] == 0).all()
    np.testing.assert_allclose(total[4:], field[4:], atol=1e-5)


def test_echo_times_must_fit() -> None:
    phase, magnitude, _ = echoes(0.0)
    with pytest.raises(InputError, match="expected 4, one for each echo, found 3"):
        weighted_fit(phase, magnitude, np.ones(SHAPE), echo_times=TIMES[:3], field_strength=3.0)


def test_an_offset_of_the_neighbourhood_halves_the_noise() -> None:
    phase, magnitude, field = echoes(2.0)
    x, y, _ = np.indices(SHAPE)
    phase = phase + (0.02 * x - 0.01 * y + 2.6)[..., None].astype(np.float32)  # beyond half a turn
    errors = []
    for smoothing in (0.0, 2.5):
        total, _ = weighted_fit(
            phase,
            magnitude,
            np.ones(SHAPE),
            echo_times=TIMES,
            field_strength=3.0,
            offset_smoothing=smoothing,
        )
        errors.append(np.std(total - field))
    assert errors[1] < 0.6 * errors[0]


def test_an_offset_of_another_turn_in_a_cut_off_part_does_no_harm() -> None:
    phase, magnitude, field = echoes(1.0)
    brain = np.ones(SHAPE, np.uint8)
    brain[7] = 0
    phase[8:] += np.float32(2 * np.pi)
    total, _ = weighted_fit(phase, magnitude, brain, echo_times=TIMES, field_strength=3.0)
    assert np.abs(total - field)[brain > 0].max() < 0.02
