"""R2* without a logarithm."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.relaxation.arlo import arlo
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.008, 0.012, 0.016, 0.020)


def decay(rates: np.ndarray) -> np.ndarray:
    return (300 * np.exp(-rates[..., None] * np.array(TIMES))).astype(np.float32)


def test_decay_is_found() -> None:
    truth = np.linspace(0, 120, 60).reshape(5, 4, 3)
    found = arlo(decay(truth), np.ones(truth.shape), echo_times=TIMES)
    assert found.dtype == np.float32
    # a parabola through three echoes: exact to the fourth order of rate times spacing
    np.testing.assert_allclose(found, truth, rtol=1e-3, atol=1e-3)


def test_noise_does_no_more_harm_than_to_the_best_line() -> None:
    rng = np.random.default_rng(71)
    truth = np.full((20, 20, 20), 40.0)
    noisy = decay(truth) + rng.normal(0, 3, (20, 20, 20, 5)).astype(np.float32)
    found = arlo(noisy, np.ones(truth.shape), echo_times=TIMES)
    # bound of the variance for a known noise: Fisher information of size and rate
    times = np.array(TIMES)
    model = 300 * np.exp(-40 * times)
    derivative = np.stack([model / 300, -times * model])
    bound = 3 * np.sqrt(np.linalg.inv(derivative @ derivative.T)[1, 1])
    assert abs(found.mean() - 40) < 0.2
    assert found.std() < 1.15 * bound


def test_nothing_outside_the_brain_and_no_negative_rates() -> None:
    growing = np.arange(1, 6, dtype=np.float32) * np.ones((2, 2, 2, 1), np.float32)
    growing[0, 0, 0] = np.nan
    brain = np.ones((2, 2, 2), np.uint8)
    np.testing.assert_array_equal(arlo(growing, brain, echo_times=TIMES), 0)
    brain[1] = 0
    found = arlo(decay(np.full((2, 2, 2), 50.0)), brain, echo_times=TIMES)
    assert (found[1] == 0).all()
    assert (found[0] > 49).all()


def test_echoes_must_be_three_at_equal_distances() -> None:
    with pytest.raises(InputError, match="at least 3 echoes"):
        arlo(np.ones((2, 2, 2, 2), np.float32), np.ones((2, 2, 2)), echo_times=TIMES[:2])
    with pytest.raises(InputError, match="equal distances"):
        arlo(np.ones((2, 2, 2, 3), np.float32), np.ones((2, 2, 2)), echo_times=(0.01, 0.02, 0.04))
