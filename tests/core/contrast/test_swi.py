"""Susceptibility-weighted image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.contrast.swi import swi

TIMES = (0.010, 0.021, 0.030)


def scene(sign: float) -> tuple[np.ndarray, np.ndarray]:
    """A bright block with a slow phase and one thin line whose phase differs."""
    x, y, z = np.indices((40, 36, 32))
    slow = 0.15 * x - 0.1 * y + 0.002 * z**2
    line = (abs(x - 20) <= 1) & (abs(y - 18) <= 1)
    phase = slow[..., None] + sign * line[..., None] * np.array([0.5, 1.0, 1.4])
    wrapped = np.angle(np.exp(1j * phase)).astype(np.float32)
    return np.full_like(wrapped, 100), wrapped


def test_paramagnetic_lines_are_darkened_and_nothing_else() -> None:
    image = swi(*scene(1.0), echo_times=TIMES, field_strength=3.0)
    assert image.dtype == np.float32
    assert image[20, 18, 8:24].max() < 40
    away = image[8:14, 8:28, 8:24]
    assert away.min() > 80
    assert image.max() <= 100.01


def test_diamagnetic_lines_stay_bright() -> None:
    image = swi(*scene(-1.0), echo_times=TIMES, field_strength=3.0)
    assert image[20, 18, 8:24].min() > 99


@pytest.mark.parametrize(("tesla", "echo"), [(3.0, 1), (7.0, 0), (1.5, 2)])
def test_the_echo_is_that_of_a_usual_swi(tesla: float, echo: int) -> None:
    rng = np.random.default_rng(80)
    magnitude = rng.uniform(1, 2, (8, 8, 8, 3)).astype(np.float32)
    found = swi(magnitude, 0 * magnitude, echo_times=TIMES, field_strength=tesla)
    np.testing.assert_allclose(found, magnitude[..., echo], rtol=0.01)


def test_power_multiplies_the_mask() -> None:
    once = swi(*scene(1.0), echo_times=TIMES, field_strength=3.0, power=1) / 100
    often = swi(*scene(1.0), echo_times=TIMES, field_strength=3.0, power=4) / 100
    np.testing.assert_allclose(often, once**4, atol=1e-4)


def test_nan_becomes_zero() -> None:
    magnitude, phase = scene(1.0)
    magnitude[0, 0, 0] = phase[1, 0, 0] = np.nan
    image = swi(magnitude, phase, echo_times=TIMES, field_strength=3.0)
    assert np.isfinite(image).all()
    assert image[0, 0, 0] == image[1, 0, 0] == 0


def test_the_offset_is_taken_from_the_phase() -> None:
    magnitude, phase = scene(1.0)
    rough = np.random.default_rng(81).uniform(-3, 3, (*phase.shape[:3], 1)).astype(np.float32)
    found = swi(magnitude, phase + rough, rough, echo_times=TIMES, field_strength=3.0)
    expected = swi(magnitude, phase, echo_times=TIMES, field_strength=3.0)
    np.testing.assert_allclose(found, expected, atol=0.01)
