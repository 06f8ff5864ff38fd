"""Differences between neighbours, with weights and duals, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.diffusion import add_diffusion, couple
from napari_qsm_stroke.core.numerics.gradient_duals import pull_duals, raise_duals

SHAPE = (5, 6, 4)
STEP = (1.0, 1.5, 2.0)


def gradient(x: np.ndarray) -> np.ndarray:
    return np.stack([(np.roll(x, -1, a) - x) / STEP[a] for a in range(3)])


def transposed(p: np.ndarray) -> np.ndarray:
    return sum((np.roll(p[a], 1, a) - p[a]) / STEP[a] for a in range(3))


def volumes(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(71)
    return [rng.normal(size=SHAPE).astype(np.float32) for _ in range(count)]


def random_edges() -> np.ndarray:
    return np.random.default_rng(72).integers(0, 16, SHAPE).astype(np.uint8)


def limits_of(edges: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return np.stack([limits[(edges >> a) & 1] for a in range(3)])


def test_the_pull_is_the_adjoint_of_the_gradient() -> None:
    x, y = volumes(2)
    none, edges = np.zeros(2, np.float32), random_edges()
    duals, pull = np.zeros((3, *SHAPE), np.float32), np.empty(SHAPE, np.float32)
    raise_duals(x, y.copy(), duals, edges, none, STEP)
    np.testing.assert_allclose(duals, gradient(x), atol=1e-6)
    other = np.stack(volumes(3))
    pull_duals(other, edges, none, STEP, pull)
    assert np.vdot(duals, other) == pytest.approx(np.vdot(x, pull), rel=1e-4)


def test_duals_are_clipped_and_turned() -> None:
    x, before, *old = volumes(5)
    limits, edges = np.array([0.2, 0.7], np.float32), random_edges()
    duals = np.stack(old)
    expected = gradient(x) + np.clip(old, -limits_of(edges, limits), limits_of(edges, limits))
    last, inside = before.copy(), (edges & 8) != 0
    change, size = raise_duals(x, before, duals, edges, limits, STEP)
    np.testing.assert_allclose(duals, expected, atol=1e-6)
    np.testing.assert_array_equal(before, x)
    assert change == pytest.approx(np.linalg.norm((x - last)[inside]), rel=1e-5)
    assert size == pytest.approx(np.linalg.norm(x[inside]), rel=1e-5)
    pull, border = np.empty(SHAPE, np.float32), limits_of(edges, limits)
    pull_duals(duals, edges, limits, STEP, pull)
    turned = expected - 2 * np.clip(expected, -border, border)
    np.testing.assert_allclose(pull, transposed(turned), atol=1e-5)


def test_the_quadratic_penalty_touches_the_absolute_one() -> None:
    x, y = volumes(2)
    strengths, edges = np.array([0.3, 2.0], np.float32), random_edges()
    coupling = np.empty((3, *SHAPE), np.float32)
    couple(x, edges, strengths, 1e-6, STEP, coupling)
    weights, steps = limits_of(edges, strengths), np.array(STEP).reshape(3, 1, 1, 1)

    def slope_of_sizes(v: np.ndarray) -> np.ndarray:
        return transposed(weights * np.sign(gradient(v)))

    found = np.zeros(SHAPE, np.float32)
    add_diffusion(x, coupling, found)
    np.testing.assert_allclose(found, slope_of_sizes(x), atol=1e-3)
    # a parabola above: 1/2 c d^2 + constant is never below the size
    touched = 0.5 * coupling * (gradient(x) * steps) ** 2
    above = 0.5 * coupling * (gradient(y) * steps) ** 2 + weights * np.abs(gradient(x)) - touched
    assert (above >= weights * np.abs(gradient(y)) - 1e-5).all()


def test_diffusion_is_symmetric_and_adds() -> None:
    x, y, *weights = volumes(5)
    coupling = np.abs(np.stack(weights))
    ax, ay, more = (np.zeros(SHAPE, np.float32) for _ in range(3))
    add_diffusion(x, coupling, ax)
    add_diffusion(y, coupling, ay)
    assert np.vdot(ax, y) == pytest.approx(np.vdot(x, ay), rel=1e-4)
    assert np.vdot(ax, x) > 0
    more += 1
    add_diffusion(x, coupling, more)
    np.testing.assert_allclose(more, ax + 1, atol=1e-5)
    constant = np.zeros(SHAPE, np.float32)
    add_diffusion(np.ones(SHAPE, np.float32), coupling, constant)
    assert not constant.any()
