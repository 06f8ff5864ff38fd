"""Echoes at the places of a mask."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.wrapped_phase import wrapped_echoes
from napari_qsm_stroke.errors import InputError

SHAPE = (9, 8, 7, 3)


@pytest.mark.parametrize("echoes", [0, 1, 3])
def test_phase_is_wrapped_after_its_offset_is_taken(echoes: int) -> None:
    rng = np.random.default_rng(24)
    magnitude = rng.uniform(0.1, 900, SHAPE).astype(np.float32)
    phase = rng.uniform(-50, 50, SHAPE).astype(np.float32)
    offset = rng.uniform(-40, 40, (*SHAPE[:3], echoes)).astype(np.float32) if echoes else None
    places = np.flatnonzero(rng.random(SHAPE[:3]) < 0.5)
    size, angle = wrapped_echoes(magnitude, phase, places, offset)
    assert size.dtype == angle.dtype == np.float32
    np.testing.assert_array_equal(size, magnitude.reshape(-1, 3)[places].T)
    whole = phase.astype(np.float64) - (0 if offset is None else offset)
    expected = whole.reshape(-1, 3)[places].T
    assert np.abs(np.angle(np.exp(1j * (angle - expected)))).max() < 2e-5
    assert np.abs(angle).max() < np.pi + 1e-6


def test_order_in_memory_and_precision_do_not_matter() -> None:
    rng = np.random.default_rng(32)
    magnitude, phase = rng.uniform(0, 3, (2, *SHAPE)).astype(np.float32)
    places = np.arange(100)
    expected = wrapped_echoes(magnitude, phase, places)
    found = wrapped_echoes(np.asfortranarray(magnitude), phase.astype(np.float64), places)
    np.testing.assert_array_equal(found, expected)


def test_what_is_not_finite_is_zero() -> None:
    magnitude = np.array([1, np.nan, np.inf, 2, 5], np.float32).reshape(1, 1, 5, 1)
    phase = np.array([1, 1, 1, np.nan, -1], np.float32).reshape(1, 1, 5, 1)
    size, angle = wrapped_echoes(magnitude, phase, np.arange(5))
    np.testing.assert_array_equal(size, [[1, 0, 0, 0, 5]])
    np.testing.assert_array_equal(angle, [[1, 0, 0, 0, -1]])


def test_shapes_must_agree() -> None:
    echoes = np.ones(SHAPE, np.float32)
    with pytest.raises(InputError, match="magnitude"):
        wrapped_echoes(echoes, echoes[..., :2], np.arange(3))
    with pytest.raises(InputError, match=r"\(9, 8, 7, 2\) does not fit"):
        wrapped_echoes(echoes, echoes, np.arange(3), echoes[..., :2])
