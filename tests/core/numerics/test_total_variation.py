"""The fused passes against the same steps written plainly."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.mask_rows import MaskRows
from napari_qsm_stroke.core.numerics.total_variation import (
    INSIDE,
    costly_edges,
    descend,
    difference_power,
    step_duals,
)
from napari_qsm_stroke.core.physics.dipole import dipole_axes, dipole_kernel
from napari_qsm_stroke.core.physics.dipole_solver import solve_spectrum

STEP = (1.0, 0.9, 1.6)
LIMITS = np.array([0.01, 0.05], np.float32)


def forward_differences(x: np.ndarray) -> np.ndarray:
    return np.stack([(np.roll(x, -1, a) - x) / STEP[a] for a in range(3)])


def adjoint(p: np.ndarray) -> np.ndarray:
    return sum((np.roll(p[a], 1, a) - p[a]) / STEP[a] for a in range(3))


def tops(edges: np.ndarray) -> np.ndarray:
    return np.stack([LIMITS[(edges >> a) & 1] for a in range(3)])


@pytest.fixture
def inside() -> np.ndarray:
    return np.random.default_rng(20).random((6, 7, 8)) < 0.7


@pytest.mark.parametrize("support", [0.0, 0.05])
@pytest.mark.parametrize("shape", [(8, 6, 10), (7, 9, 5), (8, 9, 6)])
def test_spectrum_solves_both_volumes(shape: tuple[int, int, int], support: float) -> None:
    rng = np.random.default_rng(21)
    field, pull = rng.normal(size=(2, *shape))
    d = dipole_kernel(shape, STEP, (0.3, -0.2, 0.93))
    full = np.real(np.fft.fftn(np.fft.irfftn(d.astype(complex), shape, axes=(0, 1, 2))))
    power = sum(
        p.reshape([-1 if a == i else 1 for a in range(3)])
        for i, p in enumerate(difference_power(shape, STEP))
    )
    bottom = 0.02 * power + 0.3 * full**2 + support
    bottom[0, 0, 0] = support or np.inf
    chi = (np.fft.fftn(pull) + 0.3 * full * np.fft.fftn(field)) / bottom
    spectrum = np.fft.fftn(field + 1j * pull).astype(np.complex64)
    axes = dipole_axes(shape, STEP, (0.3, -0.2, 0.93))
    solve_spectrum(spectrum, axes, *difference_power(shape, STEP), (0.02, 0.3, support))
    back = np.fft.ifftn(spectrum)
    np.testing.assert_allclose(back.real, np.fft.ifftn(chi).real, atol=2e-4)
    np.testing.assert_allclose(back.imag, np.fft.ifftn(full * chi).real, atol=2e-4)


def test_edges_lie_between_two_voxels_of_the_mask(inside: np.ndarray) -> None:
    edges = costly_edges(inside)
    np.testing.assert_array_equal((edges & INSIDE) != 0, inside)
    for axis in range(3):
        np.testing.assert_array_equal((edges >> axis) & 1 != 0, inside & np.roll(inside, -1, axis))


@pytest.mark.parametrize("relaxation", [1.0, 1.7])
def test_duals_step_by_the_gradient(inside: np.ndarray, relaxation: float) -> None:
    rng = np.random.default_rng(22)
    x, model, before = rng.normal(size=(3, *inside.shape)).astype(np.float32)
    gradient = rng.normal(size=(3, *inside.shape)).astype(np.float32)
    edges = costly_edges(inside)
    top = tops(edges)
    dual = np.clip(gradient, -top, top)
    expected = relaxation * forward_differences(x) + (1 - relaxation) * (gradient - dual) + dual
    rows = MaskRows.of(inside)
    kept, pair = rows.pack(before), (x + 1j * model).astype(np.complex64)
    change, size = step_duals(pair, kept, rows.spans, gradient, edges, LIMITS, STEP, relaxation)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    np.testing.assert_array_equal(rows.unpack(kept)[inside], x[inside])
    assert change == pytest.approx(np.linalg.norm((x - before)[inside]), rel=1e-5)
    assert size == pytest.approx(np.linalg.norm(x[inside]), rel=1e-5)


@pytest.mark.parametrize("relaxation", [1.0, 1.7])
@pytest.mark.parametrize("support", [0.0, 0.05])
def test_descent_shrinks_and_fits(inside: np.ndarray, support: float, relaxation: float) -> None:
    rng = np.random.default_rng(23)
    x, model, dual, field = rng.normal(size=(4, *inside.shape)).astype(np.float32)
    gradient = rng.normal(size=(3, *inside.shape)).astype(np.float32)
    weight = (rng.random(inside.shape) * inside).astype(np.float32)
    edges = costly_edges(inside)
    top = tops(edges)
    known = weight > 0
    # where nothing is known, the dual is zero and the last fitted field is kept in its place
    last = np.where(known, field + 0.3 * dual / np.where(known, weight, 1), dual)
    wanted = relaxation * model + (1 - relaxation) * last + np.where(known, dual, 0)
    fitted = (weight * field + 0.3 * wanted) / (weight + 0.3)
    packed = (x + 1j * model).astype(np.complex64)
    kept = dual.copy()
    held = rng.normal(size=inside.shape).astype(np.float32)
    before = held.copy()
    penalties = (0.02, 0.3, support)
    rows = MaskRows.of(inside)
    data = (rows.pack(field), rows.pack(weight), rows.spans)
    descend(packed, gradient, kept, held, *data, edges, LIMITS, STEP, penalties, relaxation)
    np.testing.assert_allclose(kept, np.where(known, wanted - fitted, fitted), atol=1e-4)
    np.testing.assert_allclose(packed.real, 2 * fitted - wanted, atol=1e-4)
    shrunk = gradient - 2 * np.clip(gradient, -top, top)
    pull = 0.02 * adjoint(shrunk) + support * np.where(inside, x, -(x + before))
    np.testing.assert_allclose(packed.imag, pull, atol=1e-5)
    outside = x + before if support else before
    np.testing.assert_allclose(held, np.where(inside, before, outside), atol=1e-6)


def test_power_is_that_of_the_difference() -> None:
    shape = (6, 7, 8)
    x = np.random.default_rng(24).normal(size=shape)
    power = sum(
        p.reshape([-1 if a == i else 1 for a in range(3)])
        for i, p in enumerate(difference_power(shape, STEP))
    )
    expected = adjoint(forward_differences(x))
    np.testing.assert_allclose(np.fft.ifftn(power * np.fft.fftn(x)).real, expected, atol=1e-5)
