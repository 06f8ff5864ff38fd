"""What lines through the echoes leave over."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.field.fit_residual import fit_residual
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.010, 0.016, 0.022)
SHAPE = (16, 15, 14)


def echoes(noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phase of a field and a smooth offset, magnitude, and the offset."""
    rng = np.random.default_rng(52)
    x, y, _ = np.indices(SHAPE)
    offset = 0.3 + 0.02 * x - 0.01 * y
    field = rng.uniform(-40, 40, SHAPE)
    phase = offset[..., None] + 2 * np.pi * field[..., None] * np.array(TIMES)
    magnitude = 100 * np.exp(-30 * np.array(TIMES)) * np.ones((*SHAPE, 1))
    phase = phase + noise / magnitude * rng.normal(size=phase.shape)
    return phase.astype(np.float32), magnitude.astype(np.float32), offset


def test_offset_is_found_and_the_residual_is_the_noise() -> None:
    phase, magnitude, offset = echoes(3.0)
    residual, found = fit_residual(phase, magnitude, np.ones(SHAPE), echo_times=TIMES)
    assert residual.dtype == found.dtype == np.float32
    assert np.abs(found - offset).max() < 0.05
    # three of four degrees of freedom are left; weights are the squared magnitude
    expected = 3.0 * np.sqrt(3) / np.sqrt((magnitude[0, 0, 0] ** 2).sum())
    assert np.sqrt((residual**2).mean()) == pytest.approx(expected, rel=0.05)


def test_an_echo_that_is_off_shows() -> None:
    phase, magnitude, _ = echoes(0.5)
    phase[8, 7, 6, 2] += 2 * np.pi
    residual, _ = fit_residual(phase, magnitude, np.ones(SHAPE), echo_times=TIMES)
    assert residual[8, 7, 6] > 1
    assert np.median(residual) < 0.02


def test_nothing_outside_the_brain() -> None:
    phase, magnitude, _ = echoes(1.0)
    brain = np.ones(SHAPE, np.uint8)
    brain[:5] = 0
    phase[:5] = np.nan
    for array in fit_residual(phase, magnitude, brain, echo_times=TIMES):
        assert (array[:5] == 0).all()
        assert np.isfinite(array).all()


def test_one_echo_is_too_few() -> None:
    one = np.ones((2, 2, 2, 1), np.float32)
    with pytest.raises(InputError, match="at least 2 echoes"):
        fit_residual(one, one, np.ones((2, 2, 2)), echo_times=(0.02,))
