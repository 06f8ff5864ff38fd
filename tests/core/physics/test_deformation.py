"""Sampling through a deformation against scipy, and the deformation against itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    apply_affine,
    padded,
    random_deformation,
    rotation,
    sample_grid,
    sample_points,
)

CENTRE, HALF = np.array([0.0, -17.0, 6.0]), np.array([72.0, 90.0, 76.0])
SHAPE = (14, 11, 12)
GRID = np.array([[4.1, 0.3, 0, -28], [-0.3, 4.0, 0, -30], [0, 0, 5.2, -20], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def deformation() -> Deformation:
    return random_deformation(np.random.default_rng(3), CENTRE, HALF)


def _points() -> np.ndarray:
    return apply_affine(GRID, np.indices(SHAPE).reshape(3, -1).T)


@pytest.mark.parametrize("nearest", [False, True])
def test_sampling_agrees_with_scipy(deformation: Deformation, nearest: bool) -> None:
    rng = np.random.default_rng(1)
    affine = np.array([[1.5, 0, 0, -50], [0, 1.4, 0, -60], [0, 0, 1.6, -40], [0, 0, 0, 1.0]])
    stack = rng.normal(size=(70, 80, 50, 2)).astype(np.float32)
    found = sample_grid(stack, affine, GRID, SHAPE, deformation, nearest=nearest)
    there = deformation.to_template(_points())
    index = apply_affine(np.linalg.inv(affine), there).T
    for volume in range(2):
        expected = ndimage.map_coordinates(
            stack[..., volume], index, order=0 if nearest else 1, mode="nearest"
        )
        same = np.isclose(found[volume].ravel(), expected, atol=2e-4)
        # the nearest of two voxels equally far away is a matter of rounding
        assert same.mean() > (0.998 if nearest else 0.9999)
    if not nearest:
        np.testing.assert_allclose(
            sample_points(stack, affine, there).T.reshape(found.shape), found, atol=2e-4
        )


def test_only_chosen_voxels_are_sampled() -> None:
    stack = np.ones((5, 5, 5, 1), np.float32)
    where = np.zeros(SHAPE, bool)
    where[3, 4] = True
    found = sample_grid(stack, np.eye(4), GRID, SHAPE, where=where)[0]
    np.testing.assert_array_equal(found > 0, where)


def test_a_padded_stack_is_zero_beyond_its_faces() -> None:
    stack, affine = padded((np.ones((3, 3, 3)),), np.eye(4))
    values = sample_points(stack, affine, np.array([[1.0, 1, 1], [-0.5, 1, 1], [9, 9, 9]]))
    np.testing.assert_allclose(values[:, 0], [1, 0.5, 0])


def test_there_and_back(deformation: Deformation) -> None:
    points = np.random.default_rng(2).uniform(CENTRE - HALF, CENTRE + HALF, (400, 3))
    back = deformation.to_template(deformation.to_patient(points))
    np.testing.assert_allclose(back, points, atol=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_no_head_is_folded_and_none_is_like_another(seed: int) -> None:
    here = random_deformation(np.random.default_rng(seed), CENTRE, HALF)
    grid = np.stack(np.meshgrid(*[np.arange(-40.0, 41, 4)] * 3, indexing="ij"), -1)
    there = here.to_template(grid.reshape(-1, 3)).reshape(grid.shape)
    jacobian = np.stack([np.stack(np.gradient(there[..., a], 4.0), -1) for a in range(3)], -2)
    assert np.linalg.det(jacobian).min() > 0.3
    points = grid.reshape(-1, 3)
    moved = there.reshape(-1, 3)
    fit = np.linalg.lstsq(np.c_[points, np.ones(len(points))], moved, rcond=None)[0]
    local = moved - np.c_[points, np.ones(len(points))] @ fit
    assert 1.0 < np.sqrt((local**2).sum(1).mean()) < 6.0
    other = random_deformation(np.random.default_rng(seed + 100), CENTRE, HALF)
    assert np.linalg.norm(other.to_template(points) - moved, axis=1).mean() > 2


def test_rotation_turns_about_x_by_the_right_hand() -> None:
    np.testing.assert_allclose(rotation(np.array([90.0, 0, 0])) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
