"""Rapid two-step inversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.rts import rts
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.errors import InputError

GRIDS = [
    ((48, 52, 44), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
    ((52, 52, 30), (0.9, 0.9, 1.6), (0.0, 0.35, 0.94)),
]


@pytest.mark.parametrize(("shape", "size", "b0"), GRIDS)
def test_ball_is_recovered_without_streaks(
    shape: Any, size: Any, b0: Any, ball: Callable[..., Any]
) -> None:
    scene = ball(shape, size, b0)
    chi = rts(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=0.1)
    divided = tkd(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi[scene.around].std() < 0.5 * divided[scene.around].std()
    assert (chi[scene.mask == 0] == 0).all()


def test_the_second_step_keeps_what_the_first_knows(ball: Callable[..., Any]) -> None:
    """With hardly any variation to pay for, more steps to fill in leave the known part alone."""
    scene = ball()
    soft = rts(scene.field, scene.mask, regularisation=1e-5)
    filled = rts(scene.field, scene.mask, regularisation=1e-5, threshold=0.3)
    assert np.std((soft - filled)[scene.core]) < 0.2 * soft[scene.core].mean()
    flat = rts(scene.field, scene.mask, regularisation=1.0)
    assert flat[scene.mask != 0].std() < 0.3 * soft[scene.mask != 0].std()


def test_more_first_steps_bring_more_of_the_ball(ball: Callable[..., Any]) -> None:
    scene = ball()
    errors = []
    for count in (1, 3):
        chi = rts(scene.field, scene.mask, first_steps=count)
        errors.append(abs(chi[scene.core].mean() - chi[scene.around].mean() - 0.2))
    assert errors[1] < errors[0]


def test_noisy_voxels_count_less(ball: Callable[..., Any]) -> None:
    scene = ball()
    rng = np.random.default_rng(63)
    noise = np.full(scene.mask.shape, 2e-3, np.float32)
    noise[rng.random(noise.shape) < 0.05] = 0.2
    field = (scene.field + noise * rng.normal(size=noise.shape)).astype(np.float32)
    clean = rts(scene.field, scene.mask)
    told, not_told = (
        (rts(field, scene.mask, n) - clean)[scene.mask != 0].std() for n in (noise, None)
    )
    assert told < 0.6 * not_told


def test_it_stops_by_its_tolerance(ball: Callable[..., Any]) -> None:
    scene = ball()
    counts = []
    for tolerance in (5e-2, 2e-3):
        seen: list[float] = []
        rts(
            scene.field,
            scene.mask,
            tol=tolerance,
            max_iter=300,
            progress=lambda fraction, _stage, seen=seen: seen.append(fraction),
        )
        counts.append(len(seen))
    assert counts[0] < counts[1] < 300


def test_an_empty_mask_is_said() -> None:
    with pytest.raises(InputError, match="empty"):
        rts(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
