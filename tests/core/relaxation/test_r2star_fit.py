"""R2* from the decay."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.relaxation.r2star_fit import r2star_fit
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.010, 0.016, 0.030)


def test_decay_is_found_for_any_spacing() -> None:
    truth = np.linspace(0, 120, 6 * 5 * 4).reshape(6, 5, 4)
    magnitude = 700 * np.exp(-truth[..., None] * np.array(TIMES))
    found = r2star_fit(magnitude.astype(np.float32), np.ones(truth.shape), echo_times=TIMES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth, atol=2e-3)


def test_equals_weighted_least_squares_of_the_logarithm() -> None:
    rng = np.random.default_rng(70)
    magnitude = rng.uniform(20, 100, (3, 3, 3, 4)).astype(np.float32)
    found = r2star_fit(magnitude, np.ones((3, 3, 3)), echo_times=TIMES)
    for place in np.ndindex(3, 3, 3):
        values = magnitude[place].astype(float)
        slope = np.polyfit(TIMES, np.log(values), 1, w=values)[0]
        assert found[place] == pytest.approx(max(0, -slope), abs=1e-2)


def test_growing_signal_zero_and_nan_give_zero() -> None:
    magnitude = np.array(
        [[1, 2, 3, 4], [0, 0, 0, 0], [np.nan] * 4, [100, 0, 0, 0]], np.float32
    ).reshape(4, 1, 1, 4)
    found = r2star_fit(magnitude, np.ones((4, 1, 1)), echo_times=TIMES)
    np.testing.assert_array_equal(found.ravel(), 0)


def test_outside_the_brain_is_zero() -> None:
    magnitude = np.exp(-50 * np.array(TIMES)) * np.ones((2, 2, 2, 1))
    brain = np.zeros((2, 2, 2), np.uint8)
    brain[0] = 1
    found = r2star_fit(magnitude.astype(np.float32), brain, echo_times=TIMES)
    assert (found[1] == 0).all()
    assert (found[0] > 49).all()


def test_one_echo_is_too_few() -> None:
    with pytest.raises(InputError, match="at least 2 echoes"):
        r2star_fit(np.ones((2, 2, 2, 1), np.float32), np.ones((2, 2, 2)), echo_times=(0.02,))
