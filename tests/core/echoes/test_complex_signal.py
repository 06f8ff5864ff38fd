"""Magnitude and phase as one signal."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.echoes.complex_signal import complex_signal


def test_signal_has_magnitude_and_phase() -> None:
    rng = np.random.default_rng(31)
    magnitude = rng.uniform(0, 1000, (5, 6, 7, 2)).astype(np.float32)
    phase = rng.uniform(-np.pi, np.pi, magnitude.shape).astype(np.float32)
    signal = complex_signal(magnitude, phase)
    assert signal.dtype == np.complex64
    np.testing.assert_allclose(signal, magnitude * np.exp(1j * phase), atol=1e-3)


def test_order_in_memory_does_not_matter() -> None:
    rng = np.random.default_rng(32)
    magnitude, phase = rng.uniform(0, 3, (2, 5, 6, 7, 2)).astype(np.float32)
    other = complex_signal(np.asfortranarray(magnitude), np.asfortranarray(phase))
    np.testing.assert_array_equal(other, complex_signal(magnitude, phase))


def test_not_finite_is_no_signal() -> None:
    magnitude = np.array([1, np.nan, np.inf, 2], np.float32).reshape(1, 1, 4, 1)
    phase = np.array([0, 1, 1, np.nan], np.float32).reshape(1, 1, 4, 1)
    np.testing.assert_array_equal(complex_signal(magnitude, phase).ravel(), [1, 0, 0, 0])
