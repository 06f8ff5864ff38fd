"""The rim, joined to what is known by Laplace's equation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.background.rim import extend_to_rim, without_outermost

SIZE = (1.0, 1.0, 1.3)
SHAPE = (40, 42, 34)


@pytest.fixture(scope="module")
def place() -> np.ndarray:
    return np.stack(
        [(i - (n - 1) / 2) * d for i, n, d in zip(np.indices(SHAPE), SHAPE, SIZE, strict=True)]
    )


@pytest.fixture(scope="module")
def brain(place: np.ndarray) -> np.ndarray:
    return (place**2).sum(0) < 17**2


def dipole(place: np.ndarray, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Field of a ball of 1 ppm; zero in it."""
    u, v, w = (p - c for p, c in zip(place, centre, strict=True))
    square = u**2 + v**2 + w**2
    field = radius**3 / 3 * (3 * w**2 - square) / np.maximum(square, 1) ** 2.5
    return np.where(square > radius**2, field, 0)


def test_harmonic_background_leaves_no_local_field(place: np.ndarray, brain: np.ndarray) -> None:
    x, y, z = place
    background = np.where(brain, 0.3 + 0.02 * x - 0.01 * z + 1e-3 * (x * x - y * y), 0)
    deep = ndimage.distance_transform_edt(brain, SIZE) > 5
    total = background.astype(np.float32)
    local = extend_to_rim(total, np.zeros_like(total), deep, brain, SIZE)
    assert np.abs(local).max() < 2e-2 * np.abs(background).max()
    assert (local[~brain] == 0).all()


def test_source_in_the_rim_comes_back(place: np.ndarray, brain: np.ndarray) -> None:
    truth = np.where(brain, 0.3 * dipole(place, (0, 13.5, 0), 1.5), 0).astype(np.float32)
    total = truth + np.where(brain, 9.4 * dipole(place, (0, -27, 4), 7), 0).astype(np.float32)
    deep = ndimage.distance_transform_edt(brain, SIZE) > 6
    local = extend_to_rim(total, truth, deep, brain, SIZE)
    np.testing.assert_array_equal(local[deep], truth[deep])
    rim = brain & ~deep
    assert np.linalg.norm((local - truth)[rim]) < 0.25 * np.linalg.norm(truth[rim])


def test_known_up_to_the_edge_stays_as_it_is(brain: np.ndarray) -> None:
    field = np.random.default_rng(42).normal(size=SHAPE).astype(np.float32)
    field *= brain
    np.testing.assert_array_equal(extend_to_rim(field, field, brain, brain, SIZE), field)


def test_outermost_layer_is_that_of_an_erosion(brain: np.ndarray) -> None:
    holed = brain.copy()
    holed[20, 20, 15] = False
    for mask in (holed, np.ones((4, 5, 6), bool)):
        np.testing.assert_array_equal(without_outermost(mask), ndimage.binary_erosion(mask))
