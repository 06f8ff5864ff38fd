"""Conjugate gradients with a preconditioner that is not symmetric."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.flexible_gradients import solve_preconditioned
from napari_qsm_stroke.errors import Cancelled


def system() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(48)
    root = rng.normal(size=(60, 60))
    matrix = root @ root.T + np.diag(np.geomspace(1, 1e4, 60))
    return matrix.astype(np.float32), rng.normal(size=60).astype(np.float32)


def test_equals_elimination_in_fewer_iterations_than_without() -> None:
    matrix, right = system()
    skew = np.eye(60) + 0.05 * np.triu(np.random.default_rng(49).normal(size=(60, 60)), 1)
    rough = (np.linalg.inv(matrix.astype(float)) @ skew).astype(np.float32)
    counts = []
    for precondition in (lambda v: rough @ v, np.copy):
        seen: list[float] = []
        found = solve_preconditioned(
            lambda v: matrix @ v,
            precondition,
            right.copy(),
            1e-4,
            500,
            lambda fraction, _, seen=seen: seen.append(fraction),
        )
        expected = np.linalg.solve(matrix.astype(float), right)
        assert np.linalg.norm(matrix @ found - right) < 2e-4 * np.linalg.norm(right)
        assert np.linalg.norm(found - expected) < 2e-2 * np.linalg.norm(expected)
        counts.append(len(seen))
    assert counts[0] < 0.5 * counts[1]


def test_nothing_to_solve_and_cancel() -> None:
    matrix, right = system()
    nothing = solve_preconditioned(lambda v: matrix @ v, np.copy, np.zeros_like(right), 1e-3, 10)
    assert (nothing == 0).all()

    def stop(_fraction: float, _stage: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        solve_preconditioned(lambda v: matrix @ v, np.copy, right, 1e-3, 10, stop)
