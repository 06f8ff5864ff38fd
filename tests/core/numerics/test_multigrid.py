"""Poisson's equation in a mask."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from napari_qsm_stroke.core.numerics.multigrid import Poisson, negative_laplacian


def direct(inside: np.ndarray, source: np.ndarray, size: tuple[float, ...]) -> np.ndarray:
    """Solve the same equations by elimination."""
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    rows, columns, values = [], [], []
    for axis in range(3):
        for shift in (1, -1):
            other = np.roll(number, shift, axis)[inside]
            known = other >= 0
            rows.append(number[inside][known])
            columns.append(other[known])
            values.append(np.full(known.sum(), -1 / size[axis] ** 2))
    n = int(inside.sum())
    matrix = sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (n, n)
    )
    matrix = matrix + sparse.eye(n) * 2 * sum(1 / d**2 for d in size)
    solution = np.zeros(inside.shape)
    solution[inside] = spsolve(matrix.tocsc(), source[inside].astype(float))
    return solution


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (0.9, 0.9, 1.6)])
@pytest.mark.parametrize("shape", [(17, 20, 15), (24, 16, 18)])
def test_equals_elimination(shape: tuple[int, int, int], size: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(11)
    inside = np.zeros(shape, bool)
    inside[1:-1, 1:-1, 1:-1] = rng.random([n - 2 for n in shape]) < 0.9
    source = rng.normal(size=shape).astype(np.float32)
    solution = Poisson(inside, size).solve(source, 1e-6, 100)
    expected = direct(inside, source, size)
    assert np.linalg.norm(solution - expected) < 1e-4 * np.linalg.norm(expected)
    assert (solution[~inside] == 0).all()


def test_few_iterations_whatever_the_size() -> None:
    counts = []
    for n in (24, 48, 72):
        grid = np.indices((n, n, n)) - (n - 1) / 2
        inside = (grid**2).sum(0) < (n / 2 - 2) ** 2
        source = np.random.default_rng(12).normal(size=inside.shape).astype(np.float32)
        seen: list[float] = []
        Poisson(inside, (1, 1, 1)).solve(
            source, 1e-4, 100, lambda fraction, _stage, seen=seen: seen.append(fraction)
        )
        counts.append(len(seen))
    assert max(counts) < 12
    assert counts[2] < 1.6 * counts[0]


def test_thick_slices_cost_no_more_iterations() -> None:
    grid = np.indices((64, 64, 20)) - np.array([31.5, 31.5, 9.5])[:, None, None, None]
    inside = (grid**2 / np.array([30.0, 28.0, 9.0])[:, None, None, None] ** 2).sum(0) < 1
    source = np.random.default_rng(13).normal(size=inside.shape).astype(np.float32)
    seen: list[float] = []
    Poisson(inside, (0.6, 0.6, 2.4)).solve(source, 1e-4, 100, lambda f, _: seen.append(f))
    assert len(seen) < 12


def test_laplacian_of_a_parabola() -> None:
    x, y, z = np.indices((8, 9, 10)).astype(np.float32)
    size = (1.0, 2.0, 0.5)
    volume = (x * size[0]) ** 2 + 3 * (y * size[1]) ** 2 - (z * size[2]) ** 2
    inside = np.zeros(volume.shape, bool)
    inside[1:-1, 1:-1, 1:-1] = True
    result = negative_laplacian(volume, inside, size)
    np.testing.assert_allclose(result[inside], -(2 + 6 - 2), atol=1e-3)
    assert (result[~inside] == 0).all()
