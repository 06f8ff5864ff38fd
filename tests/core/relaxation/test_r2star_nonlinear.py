"""R2* by a fit to the magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from napari_qsm_stroke.core.relaxation.r2star_nonlinear import r2star_nonlinear
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.010, 0.016, 0.030)


def test_decay_is_found_for_any_spacing() -> None:
    truth = np.linspace(0, 120, 60).reshape(5, 4, 3)
    magnitude = 700 * np.exp(-truth[..., None] * np.array(TIMES))
    found = r2star_nonlinear(magnitude.astype(np.float32), np.ones(truth.shape), echo_times=TIMES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth, atol=5e-3)


def test_is_the_best_fit_of_an_exponential() -> None:
    rng = np.random.default_rng(72)
    clean = 100 * np.exp(-60 * np.array(TIMES))
    magnitude = np.abs(clean + rng.normal(0, 8, (3, 3, 3, 4))).astype(np.float32)
    found = r2star_nonlinear(magnitude, np.ones((3, 3, 3)), echo_times=TIMES)
    for place in np.ndindex(3, 3, 3):
        best = optimize.least_squares(
            lambda x, place=place: (
                100 * x[0] * np.exp(-100 * x[1] * np.array(TIMES)) - magnitude[place]
            ),
            [1, found[place] / 100],
            bounds=([0, 0], [np.inf, np.inf]),
        )
        assert found[place] == pytest.approx(100 * best.x[1], abs=0.1)


def test_no_signal_gives_zero() -> None:
    magnitude = np.zeros((2, 2, 2, 4), np.float32)
    magnitude[0] = np.nan
    found = r2star_nonlinear(magnitude, np.ones((2, 2, 2)), echo_times=TIMES)
    np.testing.assert_array_equal(found, 0)


def test_one_echo_is_too_few() -> None:
    with pytest.raises(InputError, match="at least 2 echoes"):
        r2star_nonlinear(np.ones((2, 2, 2, 1), np.float32), np.ones((2, 2, 2)), echo_times=(0.02,))
