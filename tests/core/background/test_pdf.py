"""PDF against a direct solution and on a background of balls."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.background.pdf import OutsideFit, pdf
from napari_qsm_stroke.core.physics.dipole import dipole_kernel

B0 = (0.0, 0.3, 0.95)


def small_fit(weight_of_half: float = 1.0) -> tuple[OutsideFit, np.ndarray, np.ndarray]:
    shape = (9, 8, 10)
    x, y, z = (i - n / 2 for i, n in zip(np.indices(shape), shape, strict=True))
    inside = x**2 + y**2 + z**2 < 2.5**2
    weight = np.where(inside, np.where(x > 0, weight_of_half, 1), 0).astype(np.float32)
    dipole = dipole_kernel(shape, (1.0, 1.0, 1.2), B0)
    return OutsideFit(inside, weight, dipole), inside, weight


def test_adjoint() -> None:
    fit, inside, _ = small_fit()
    rng = np.random.default_rng(45)
    sources, field = (rng.normal(size=inside.shape).astype(np.float32) for _ in range(2))
    sources[inside] = 0
    left = np.vdot(fit.field_of(sources), field)
    assert left == pytest.approx(np.vdot(sources, fit.pull(field)), rel=1e-4)


@pytest.mark.parametrize("weight_of_half", [1.0, 0.05])
def test_converges_to_the_least_squares_fit(weight_of_half: float) -> None:
    """The full matrix of outside sources and a constant, solved directly."""
    fit, inside, weight = small_fit(weight_of_half)
    places = np.argwhere(~inside)[::7]
    rng = np.random.default_rng(46)
    made = np.zeros(inside.shape, np.float32)
    made[tuple(places.T)] = rng.normal(size=len(places))
    field = np.where(inside, fit.field_of(made) + 0.3, 0).astype(np.float32)
    field[inside] += 0.02 * rng.normal(size=inside.sum()).astype(np.float32)
    columns = []
    for where in np.argwhere(~inside):
        one = np.zeros(inside.shape, np.float32)
        one[tuple(where)] = 1
        columns.append(fit.field_of(one)[inside])
    matrix = np.stack([*columns, np.ones(inside.sum())], axis=1).astype(float)
    root = np.sqrt(weight[inside])[:, None]
    best = np.linalg.lstsq(root * matrix, root[:, 0] * field[inside], rcond=None)[0]
    least = np.linalg.norm(root[:, 0] * (field[inside] - matrix @ best))
    left = fit.solve(field, 1e-6, 2000)
    start = np.linalg.norm(root[:, 0] * field[inside])
    found = np.linalg.norm(root[:, 0] * left[inside])
    assert found < least + 0.01 * start


def test_noisy_voxels_do_not_draw_sources() -> None:
    shape = (40, 40, 40)
    x, y, z = (i - 20.0 for i in np.indices(shape))
    brain = (x**2 + y**2 + z**2 < 14**2).astype(np.uint8)
    u, v, w = x, y + 22, z - 3
    square = u**2 + v**2 + w**2
    background = 9.4 * 5**3 / 3 * (3 * w**2 - square) / np.maximum(square, 25) ** 2.5
    total = background.astype(np.float32)
    noise = np.full(shape, 0.001, np.float32)
    hole = (slice(10, 14), slice(18, 22), slice(18, 22))
    total[hole], noise[hole] = 30.0, 5.0
    left = {}
    for name, given in (("weighted", noise), ("plain", None)):
        local, _ = pdf(total, brain, given)
        local[hole] = 0
        left[name] = np.linalg.norm(local[brain != 0])
    assert left["weighted"] < 0.1 * left["plain"]


def test_a_constant_field_is_background() -> None:
    brain = np.zeros((20, 20, 20), np.uint8)
    brain[4:16, 4:16, 4:16] = 1
    x, y, z = np.indices(brain.shape)
    field = (0.1 * np.sin(x / 3) + 0.05 * np.cos(y / 2 + z / 4)).astype(np.float32)
    first, _ = pdf(field, brain, max_iter=8)
    second, _ = pdf(field + np.float32(3), brain, max_iter=8)
    np.testing.assert_allclose(second, first, atol=1e-4)
