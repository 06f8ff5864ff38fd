"""Conjugate gradients against dense algebra on a tiny grid."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.conjugate_gradients import (
    convolve,
    fit_dipole,
    solve_symmetric,
)
from napari_qsm_stroke.core.physics.dipole import dipole_kernel

SHAPE = (6, 5, 4)
KERNEL = dipole_kernel(SHAPE, (1.0, 1.2, 1.5), (0.3, -0.2, 0.93))


def dense() -> np.ndarray:
    """The convolution as a matrix."""
    units = np.eye(120, dtype=np.float32).reshape(120, *SHAPE)
    return np.stack([convolve(unit, KERNEL).ravel() for unit in units], axis=1).astype(float)


def volumes(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(70)
    return [rng.normal(size=SHAPE).astype(np.float32) for _ in range(count)]


def test_the_convolution_is_its_own_adjoint() -> None:
    a, b = volumes(2)
    assert np.vdot(convolve(a, KERNEL), b) == pytest.approx(
        np.vdot(a, convolve(b, KERNEL)), rel=1e-4
    )
    matrix = dense()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)


def test_least_squares_equals_dense_algebra() -> None:
    truth, other = volumes(2)
    weight = np.clip(np.abs(other), 0.5, 1).astype(np.float32)
    field = convolve(truth, KERNEL) + 0.1 * other
    found = fit_dipole(field, weight, KERNEL, 1e-7, 400)
    root = np.sqrt(weight.ravel().astype(float))
    exact = np.linalg.lstsq(root[:, None] * dense(), root * field.ravel(), rcond=1e-6)[0]
    fit, best = dense() @ found.ravel(), dense() @ exact
    np.testing.assert_allclose(fit, best, atol=2e-3)


def test_fewer_steps_leave_more_of_the_field() -> None:
    truth, _ = volumes(2)
    field, weight = convolve(truth, KERNEL), np.ones(SHAPE, np.float32)
    left = [
        np.linalg.norm(convolve(fit_dipole(field, weight, KERNEL, 1e-9, n), KERNEL) - field)
        for n in (1, 3, 9)
    ]
    assert left[0] > 1.5 * left[1] > 2 * left[2]


def test_no_field_gives_no_susceptibility() -> None:
    nothing = np.zeros(SHAPE, np.float32)
    assert not fit_dipole(nothing, nothing + 1, KERNEL, 1e-3, 5).any()


def test_a_symmetric_system_is_solved_to_its_tolerance() -> None:
    right, _ = volumes(2)
    matrix = dense() @ dense() + 0.05 * np.eye(120)
    counted: list[float] = []

    def operator(x: np.ndarray) -> np.ndarray:
        counted.append(0)
        return (matrix @ x.ravel()).reshape(SHAPE).astype(np.float32)

    found = solve_symmetric(operator, right.copy(), 1e-5, 500)
    np.testing.assert_allclose(
        found.ravel(), np.linalg.solve(matrix, right.ravel()), rtol=1e-2, atol=1e-2
    )
    fine = len(counted)
    solve_symmetric(operator, right.copy(), 0.1, 500)
    assert len(counted) - fine < 0.5 * fine
