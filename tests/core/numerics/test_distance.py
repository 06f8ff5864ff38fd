import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.distance import distance_to, within
from napari_qsm_stroke.core.numerics.rank import ball_maximum, opening


@pytest.mark.parametrize("filled", [0.5, 0.01, 0.0005])
def test_distance_equals_scipy(filled):
    mask = np.random.default_rng(3).random((21, 34, 17)) < filled
    mask[5, 6, 7] = True
    size = (0.9, 0.7, 1.6)
    expected = ndimage.distance_transform_edt(~mask, sampling=size)
    found = distance_to(mask, size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("limit", [0.5, 2.0, 7.3])
def test_distances_up_to_a_limit_are_the_same(limit):
    mask = np.random.default_rng(7).random((21, 34, 17)) < 0.002
    size = (0.9, 0.7, 1.6)
    expected, found = distance_to(mask, size), distance_to(mask, size, limit)
    near = expected <= limit
    assert 0 < near.sum() < near.size
    np.testing.assert_array_equal(found[near], expected[near])
    assert (found[~near] > limit).all()


def test_distance_to_nothing_is_far():
    assert (distance_to(np.zeros((3, 4, 5)), (1, 1, 1)) == 1e6).all()


def ball(radius, size):
    reach = [int(radius / s) for s in size]
    grid = np.mgrid[tuple(slice(-r, r + 1) for r in reach)]
    return sum((g * s) ** 2 for g, s in zip(grid, size, strict=True)) <= radius**2


def test_ball_maximum_and_opening_equal_scipy():
    image = np.random.default_rng(4).normal(size=(14, 15, 9)).astype(np.float32)
    size = (1.0, 0.8, 2.0)
    print_ball = ball(2.1, size)
    expected = ndimage.maximum_filter(image, footprint=print_ball, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(ball_maximum(image, 2.1, size), expected)
    inner = (slice(4, -4), slice(5, -5), slice(2, -2))
    opened = ndimage.grey_opening(image, footprint=print_ball)
    np.testing.assert_array_equal(opening(image, 2.1, size)[inner], opened[inner])


@pytest.mark.parametrize("radius", [0.5, 0.75, 1.5, 2.6, 8.0])
def test_within_equals_the_distance(radius: float) -> None:
    size = (0.75, 0.8, 1.3)
    mask = np.random.default_rng(25).random((21, 19, 17)) < 0.004
    expected = ndimage.distance_transform_edt(~mask, sampling=size) <= radius + 1e-9
    np.testing.assert_array_equal(within(mask, radius, size), expected)
    assert not within(mask & False, radius, size).any()
