"""Transforms, lengths and smoothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.fourier import (
    backward,
    backward_packed,
    fast_shape,
    forward,
    forward_packed,
    smooth_complex,
    spectral_mean,
)


@pytest.mark.parametrize("shape", [(16, 12, 10), (15, 13, 11)])
def test_there_and_back(shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    spectrum = forward(volume)
    assert spectrum.dtype == np.complex64
    assert spectrum.shape == (shape[0], shape[1], shape[2] // 2 + 1)
    back = backward(spectrum, shape)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, volume, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 6, 10), (7, 9, 5), (6, 5, 2)])
def test_mean_is_that_of_the_whole_spectrum(shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(3).normal(size=shape)
    power = np.abs(np.fft.fftn(volume)) ** 2
    half = power[..., : shape[2] // 2 + 1].astype(np.float32)
    assert spectral_mean(half, shape) == pytest.approx(power.mean(), rel=1e-5)


def test_packed_pair_is_two_real_transforms() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 8, 9, 10)).astype(np.float32)
    packed = forward_packed((a + 1j * b).astype(np.complex64))
    expected = np.fft.fftn(a) + 1j * np.fft.fftn(b)
    np.testing.assert_allclose(packed, expected, atol=1e-3)
    back = backward_packed(packed)
    np.testing.assert_allclose(back.real, a, atol=1e-5)
    np.testing.assert_allclose(back.imag, b, atol=1e-5)


def test_lengths_are_fast_and_the_same_on_every_axis() -> None:
    shape = fast_shape((205, 131, 67), (4, 0, 0))
    for wanted, got in zip((209, 131, 67), shape, strict=True):
        assert got >= wanted
        for prime in (2, 3, 5):
            while got % prime == 0:
                got //= prime
        assert got == 1
    assert fast_shape((67, 205, 131), (0, 4, 0)) == (shape[2], shape[0], shape[1])


def test_smoothing_is_a_gaussian_in_mm_with_zeros_around() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 21, 18, 15)).astype(np.float32)
    smooth = smooth_complex((a + 1j * b).astype(np.complex64), (1.0, 1.5, 2.0), 3.0)
    for part, volume in ((smooth.real, a), (smooth.imag, b)):
        expected = ndimage.gaussian_filter(
            volume.astype(float), (3.0, 2.0, 1.5), mode="constant", truncate=6
        )
        np.testing.assert_allclose(part, expected, atol=2e-3 * np.abs(expected).max())
