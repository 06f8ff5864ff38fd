"""The coarse grid against block means and numpy's linear interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.coarse_grid import CoarseGrid, factors_for

BOX = (11, 14, 9)
GRIDS = [CoarseGrid(BOX, (6, 6, 6), factors) for factors in ((2, 2, 1), (3, 1, 2), (1, 1, 1))]


def test_factors_are_whole_and_at_least_one() -> None:
    assert factors_for((0.9, 0.5, 3.0), 2.0) == (2, 4, 1)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_constant_stays_one(grid: CoarseGrid) -> None:
    coarse = grid.down(np.full(grid.fine, 3, np.float32))
    assert coarse.shape == grid.shape
    np.testing.assert_allclose(coarse, 3, rtol=1e-6)
    np.testing.assert_allclose(grid.up(coarse), 3, rtol=1e-6)


def test_whole_blocks_are_their_means() -> None:
    """Two cells of two voxels fill a box of an even number: nothing is cut."""
    grid = CoarseGrid((12, 8, 4), (4, 4, 4), (2, 2, 2))
    volume = np.random.default_rng(0).normal(size=grid.fine).astype(np.float32)
    x, y, z = grid.shape
    blocks = volume.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(grid.down(volume), blocks, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_ramp_within_the_box_comes_back(grid: CoarseGrid) -> None:
    """Means and interpolation keep places: no shift by part of a voxel."""
    for axis, n in enumerate(BOX):
        ramp = np.zeros(grid.fine, np.float32)
        view = [1, 1, 1]
        view[axis] = grid.fine[axis]
        # periodic: up within the box and its surroundings, the jump far behind it
        ramp += ((np.arange(grid.fine[axis]) + 3) % grid.fine[axis]).reshape(view)
        back = np.moveaxis(grid.up(grid.down(ramp)), axis, 0)[: n - 1, 0, 0]
        np.testing.assert_allclose(back[1:], np.arange(n - 1)[1:] + 3, atol=1e-4)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_flipped_box_gives_a_flipped_result(grid: CoarseGrid) -> None:
    volume = np.zeros(grid.fine, np.float32)
    box = tuple(slice(n) for n in BOX)
    volume[box] = np.random.default_rng(1).normal(size=BOX)
    flipped = volume.copy()
    flipped[box] = volume[box][::-1, ::-1, ::-1]
    there = grid.up(grid.down(volume))[box]
    back = grid.up(grid.down(flipped))[box][::-1, ::-1, ::-1]
    np.testing.assert_allclose(there, back, atol=1e-6)


def test_a_window_that_cuts_voxels_spreads_like_a_block() -> None:
    """Eleven voxels hold no whole number of pairs; the mean is still taken over two."""
    grid = CoarseGrid(BOX, (6, 6, 6), (2, 1, 1))
    place = np.arange(grid.fine[0], dtype=np.float32)
    square = np.broadcast_to((place**2)[:, None, None], grid.fine).astype(np.float32)
    line = np.broadcast_to(place[:, None, None], grid.fine).astype(np.float32)
    spread = (grid.down(square) - grid.down(line) ** 2)[1:5, 0, 0]
    np.testing.assert_allclose(spread, 0.25, atol=1e-4)
