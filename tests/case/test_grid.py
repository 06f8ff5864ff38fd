from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke import Grid
from napari_qsm_stroke.case.grid import stored_to_canonical
from napari_qsm_stroke.errors import InputError


def rotated(degrees: float, voxel_size: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """Affine of a slab turned about the patient's left-right axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag(voxel_size)
    return affine


def test_field_direction_of_an_oblique_slab() -> None:
    grid = Grid((4, 5, 6), rotated(25, (0.9, 0.9, 1.6)))
    expected = (0, np.sin(np.radians(25)), np.cos(np.radians(25)))
    np.testing.assert_allclose(grid.b0_dir, expected, atol=1e-12)
    assert grid.obliquity_degrees == pytest.approx(25)
    np.testing.assert_allclose(grid.voxel_size, (0.9, 0.9, 1.6))


def test_field_direction_moves_with_the_image_axes() -> None:
    """The direction in scanner space is z, however the slab lies."""
    for degrees in (0, 10, 25, -40):
        affine = rotated(degrees, (1, 2, 3))
        grid = Grid((4, 5, 6), affine)
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        np.testing.assert_allclose(axes @ grid.b0_dir, (0, 0, 1), atol=1e-12)


def test_difference_names_what_differs() -> None:
    grid = Grid((4, 5, 6), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 0.5
    assert grid.difference(Grid((4, 5, 6), np.eye(4), "LPS")) is None
    assert "0.50 mm" in str(grid.difference(Grid((4, 5, 6), moved)))
    assert "(4, 5, 7)" in str(grid.difference(Grid((4, 5, 7), np.eye(4))))
    assert grid != Grid((4, 5, 6), moved)
    almost = np.eye(4)
    almost[0, 0] = 1.0005  # 1.5 um at the far corner
    assert grid == Grid((4, 5, 6), almost)


def test_affine_cannot_be_changed_from_outside() -> None:
    affine = np.eye(4)
    grid = Grid((4, 5, 6), affine)
    affine[0, 0] = 9
    assert grid.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 9


@pytest.mark.parametrize(
    "affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 1.0, 0.0, 1.0])]
)
def test_impossible_affines_are_refused(affine: np.ndarray) -> None:
    with pytest.raises(InputError, match="affine"):
        Grid((4, 5, 6), affine)


@pytest.mark.parametrize("size", [3.0, 0.9, 1.6, 0.46875, 220 / 256, 220 / 512, 2 / 3])
def test_the_size_of_a_voxel_does_not_depend_on_the_rounding_of_files(size: float):
    sizes = set()
    for degrees in range(0, 90, 3):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        affine = np.eye(4)
        affine[:3, :3] = (turn @ np.diag([size, 1.0, 2.5])).astype(np.float32)
        grid = Grid((4, 5, 6), affine)
        sizes.add((grid.voxel_size, grid.voxel_volume_ml))
    ((found, ml),) = sizes
    assert found == pytest.approx((size, 1.0, 2.5), abs=1e-6)
    assert ml == pytest.approx(size * 2.5 / 1000, rel=1e-5)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PSR", "SLA", "IRP"])
def test_a_direction_along_the_axes_of_a_file_is_brought_to_the_canonical_ones(codes: str):
    along = {"R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1)}
    opposite = {"L": "R", "P": "A", "I": "S"}
    for axis, code in enumerate(codes):
        found = stored_to_canonical(codes) @ np.eye(3)[axis]
        expected = np.array(along[opposite.get(code, code)]) * (-1 if code in opposite else 1)
        assert np.array_equal(found, expected)
