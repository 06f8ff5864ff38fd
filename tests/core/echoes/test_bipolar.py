"""The phase by which odd and even echoes differ."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.echoes.bipolar import bipolar
from napari_qsm_stroke.errors import InputError

TIMES = (0.004, 0.009, 0.014, 0.019)
SHAPE = (24, 30, 20)


def scan(slope: float, noise: float = 2.0, seed: int = 33) -> tuple[np.ndarray, np.ndarray]:
    """Signal with a ramp of that many rad/voxel that changes its sign, and without it."""
    rng = np.random.default_rng(seed)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    inside = x**2 / 100 + y**2 / 160 + z**2 / 70 < 1
    field = 20 + 3 * x - 2 * y + 60 * np.exp(-(x**2 + y**2 + z**2) / 10)
    angle = (0.7 + 0.05 * z)[..., None] + 2 * np.pi * field[..., None] * np.array(TIMES)
    clean = 100 * inside[..., None] * np.exp(-30 * np.array(TIMES) + 1j * angle)
    clean = clean + noise * (rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape))
    ramp = 0.3 + slope * x - 0.02 * y
    sign = np.array([1, -1, 1, -1])
    turned = clean * np.exp(1j * ramp[..., None] * sign)
    return turned.astype(np.complex64), clean.astype(np.complex64)


def corrected(signal: np.ndarray) -> np.ndarray:
    """Signal less the offset that is found in it."""
    offset = bipolar(np.abs(signal), np.angle(signal), echo_times=TIMES)
    assert offset.dtype == np.float32
    return np.asarray(signal * np.exp(-1j * offset))


def left_over(found: np.ndarray, clean: np.ndarray) -> float:
    """Largest angle in rad by which the two differ in the object."""
    inside = np.abs(clean[..., 0]) > 30
    return float(np.abs(np.angle(found * clean.conj())[inside]).max())


@pytest.mark.parametrize("slope", [0.05, -0.4, 0.7])
def test_the_ramp_is_found_however_steep(slope: float) -> None:
    signal, clean = scan(slope)
    assert left_over(corrected(signal), clean) < 0.02


def test_a_monopolar_readout_is_left_alone() -> None:
    _, clean = scan(0.0)
    assert left_over(corrected(clean), clean) < 0.01


@pytest.mark.parametrize("echoes", [1, 4])
def test_it_is_added_to_the_offset_that_is_known(echoes: int) -> None:
    signal, _ = scan(0.1)
    magnitude, phase = np.abs(signal), np.angle(signal)
    known = np.random.default_rng(34).normal(size=(*SHAPE, echoes)).astype(np.float32)
    ramp = bipolar(magnitude, phase, echo_times=TIMES)
    both = bipolar(magnitude, phase, known, echo_times=TIMES)
    np.testing.assert_allclose(both, ramp + known, atol=1e-6)


def test_not_finite_does_not_spoil_the_rest() -> None:
    signal, clean = scan(0.1)
    phase = np.angle(signal)
    phase[3, 4, 5, 1] = np.nan
    offset = bipolar(np.abs(signal), phase, echo_times=TIMES)
    assert np.isfinite(offset).all()
    assert left_over(signal * np.exp(-1j * offset), clean) < 0.02


def test_two_echoes_are_too_few_and_distances_must_be_equal() -> None:
    signal, _ = scan(0.1)
    magnitude, phase = np.abs(signal), np.angle(signal)
    with pytest.raises(InputError, match="at least 3 echoes"):
        bipolar(magnitude[..., :2], phase[..., :2], echo_times=TIMES[:2])
    with pytest.raises(InputError, match=r"equal distances, found 5.00 to 9.00 ms"):
        bipolar(magnitude, phase, echo_times=(0.004, 0.009, 0.014, 0.023))
