"""Magnitude and phase of complex numbers."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.numerics.polar import from_polar, to_polar


def test_there_and_back() -> None:
    rng = np.random.default_rng(24)
    magnitude = rng.uniform(0.1, 900, (9, 8, 7, 3)).astype(np.float32)
    phase = rng.uniform(-np.pi, np.pi, magnitude.shape).astype(np.float32)
    offset = rng.uniform(-40, 40, (9, 8, 7)).astype(np.float32)
    signal = from_polar(magnitude, phase, offset)
    expected = magnitude * np.exp(1j * (phase - offset[..., None]).astype(np.float64))
    np.testing.assert_allclose(signal, expected, atol=1e-3)
    places = np.flatnonzero(rng.random((9, 8, 7)) < 0.5)
    size, angle = to_polar(signal, places)
    assert size.dtype == angle.dtype == np.float32
    np.testing.assert_allclose(size, magnitude.reshape(-1, 3)[places].T, rtol=1e-6)
    exact = np.angle(signal.astype(np.complex128)).reshape(-1, 3)[places].T
    np.testing.assert_allclose(angle, exact, atol=1e-6)


def test_angles_of_all_directions_and_of_zero() -> None:
    turn = np.linspace(-np.pi, np.pi, 4001)
    signal = np.concatenate([np.exp(1j * turn), [0, 1, -1, 1j, -1j, np.nan, np.inf]])
    signal = signal.astype(np.complex64).reshape(-1, 1, 1, 1)
    size, angle = to_polar(signal, np.arange(signal.size))
    np.testing.assert_allclose(angle[0, :4001], np.angle(signal[:4001].ravel()), atol=5e-7)
    expected = [0, 0, np.pi, np.pi / 2, -np.pi / 2, 0, 0]
    np.testing.assert_allclose(angle[0, 4001:], expected, atol=1e-6)
    np.testing.assert_array_equal(size[0, -2:], 0)
