"""Spherical means and V-SHARP against a plain version of the same equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.background import spherical_means
from napari_qsm_stroke.core.background.brain_box import BrainBox
from napari_qsm_stroke.core.background.spherical_means import NOWHERE, largest_ball, less_means
from napari_qsm_stroke.core.background.vsharp import vsharp
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.physics.sphere import ball, mean_value_kernel

SHAPE, SIZE = (30, 33, 26), (1.0, 1.1, 1.4)
RADII = [6.0, 5.0, 4.0, 3.0, 2.0]


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray]:
    """Field with a gradient, texture and NaN outside, and a brain with a hole."""
    place = [(i - n / 2) * d for i, n, d in zip(np.indices(SHAPE), SHAPE, SIZE, strict=True)]
    brain = sum(p**2 for p in place) < 13**2
    brain[14:16, 20:22, 12:14] = False
    texture = ndimage.gaussian_filter(np.random.default_rng(41).normal(size=SHAPE), 1)
    field = (0.6 + 0.03 * place[0] - 0.02 * place[2] + 0.2 * texture).astype(np.float32)
    field[~brain] = np.nan
    return field, brain.astype(np.uint8)


def plain_means(field: np.ndarray, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Field less its mean over the largest ball that fits, one convolution a radius."""
    values = np.where(brain, field, 0).astype(float)
    room = ndimage.distance_transform_edt(np.pad(brain, 1), SIZE)[1:-1, 1:-1, 1:-1]
    filtered, known = np.zeros(SHAPE), np.zeros(SHAPE, bool)
    for radius in RADII:
        new = (room > radius + 1e-3) & ~known
        means = ndimage.convolve(values, ball(radius, SIZE).astype(float), mode="constant")
        filtered[new] = (values - means)[new]
        known |= new
    return filtered, known


@pytest.mark.parametrize("cost", [0.0, 14.0, np.inf])
def test_sums_and_transforms_give_the_same_means(
    cost: float, head: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All by transforms, some of each, all by sums."""
    monkeypatch.setattr(spherical_means, "TRANSFORM_COST", cost)
    box = BrainBox.of(*head, SIZE, (2, 2, 2))
    index = largest_ball(box.room(max(RADII)), RADII)
    kernel = mean_value_kernel(box.frame.shape, RADII[int(index.min())], SIZE)
    found = box.frame.paste(less_means(box.field, index, RADII, box.frame, SIZE, kernel))
    expected, known = plain_means(*head)
    assert len(np.unique(index)) > 4
    np.testing.assert_array_equal(index != NOWHERE, known[box.frame.box])
    np.testing.assert_allclose(found, expected, atol=3e-6)


def test_vsharp_equals_its_equations(head: tuple[np.ndarray, np.ndarray]) -> None:
    options = {"max_radius": 6.0, "min_radius": 2.0, "radius_step": 1.0, "threshold": 0.05}
    found, mask = vsharp(*head, voxel_size=SIZE, rim="lost", **options)
    filtered, known = plain_means(*head)
    np.testing.assert_array_equal(mask, known)
    frame = Frame.around(head[1], millimetres(6.0, SIZE))
    weights = ball(6.0, SIZE).astype(float)
    grid = np.zeros(frame.shape)
    grid[tuple(slice(n) for n in weights.shape)] = weights
    centred = np.roll(grid, [-(n // 2) for n in weights.shape], (0, 1, 2))
    kept = 1 - np.fft.fftn(centred).real
    inverse = np.where(np.abs(kept) > 0.05, 1 / np.where(kept == 0, 1, kept), 0)
    local = np.fft.ifftn(np.fft.fftn(frame.cut(filtered)) * inverse).real
    expected = frame.paste(local) * known
    assert np.linalg.norm(found - expected) < 2e-5 * np.linalg.norm(expected)


def test_a_ball_larger_than_the_grid_is_folded_into_it() -> None:
    kernel = mean_value_kernel((5, 6, 7), 6.0, (1.0, 1.0, 1.0))
    assert kernel[0, 0, 0] == pytest.approx(1)
    assert np.abs(kernel).max() <= 1 + 1e-6
