"""Susceptibility-weighted image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.contrast.swi import swi

TIMES = (0.010, 0.021, 0.030)


def scene(sign: float) -> np.ndarray:
    """A bright block with a slow phase and one thin line whose phase differs."""
    x, y, z = np.indices((40, 36, 32))
    slow = 0.15 * x - 0.1 * y + 0.002 * z**2
    line = (abs(x - 20) <= 1) & (abs(y - 18) <= 1)
    phase = slow[..., None] + sign * line[..., None] * np.array([0.5, 1.0, 1.4])
    return (100 * np.exp(1j * phase)).astype(np.complex64)


def test_paramagnetic_lines_are_darkened_and_nothing_else() -> None:
    image = swi(scene(1.0), echo_times=TIMES, field_strength=3.0)
    assert image.dtype == np.float32
    assert image[20, 18, 8:24].max() < 40
    away = image[8:14, 8:28, 8:24]
    assert away.min() > 80
    assert image.max() <= 100.01


def test_diamagnetic_lines_stay_bright() -> None:
    image = swi(scene(-1.0), echo_times=TIMES, field_strength=3.0)
    assert image[20, 18, 8:24].min() > 99


@pytest.mark.parametrize(("tesla", "echo"), [(3.0, 1), (7.0, 0), (1.5, 2)])
def test_the_echo_is_that_of_a_usual_swi(tesla: float, echo: int) -> None:
    rng = np.random.default_rng(80)
    signal = rng.uniform(1, 2, (8, 8, 8, 3)).astype(np.complex64)
    found = swi(signal, echo_times=TIMES, field_strength=tesla)
    np.testing.assert_allclose(found, signal[..., echo].real, rtol=0.01)


def test_power_multiplies_the_mask() -> None:
    once = swi(scene(1.0), echo_times=TIMES, field_strength=3.0, power=1) / 100
    often = swi(scene(1.0), echo_times=TIMES, field_strength=3.0, power=4) / 100
    np.testing.assert_allclose(often, once**4, atol=1e-4)


def test_nan_becomes_zero() -> None:
    signal = scene(1.0)
    signal[0, 0, 0] = np.nan
    image = swi(signal, echo_times=TIMES, field_strength=3.0)
    assert np.isfinite(image).all()
    assert image[0, 0, 0] == 0
