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


@pytest.mark.parametrize("slope", [0.05, -0.4, 0.7])
def test_the_ramp_is_found_however_steep(slope: float) -> None:
    signal, clean = scan(slope)
    signal.flags.writeable = False
    found = bipolar(signal, echo_times=TIMES)
    assert found.dtype == np.complex64
    inside = np.abs(clean[..., 0]) > 30
    left = np.angle(found * clean.conj())[inside]
    assert np.abs(left).max() < 0.02
    np.testing.assert_allclose(np.abs(found), np.abs(signal), rtol=1e-4, atol=1e-3)


def test_a_monopolar_readout_is_left_alone() -> None:
    _, clean = scan(0.0)
    found = bipolar(clean, echo_times=TIMES)
    inside = np.abs(clean[..., 0]) > 30
    assert np.abs(np.angle(found * clean.conj())[inside]).max() < 0.01


def test_not_finite_is_no_signal() -> None:
    signal, clean = scan(0.1)
    signal[3, 4, 5, 1] = np.nan
    found = bipolar(signal, echo_times=TIMES)
    assert np.isfinite(found).all()
    inside = np.abs(clean[..., 0]) > 30
    assert np.abs(np.angle(found * clean.conj())[inside]).max() < 0.02


def test_two_echoes_are_too_few_and_distances_must_be_equal() -> None:
    signal, _ = scan(0.1)
    with pytest.raises(InputError, match="at least 3 echoes"):
        bipolar(signal[..., :2], echo_times=TIMES[:2])
    with pytest.raises(InputError, match=r"equal distances, found 5.00 to 9.00 ms"):
        bipolar(signal, echo_times=(0.004, 0.009, 0.014, 0.023))
