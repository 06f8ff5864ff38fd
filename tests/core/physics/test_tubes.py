"""Partial volume of tubes against pi r^2 L."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.physics.deformation import rotation
from napari_qsm_stroke.core.physics.tubes import Tubes, paint


def _tube(start: tuple[float, ...], end: tuple[float, ...], radius: float, pieces: int) -> Tubes:
    corners = np.linspace(start, end, pieces + 1)
    return Tubes(
        corners[:-1], corners[1:], np.full(pieces, radius), np.zeros(pieces, dtype=np.int64)
    )


@pytest.mark.parametrize("radius", [0.3, 0.4, 0.7, 1.1, 1.6])
@pytest.mark.parametrize("size", [(0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (0.45, 0.45, 0.8)])
def test_parts_add_up_to_the_volume(radius: float, size: tuple[float, float, float]) -> None:
    start, end = (5.13, 6.2, 4.4), (19.4, 17.7, 15.9)
    shape = tuple(int(24 / s) for s in size)
    tube = _tube(start, end, radius, 17)
    fraction, weighted = paint(tube, np.full(17, 0.25), np.diag([*size, 1.0]), shape)
    length = np.linalg.norm(np.subtract(end, start))
    volume = np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3
    assert fraction.sum() * np.prod(size) == pytest.approx(volume, rel=0.04)
    assert fraction.max() <= 1
    np.testing.assert_allclose(weighted, 0.25 * fraction, rtol=1e-5)


def test_a_tube_in_an_oblique_grid_has_the_same_volume() -> None:
    affine = np.eye(4)
    affine[:3, :3] = rotation(np.array([12.0, -8.0, 30.0])) * (0.6, 0.6, 0.9)
    affine[:3, 3] = (-12, -20, -5)
    tube = _tube((0.0, 0.0, 4.0), (6.0, 4.0, 12.0), 0.8, 5)
    fraction, _ = paint(tube, np.ones(5), affine, (60, 60, 40))
    volume = np.pi * 0.64 * np.linalg.norm([6, 4, 8]) + 4 / 3 * np.pi * 0.8**3
    assert fraction.sum() * 0.324 == pytest.approx(volume, rel=0.03)


def test_the_middle_of_a_wide_tube_is_full_and_its_edge_is_not() -> None:
    fraction, _ = paint(_tube((-5, 8, 8), (25, 8, 8), 3.0, 1), np.ones(1), np.eye(4), (16, 16, 16))
    assert fraction[8, 8, 8] == 1
    assert 0.3 < fraction[8, 8, 11] < 0.7
    assert fraction[8, 8, 13] == 0
    assert fraction[0].sum() == pytest.approx(np.pi * 9, rel=0.02)


def test_where_tubes_cross_nothing_counts_twice() -> None:
    cross = Tubes(
        np.array([[0.0, 5, 5], [5, 0, 5]]),
        np.array([[10.0, 5, 5], [5, 10, 5]]),
        np.array([1.2, 1.2]),
        np.array([0, 1]),
    )
    fraction, weighted = paint(cross, np.array([1.0, 3.0]), np.eye(4), (11, 11, 11))
    assert fraction.max() == 1
    assert weighted[5, 5, 5] == pytest.approx(1.0)
    alone, _ = paint(cross.select(np.array([True, False])), np.ones(1), np.eye(4), (11, 11, 11))
    assert alone.sum() < fraction.sum() < 2 * alone.sum()


def test_tubes_outside_the_grid_leave_it_empty() -> None:
    fraction, _ = paint(_tube((50, 50, 50), (60, 60, 60), 1, 2), np.ones(2), np.eye(4), (8, 8, 8))
    assert fraction.sum() == 0
