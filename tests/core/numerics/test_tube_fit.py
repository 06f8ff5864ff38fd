"""Centre lines and cylinders against tubes of known course, radius and contrast."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.numerics.centre_lines import centre_lines
from napari_qsm_stroke.core.numerics.shared_contrast import (
    STEPS,
    _with_neighbours,
    shared_contrast,
)
from napari_qsm_stroke.core.numerics.tube_fit import fit_tubes

SHAPE = (48, 44, 40)
SIZES = [(1.0, 1.0, 1.0), (0.9, 0.9, 1.6)]


def tube(radius, size, along=(0.6, 0.5, 0.62), through=0.5, smear=1.0):
    """Part of each voxel in a straight tube, at 4 points along each axis, and its axis.

    A map that smears has voxels that look ``smear`` times as large as they are.
    """
    extent = np.array(SHAPE) * size
    direction = np.array(along) / np.linalg.norm(along)
    point = through * extent
    share = np.zeros(SHAPE)
    steps = smear * ((np.arange(4) + 0.5) / 4 - 0.5)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1)
    for shift in np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3):
        offset = (index + shift) * size - point
        far = (offset**2).sum(-1) - (offset @ direction) ** 2
        share += far <= radius**2
    return share / 64, point, direction


def noisy(share, contrast, seed=0):
    image = 0.02 + contrast * share + np.random.default_rng(seed).normal(0, 0.006, SHAPE)
    return image.astype(np.float32)


def fitted(share, image, size, inside=None):
    inside = np.ones(SHAPE, bool) if inside is None else inside
    return fit_tubes(image, share > 0.3, image - 0.02, inside, voxel_size=size, piece_length=15.0)


@pytest.mark.parametrize("size", SIZES)
def test_points_lie_on_the_axis(size):
    share, point, direction = tube(1.2, size)
    lines = centre_lines(
        share > 0.3, noisy(share, 0.3), voxel_size=size, piece_length=15.0, shortest=3.0
    )
    offset = lines.points - point
    far = np.linalg.norm(offset - np.outer(offset @ direction, direction), axis=1)
    assert np.median(far) < 0.15
    assert (np.abs(lines.tangents @ direction) > 0.9).mean() > 0.9
    span = np.ptp(offset @ direction)
    assert lines.steps.sum() == pytest.approx(span, rel=0.08)
    lengths = np.bincount(lines.piece, lines.steps)
    assert len(lengths) == lines.pieces > 2
    assert lengths.max() < 16.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1.0, 1.5, 2.2])
def test_radius_and_contrast_of_a_wide_tube(size, radius):
    share, _, _ = tube(radius, size)
    fit = fitted(share, noisy(share, 0.3), size)
    found = fit.cylinders
    middle = slice(1, -1)
    assert found.radius[middle] == pytest.approx(radius, rel=0.12)
    assert found.contrast[middle] == pytest.approx(0.3, rel=0.1)
    assert found.background[middle] == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("radius", [0.9, 1.1])
def test_a_map_smears_more_along_the_longer_side_of_its_voxels(radius):
    """Tubes within thick slices come out like those across: 25 to 35 % apart with an even smear."""
    size, image, mask = (0.9, 0.9, 1.6), np.full(SHAPE, 0.02), np.zeros(SHAPE)
    for place, along in ((0.25, (0.1, 0.3, 1)), (0.5, (0.1, 1, 0.1)), (0.75, (0.15, 1, 0.3))):
        share, _, _ = tube(radius, size, along, np.array([place, 0.5, 0.5]), smear=1.4)
        image += 0.3 * share
        mask = np.maximum(mask, share)
    image = (image + np.random.default_rng(3).normal(0, 0.004, SHAPE)).astype(np.float32)
    fit = fitted(mask, image, size)
    across = np.abs(fit.lines.tangents[:, 2]) > 0.7
    kind = np.bincount(fit.lines.piece, across) > 0.5 * np.bincount(fit.lines.piece)
    level = [np.nanmedian(fit.cylinders.contrast[pieces]) for pieces in (kind, ~kind)]
    assert level[0] == pytest.approx(0.3, rel=0.1)
    assert level[0] / level[1] < 1.15


def test_a_thin_tube_says_that_it_is_not_sure():
    size = (1.0, 1.0, 1.0)
    thin, _, _ = tube(0.4, size)
    wide, _, _ = tube(1.5, size)
    relative = []
    for share in (thin, wide):
        found = fit_tubes(
            noisy(share, 0.3),
            share > 0.1,
            share.astype(np.float32),
            np.ones(SHAPE, bool),
            voxel_size=size,
            piece_length=15.0,
        ).cylinders
        relative.append(np.median(found.contrast_sd / found.contrast))
    assert relative[0] > 0.15 > 0.08 > relative[1]


def test_shared_contrast_bridges_weak_knowledge_and_keeps_differences_apart():
    """A thin tube takes the level of the wide one beside it, not of one far away."""
    size = (1.0, 1.0, 1.0)
    places = [0.25, 0.3, 0.75]
    strengths, radii = [0.2, 0.2, 0.35], [1.4, 0.4, 1.4]
    image, mask = np.zeros(SHAPE), np.zeros(SHAPE)
    for place, strength, radius in zip(places, strengths, radii, strict=True):
        through = np.array([place, place + (0.1 if radius < 1 else 0), 0.5])
        share, _, _ = tube(radius, size, (0.1, 0.1, 1), through)
        image += strength * share
        mask = np.maximum(mask, share)
    image = (image + np.random.default_rng(1).normal(0, 0.004, SHAPE)).astype(np.float32)
    fit = fit_tubes(
        image, mask > 0.2, image, np.ones(SHAPE, bool), voxel_size=size, piece_length=12.0
    )
    level = shared_contrast(fit)
    counts = np.bincount(fit.lines.piece)
    x = np.bincount(fit.lines.piece, fit.lines.points[:, 0]) / counts
    assert level[x < 18] == pytest.approx(0.2, rel=0.1)
    assert level[x > 28] == pytest.approx(0.35, rel=0.1)


def test_a_bundle_of_thin_tubes_is_told_by_the_wide_one_beside_it():
    """Thin tubes all seem too wide and too weak: they must not outvote the one that is resolved."""
    size, image, mask = (1.0, 1.0, 1.0), np.zeros(SHAPE), np.zeros(SHAPE)
    for number, radius in enumerate([0.35, 1.2, 0.35, 0.35, 0.35]):
        share, _, _ = tube(radius, size, (0.1, 0.1, 1), np.array([0.15 + 0.17 * number, 0.5, 0.5]))
        image += 0.4 * ndimage.gaussian_filter(share, 0.35)
        mask = np.maximum(mask, share)
    image = (image + np.random.default_rng(1).normal(0, 0.008, SHAPE)).astype(np.float32)
    fit = fit_tubes(
        image, mask > 0.15, image, np.ones(SHAPE, bool), voxel_size=size, piece_length=5.0
    )
    thin = fit.cylinders.radius < 0.75
    assert np.nanmedian(fit.cylinders.contrast[thin]) < 0.34  # what they say of themselves
    level = shared_contrast(fit)
    assert np.median(level[thin]) == pytest.approx(0.4, rel=0.1)


def test_only_clear_tubes_tell_of_others():
    """Two tubes in a noisy part of the map lie closer to a thin one than a clear one does."""
    size, image, mask = (1.0, 1.0, 1.0), np.zeros(SHAPE), np.zeros(SHAPE)
    tubes = (
        (0.05, 0.4, 1.3),
        (0.2, 0.4, 1.3),
        (0.5, 0.4, 0.4),
        (0.65, 0.15, 1.3),
        (0.8, 0.15, 1.3),
    )
    for place, strength, radius in tubes:
        share, _, _ = tube(radius, size, (0.1, 0.1, 1), np.array([place, 0.5, 0.5]))
        image += strength * share
        mask = np.maximum(mask, share)
    noise = np.where(np.arange(SHAPE[0]) > 0.58 * SHAPE[0], 0.034, 0.01)[:, None, None]
    image = (image + noise * np.random.default_rng(2).normal(0, 1, SHAPE)).astype(np.float32)
    fit = fit_tubes(
        image, mask > 0.2, image, np.ones(SHAPE, bool), voxel_size=size, piece_length=5.0
    )
    x = fit.lines.middles()[:, 0] / SHAPE[0]
    assert (fit.resolved & (x > 0.58)).sum() > 8
    assert np.median(shared_contrast(fit)[(x > 0.4) & (x < 0.58)]) == pytest.approx(0.4, rel=0.15)


def test_beyond_a_border_veins_tell_nothing():
    """A thin tube between a weak and, closer by, a strong one takes the blood of its own side."""
    size, image, mask = (1.0, 1.0, 1.0), np.zeros(SHAPE), np.zeros(SHAPE)
    for place, strength, radius in ((0.15, 0.2, 1.3), (0.5, 0.2, 0.4), (0.7, 0.4, 1.3)):
        share, _, _ = tube(radius, size, (0.1, 0.1, 1), np.array([place, 0.5, 0.5]))
        image += strength * share
        mask = np.maximum(mask, share)
    image = (image + np.random.default_rng(1).normal(0, 0.006, SHAPE)).astype(np.float32)
    fit = fit_tubes(
        image, mask > 0.2, image, np.ones(SHAPE, bool), voxel_size=size, piece_length=5.0
    )
    thin = fit.cylinders.radius < 0.75
    weak = fit.lines.middles()[:, 0] < 0.6 * SHAPE[0]
    assert np.median(shared_contrast(fit)[thin]) > 0.26
    for inside in (weak, ~weak):  # on which side of the border the region is makes no difference
        assert np.median(shared_contrast(fit, inside)[thin]) == pytest.approx(0.2, rel=0.1)


def test_what_lies_beyond_a_border_is_not_asked_where_there_is_one_on_the_own_side():
    count = 6
    middles = np.column_stack([3.0 * np.arange(count), np.zeros(count), np.zeros(count)])
    inside = np.arange(count) < 3
    peak = np.exp(-0.5 * ((np.arange(len(STEPS)) - 48) / 8) ** 2)
    weak, strong = (np.roll(peak, shift) for shift in (-20, 20))
    likely = [
        _with_neighbours(
            np.where(inside[:, None], peak, there), middles, np.ones(count, bool), inside
        )
        for there in (weak, strong)
    ]
    np.testing.assert_array_equal(likely[0][inside], likely[1][inside])


def test_where_nothing_else_is_inside_the_ones_outside_tell():
    size = (1.0, 1.0, 1.0)
    wide, _, _ = tube(1.3, size, (0.1, 0.1, 1), np.array([0.3, 0.5, 0.5]))
    thin, _, _ = tube(0.4, size, (0.1, 0.1, 1), np.array([0.7, 0.5, 0.5]))
    image = 0.3 * np.maximum(wide, thin) + np.random.default_rng(1).normal(0, 0.006, SHAPE)
    mask = np.maximum(wide, thin) > 0.2
    image = image.astype(np.float32)
    fit = fit_tubes(image, mask, image, np.ones(SHAPE, bool), voxel_size=size, piece_length=5.0)
    alone = fit.lines.middles()[:, 0] > 0.5 * SHAPE[0]
    level = np.median(shared_contrast(fit, alone)[alone])
    unaided = np.median(shared_contrast(fit.without(~alone), alone)[alone])
    assert unaided < 0.21  # thin tubes seem too wide and too weak
    assert level > unaided + 0.02


def test_a_fork_becomes_three_branches_and_a_ring_one():
    mask = np.zeros(SHAPE, bool)
    mask[20:23, 5:22, 18:21] = True
    for step in range(14):
        for sign in (-1, 1):
            mask[20 + sign * step : 23 + sign * step, 20 + step : 23 + step, 18:21] = True
    brightness = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
    kept = {"voxel_size": (1.0, 1.0, 1.0), "piece_length": 50.0, "shortest": 4.0}
    assert len(np.unique(centre_lines(mask, brightness, **kept).branch)) == 3
    index = np.indices(SHAPE)
    away = np.hypot(index[0] - 22, index[1] - 22) - 12
    ring = (np.abs(away) < 1.5) & (np.abs(index[2] - 20) < 2)
    light = np.exp(-(away**2) - (index[2] - 20.0) ** 2).astype(np.float32)
    found = centre_lines(ring, light, **kept)
    assert len(np.unique(found.branch)) == 1
    assert found.steps.sum() == pytest.approx(2 * np.pi * 12, rel=0.08)


def test_nothing_gives_nothing():
    size, nothing = (1.0, 1.0, 1.0), np.zeros(SHAPE, bool)
    image = np.zeros(SHAPE, np.float32)
    fit = fit_tubes(image, nothing, image, ~nothing, voxel_size=size, piece_length=12.0)
    assert fit.lines.pieces == 0
    assert shared_contrast(fit).shape == (0,)
