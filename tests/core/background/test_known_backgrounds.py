"""Background removal on fields whose parts are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.background.ismv import ismv
from napari_qsm_stroke.core.background.lbv import lbv
from napari_qsm_stroke.core.background.pdf import pdf
from napari_qsm_stroke.core.background.resharp import resharp
from napari_qsm_stroke.core.background.sharp import sharp
from napari_qsm_stroke.core.background.vsharp import vsharp
from napari_qsm_stroke.errors import InputError

Size = tuple[float, float, float]
GRIDS = [((48, 50, 46), (1.0, 1.0, 1.0)), ((52, 51, 30), (0.9, 0.9, 1.6))]


def places(shape: tuple[int, int, int], size: Size) -> tuple[np.ndarray, ...]:
    return tuple(
        (i - (n - 1) / 2) * d for i, n, d in zip(np.indices(shape), shape, size, strict=True)
    )


def dipole(place: tuple[np.ndarray, ...], centre: Size, moment: float, radius: float) -> np.ndarray:
    """Field of a ball of that radius; zero within it."""
    u, v, w = (p - c for p, c in zip(place, centre, strict=True))
    square = u**2 + v**2 + w**2
    field = moment / 3 * radius**3 * (3 * w**2 - square) / np.maximum(square, 1e-3) ** 2.5
    return np.where(square > radius**2, field, 0)


def scene(shape: tuple[int, int, int], size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Background of four strong outside balls, field of one ball inside, and the mask."""
    place = places(shape, size)
    mask = sum(p**2 for p in place) < 19**2
    background = 0.4 + sum(
        dipole(place, centre, moment, 6.0)
        for centre, moment in (
            ((0, 27, -6), 9.4),
            ((-30, 3, 2), -4.0),
            ((8, -14, -24), 9.4),
            ((12, 5, 27), 3.0),
        )
    )
    local = dipole(place, (2, -1, 1), 0.3, 3.0)
    return background, local, mask


def rms(values: np.ndarray, where: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values[where] ** 2)))


@pytest.mark.parametrize(("shape", "size"), GRIDS)
@pytest.mark.parametrize("method", [lbv, vsharp, sharp, resharp, ismv, pdf])
def test_background_alone_leaves_next_to_nothing(
    method: Callable[..., Any], shape: Any, size: Any
) -> None:
    background, _, mask = scene(shape, size)
    local, field_mask = method(background.astype(np.float32), mask, voxel_size=size)
    assert local.dtype == np.float32
    known = field_mask != 0
    centred = background - background[known].mean()
    np.testing.assert_array_equal(known, mask)
    assert rms(local, known) < 0.015 * rms(centred, known)
    assert (local[~known] == 0).all()


@pytest.mark.parametrize(("shape", "size"), GRIDS)
@pytest.mark.parametrize(
    ("method", "limit"),
    [(lbv, 0.07), (vsharp, 0.2), (sharp, 0.07), (resharp, 0.15), (ismv, 0.1), (pdf, 0.15)],
)
def test_local_field_is_kept(
    method: Callable[..., Any], limit: float, shape: Any, size: Any
) -> None:
    background, truth, mask = scene(shape, size)
    local, field_mask = method((background + truth).astype(np.float32), mask, voxel_size=size)
    deep = (field_mask != 0) & (ndimage.distance_transform_edt(mask, size) > 4)
    assert rms(local - truth, deep) < limit * rms(truth, deep)


def test_a_lost_rim_is_as_wide_as_the_smallest_ball() -> None:
    background, _, mask = scene(*GRIDS[0])
    total = background.astype(np.float32)
    for method in (sharp, resharp, ismv):
        _, kept = method(total, mask, radius=5.0, rim="lost")
        np.testing.assert_array_equal(kept, ndimage.distance_transform_edt(mask) > 5 + 1e-6)
    for radius in (1.0, 3.0):
        _, kept = vsharp(total, mask, min_radius=radius, rim="lost")
        # the ball fits where nothing outside lies within its radius
        expected = ndimage.distance_transform_edt(mask) > radius + 1e-6
        assert (kept != expected).sum() == 0


@pytest.mark.parametrize("method", [vsharp, sharp, resharp, ismv])
def test_with_no_room_for_a_ball_nothing_is_kept(method: Callable[..., Any]) -> None:
    mask = np.zeros((8, 8, 8), np.uint8)
    mask[4] = 1
    local, kept = method(np.ones((8, 8, 8), np.float32), mask)
    assert kept.sum() == 0
    assert (local == 0).all()


def test_a_ball_within_one_slice_is_not_used() -> None:
    """2 mm voxels and a smallest ball of 1 mm: it would be the voxel itself."""
    shape, size = (26, 26, 26), (2.0, 2.0, 2.0)
    background, _, mask = scene(shape, size)
    local, kept = vsharp(
        background.astype(np.float32), mask, voxel_size=size, min_radius=1.0, rim="lost"
    )
    assert 0 < kept.sum() < mask.sum()
    assert rms(local, kept != 0) > 0


@pytest.mark.parametrize("method", [lbv, vsharp, sharp, resharp, ismv, pdf])
def test_an_empty_brain_is_said(method: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="empty"):
        method(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
