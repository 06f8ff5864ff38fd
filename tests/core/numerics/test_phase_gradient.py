"""The gradient and the Laplacian of the field from wrapped phase."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.generalised_variation import stencil
from napari_qsm_stroke.core.numerics.phase_gradient import add_echo, laplacian_of, steps_agree

STEP = (1.0, 0.8, 1.4)
SHAPE = (9, 8, 10)


def slopes_of(
    field: np.ndarray, times: tuple[float, ...], magnitudes: tuple[float, ...] | None = None
) -> np.ndarray:
    """Steps between neighbours of a field in rad/s, from wrapped echoes."""
    slopes, shares = (np.zeros((3, *field.shape), np.float32) for _ in range(2))
    for time, size in zip(times, magnitudes or (1.0,) * len(times), strict=True):
        phase = np.angle(np.exp(1j * field * time)).astype(np.float32)
        add_echo(np.full(field.shape, size, np.float32), phase, time, slopes, shares)
    return slopes


def test_steps_and_laplacian_are_those_of_the_field() -> None:
    field = np.random.default_rng(423).normal(0, 5.0, SHAPE)
    slopes = slopes_of(field, (0.01, 0.02))
    for axis in range(3):
        known = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        np.testing.assert_allclose(slopes[axis][known], np.diff(field, axis=axis), atol=1e-3)
        assert (np.take(slopes[axis], -1, axis) == 0).all()
    x, y, z = (np.arange(n) * d for n, d in zip(SHAPE, STEP, strict=True))
    x, y, z = np.meshgrid(x, y, z, indexing="ij")
    bowl = 0.5 * x**2 - 0.2 * y**2 + 0.4 * z**2 + 0.3 * x * y
    deep = (slice(2, -2),) * 3
    np.testing.assert_allclose(laplacian_of(slopes_of(bowl, (0.02,)), STEP)[deep], 1.4, atol=2e-3)
    plain = stencil((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), STEP).astype(float)
    wanted = plain[0] * field
    for axis in range(3):
        wanted += plain[1 + axis] * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    for index, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        for part, sign in ((4, 1), (7, -1)):
            for s in (1, -1):
                wanted += plain[part + index] * np.roll(field, (s, sign * s), (a, b))
    np.testing.assert_allclose(laplacian_of(slopes, STEP)[deep], wanted[deep], atol=0.02)


def test_later_echoes_are_unwrapped_by_earlier_ones() -> None:
    times, slope = (0.002, 0.007, 0.02), 600.0
    assert slope * times[0] < np.pi < slope * times[1]
    field = slope * np.arange(6.0)[:, None, None] * np.ones((1, 3, 3))
    slopes = slopes_of(field, times)
    np.testing.assert_allclose(slopes[0, :-1], slope, rtol=1e-4)
    np.testing.assert_allclose(slopes[1, :, :-1], 0, atol=1e-2)


def test_bright_and_late_echoes_count_more() -> None:
    times, sizes, steps = (0.01, 0.02), (10.0, 1.0), (0.1, 0.4)
    slopes, shares = (np.zeros((3, 2, 1, 1), np.float32) for _ in range(2))
    for time, size, step in zip(times, sizes, steps, strict=True):
        phase = np.array([0, step], np.float32).reshape(2, 1, 1)
        add_echo(np.full((2, 1, 1), size, np.float32), phase, time, slopes, shares)
    weights = np.square(sizes)
    wanted = (weights * times * steps).sum() / (weights * np.square(times)).sum()
    assert slopes[0, 0, 0, 0] == pytest.approx(wanted, rel=1e-4)
    assert shares[0, 0, 0, 0] == pytest.approx((weights * np.square(times)).sum(), rel=1e-4)


def test_without_signal_nothing_counts() -> None:
    slopes, shares = (np.zeros((3, 2, 1, 1), np.float32) for _ in range(2))
    phase = np.array([0, 1], np.float32).reshape(2, 1, 1)
    for bright in (0.0, 1.0, 0.0):
        magnitude = np.array([1, bright], np.float32).reshape(2, 1, 1)
        add_echo(magnitude, (0.5 + bright) * phase, 0.01, slopes, shares)
    assert slopes[0, 0, 0, 0] == pytest.approx(150)


def test_steps_that_are_not_those_of_one_field_are_found() -> None:
    """A step that is a turn too large spoils the four voxels round each face that it bounds."""
    field = np.random.default_rng(424).normal(0, 20.0, SHAPE)
    slopes = slopes_of(field, (0.01, 0.02), (1.0, 2.0))
    deep = (slice(1, -1),) * 3
    assert steps_agree(slopes, 1.0)[deep].all()
    slopes[1, 4, 4, 5] += 2 * np.pi / 0.02
    wrong = np.zeros(SHAPE, bool)
    wrong[3:6, 4:6, 5] = wrong[4, 4:6, 4:7] = True
    np.testing.assert_array_equal(steps_agree(slopes, 1.0)[deep], ~wrong[deep])
