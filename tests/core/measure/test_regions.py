"""Regions against brute force on a small head."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_qsm_stroke.core.measure.regions import REGIONS, region_masks
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.errors import InputError

VOXEL_SIZE = (2.0, 2.0, 3.0)
SHAPE = (46, 40, 24)


def head(tilt_degrees: float = 0.0) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Territories of a head that is rolled by ``tilt_degrees`` within its grid."""
    affine = np.diag([*VOXEL_SIZE, 1.0])
    affine[:3, 3] = [-45, -39, -34.5]
    index = np.indices(SHAPE).reshape(3, -1)
    x, y, z = affine[:3, :3] @ index + affine[:3, 3:]
    angle = np.radians(tilt_degrees)
    across = np.cos(angle) * x + np.sin(angle) * z - 2.0
    up = -np.sin(angle) * x + np.cos(angle) * z
    brain = (across / 40) ** 2 + (y / 36) ** 2 + (up / 32) ** 2 < 1
    artery = np.where(np.abs(across) > 14, 3, np.where(y > 0, 1, 5))
    labels = np.where(brain, artery + (across > 0), 0)
    return labels.reshape(SHAPE).astype(np.uint8), affine


def ball(
    affine: NDArray[np.float64], centre: tuple[float, float, float], radius: float
) -> NDArray[np.uint8]:
    index = np.indices(SHAPE).reshape(3, -1)
    points = affine[:3, :3] @ index + affine[:3, 3:]
    inside = np.linalg.norm(points - np.array(centre)[:, None], axis=0) < radius
    return inside.reshape(SHAPE).astype(np.uint8)


def distance_to(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Distance of each voxel to the nearest one of the mask, in mm, one pair after the other."""
    every = np.indices(SHAPE).reshape(3, -1).T * VOXEL_SIZE
    inside = np.argwhere(mask) * VOXEL_SIZE
    best = np.full(len(every), np.inf)
    for point in inside:
        np.minimum(best, np.linalg.norm(every - point, axis=1), out=best)
    return best.reshape(SHAPE)


def masks(
    infarct: NDArray[np.uint8], guard: float = 3.0, tilt: float = 0.0
) -> dict[str, NDArray[np.bool_]]:
    territories, affine = head(tilt)
    return region_masks(
        infarct, territories, "left", voxel_size=VOXEL_SIZE, affine=affine, guard=guard
    )


@pytest.mark.parametrize("guard", [0.0, 3.0, 7.5, 15.0])
def test_regions_agree_with_brute_force(guard: float) -> None:
    territories, affine = head()
    infarct = ball(affine, (-24, 4, 0), 11)
    distance = distance_to(infarct)
    found = masks(infarct, guard)
    assert list(found) == list(REGIONS)
    left = np.isin(territories, [1, 3, 5, 7])
    expected = {
        "infarct_core": (infarct == 1) & (territories == 3),
        "ipsilateral_mca": (territories == 3) & (distance > guard),
        "contralateral_mca": territories == 4,
        "peri_infarct_0_5mm": left & (distance > 0) & (distance <= 5),
        "peri_infarct_5_10mm": left & (distance > 5) & (distance <= 10),
    }
    for name, mask in expected.items():
        assert mask.any()
        np.testing.assert_array_equal(found[name], mask, err_msg=name)


def test_core_ipsilateral_and_contralateral_do_not_overlap() -> None:
    _, affine = head()
    found = masks(ball(affine, (-18, 0, 0), 14), guard=0.0)
    total = sum(
        found[n].astype(int) for n in ("infarct_core", "ipsilateral_mca", "contralateral_mca")
    )
    assert np.max(total) == 1


@pytest.mark.parametrize("tilt", [0.0, 15.0, -20.0])
def test_mirrored_core_lies_behind_the_midplane(tilt: float) -> None:
    """The head lies 2 mm off the middle of the grid and is rolled: a flip of the array misses."""
    _, affine = head(tilt)
    angle = np.radians(tilt)
    normal = np.array([np.cos(angle), 0, np.sin(angle)])
    centre = -25 * normal + np.array([0, 5, 0]) + 2 * normal
    mirror = 25 * normal + np.array([0, 5, 0]) + 2 * normal
    found = masks(ball(affine, tuple(centre), 8), tilt=tilt)["mirrored_core"]
    points = np.argwhere(found) * VOXEL_SIZE + affine[:3, 3]
    assert len(points) > 50
    assert np.linalg.norm(points.mean(axis=0) - mirror) < 1.0
    flipped = np.linalg.norm(points.mean(axis=0) - centre * [-1, 1, 1])
    assert flipped > 3.0


def test_mirrored_core_keeps_the_volume() -> None:
    _, affine = head()
    found = masks(ball(affine, (-24, 4, 0), 8))
    ratio = found["mirrored_core"].sum() / found["infarct_core"].sum()
    assert ratio == pytest.approx(1, abs=0.1)


def test_mirrored_core_stays_in_the_contralateral_territory() -> None:
    territories, affine = head()
    found = masks(ball(affine, (-16, 4, 0), 10))
    assert found["mirrored_core"].any()
    assert np.all(territories[found["mirrored_core"]] == 4)


def test_no_plane_no_mirrored_core() -> None:
    territories, affine = head()
    territories[np.isin(territories, [2, 4, 6])] = 0
    infarct = ball(affine, (-24, 4, 0), 8)
    found = region_masks(infarct, territories, "left", voxel_size=VOXEL_SIZE, affine=affine)
    assert found["infarct_core"].any()
    assert not found["mirrored_core"].any()


def test_empty_infarct_leaves_the_whole_territory() -> None:
    territories, _ = head()
    found = masks(np.zeros(SHAPE, np.uint8))
    np.testing.assert_array_equal(found["ipsilateral_mca"], territories == 3)
    assert not found["peri_infarct_0_5mm"].any()


def test_right_stroke_is_the_mirror_of_a_left_one() -> None:
    territories, affine = head()
    infarct = ball(affine, (28, 4, 0), 10)
    found = region_masks(infarct, territories, "right", voxel_size=VOXEL_SIZE, affine=affine)
    assert np.all(territories[found["infarct_core"]] == 4)
    np.testing.assert_array_equal(found["contralateral_mca"], territories == 3)


def test_bad_arguments_are_refused() -> None:
    territories, affine = head()
    with pytest.raises(InputError, match="guard -1"):
        masks(np.zeros(SHAPE, np.uint8), guard=-1)
    with pytest.raises(InputError, match="shape"):
        region_masks(
            np.zeros((2, 2, 2), np.uint8), territories, "left", voxel_size=VOXEL_SIZE, affine=affine
        )


def test_side_is_where_most_of_the_infarct_lies() -> None:
    territories, affine = head()
    assert find_side(ball(affine, (-24, 4, 0), 8), territories) == "left"
    assert find_side(ball(affine, (24, 4, 0), 8), territories) == "right"
    both = ball(affine, (-24, 4, 0), 8) | ball(affine, (24, 4, 0), 12)
    assert find_side(both, territories) == "right"


def test_side_that_cannot_be_told_is_an_error() -> None:
    territories = np.zeros((4, 4, 4), np.uint8)
    territories[:2], territories[2:] = 3, 4
    with pytest.raises(InputError, match="mask is empty"):
        find_side(np.zeros((4, 4, 4), np.uint8), territories)
    with pytest.raises(InputError, match="32 voxels lie on each side"):
        find_side(np.ones((4, 4, 4), np.uint8), territories)
    with pytest.raises(InputError, match="no part of it lies in an arterial territory"):
        find_side(np.ones((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8))
