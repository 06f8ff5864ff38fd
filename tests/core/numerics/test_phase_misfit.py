"""The misfit of phase against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from napari_qsm_stroke.core.numerics.phase_misfit import fit_phase, misfit_slope

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


def test_the_parabola_has_its_minimum_where_the_misfit_has_it() -> None:
    model, field, weight = volumes()
    dual = np.random.default_rng(74).normal(0, 0.02, SHAPE).astype(np.float32)
    packed = (0.3 + 1j * model).astype(np.complex64)
    target, strength = np.empty(SHAPE, np.float32), np.empty(SHAPE, np.float32)
    penalty = 0.3
    fit_phase(packed, dual, field, weight, SCALE, penalty, 40, target, strength)
    y = model + dual
    found = (strength * target + penalty * y) / (strength + penalty)
    for index in np.ndindex(*SHAPE):

        def cost(z: float, i: tuple[int, ...] = index) -> float:
            return float(misfit(np.float64(z), field[i], weight[i]) + penalty / 2 * (z - y[i]) ** 2)

        near = minimize_scalar(cost, bracket=(found[index] - 1e-3, found[index] + 1e-3))
        assert found[index] == pytest.approx(near.x, abs=2e-4)
        assert cost(found[index]) <= cost(y[index]) + 1e-7
    assert (strength[0] == 0).all()
