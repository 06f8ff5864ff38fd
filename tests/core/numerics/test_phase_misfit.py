"""The misfit of phase against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from napari_qsm_stroke.core.numerics.phase_misfit import misfit_slope, nearest_phase

SHAPE = (4, 3, 5)
SCALE = 12.0


def misfit(model: np.ndarray, field: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return weight / SCALE**2 * (1 - np.cos(SCALE * (model - field)))


def volumes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(73)
    model, field = (rng.normal(0, 0.2, SHAPE).astype(np.float32) for _ in range(2))
    weight = rng.uniform(0, 1, SHAPE).astype(np.float32)
    weight[0] = 0
    return model, field, weight


def test_the_slope_is_the_derivative() -> None:
    model, field, weight = volumes()
    slope = np.empty(SHAPE, np.float32)
    misfit_slope(model, field, weight, SCALE, slope)
    h = 1e-5
    double = model.astype(float)
    expected = (misfit(double + h, field, weight) - misfit(double - h, field, weight)) / (2 * h)
    np.testing.assert_allclose(slope, expected, atol=1e-5)


def test_a_turn_does_not_pull_and_small_phases_are_the_field() -> None:
    field = np.zeros(SHAPE, np.float32)
    slope, weight = np.empty(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    misfit_slope(field + np.float32(2 * np.pi / SCALE), field, weight, SCALE, slope)
    assert np.abs(slope).max() < 1e-6
    misfit_slope(field + np.float32(1e-3), field, weight, SCALE, slope)
    np.testing.assert_allclose(slope, 1e-3, rtol=1e-4)


def test_each_voxel_finds_its_least_misfit() -> None:
    model, field, weight = volumes()
    penalty = 0.3
    start = (model + np.random.default_rng(74).normal(0, 0.02, SHAPE)).astype(np.float32)
    one = np.float32(1)
    for index in np.ndindex(*SHAPE):
        y, f, w = start[index], field[index], weight[index]
        found = nearest_phase(y, f, w, one * SCALE, one * penalty)

        def cost(z: float, f: float = f, w: float = w, y: float = y) -> float:
            return float(misfit(np.float64(z), f, w) + penalty / 2 * (z - y) ** 2)

        best = minimize_scalar(cost, bracket=(found - 1e-3, found + 1e-3))
        assert cost(found) <= cost(y) + 1e-9
        assert cost(found) == pytest.approx(best.fun, abs=1e-6 + 0.02 * cost(y))
        if w == 0:
            assert found == pytest.approx(y)
