"""iLSQR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.ilsqr import ilsqr
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.errors import InputError


@pytest.mark.parametrize(
    ("shape", "size", "b0"),
    [
        ((48, 52, 44), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
        ((52, 52, 30), (0.9, 0.9, 1.6), (0.0, 0.35, 0.94)),
    ],
)
def test_ball_is_recovered(shape: Any, size: Any, b0: Any, ball: Callable[..., Any]) -> None:
    scene = ball(shape, size, b0)
    chi = ilsqr(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=0.16)
    assert (chi[scene.mask == 0] == 0).all()


def test_the_second_step_takes_streaks_and_leaves_the_ball(ball: Callable[..., Any]) -> None:
    scene = ball()
    noise = np.random.default_rng(78).normal(0, 5e-3, scene.field.shape)
    field = (scene.field + noise).astype(np.float32)
    # a threshold of almost nothing leaves no frequency to take away
    before, after = (ilsqr(field, scene.mask, threshold=t) for t in (1e-6, 0.1))
    assert after[scene.around].std() < 0.85 * before[scene.around].std()
    assert after[scene.core].mean() == pytest.approx(before[scene.core].mean(), rel=0.1)


def test_only_frequencies_of_a_small_dipole_are_taken() -> None:
    """With a mask that fills the frame all that the second step takes lies below the threshold."""
    rng = np.random.default_rng(79)
    field, mask = rng.normal(0, 0.01, (32, 32, 32)).astype(np.float32), np.ones((32, 32, 32))
    mask[:, :, 24:] = mask[:, 24:] = mask[24:] = 0
    before, after = (ilsqr(field, mask, threshold=t)[:24, :24, :24] for t in (1e-6, 0.1))
    power = np.abs(np.fft.rfftn(before - after)) ** 2
    dipole = np.abs(dipole_kernel((24, 24, 24), (1, 1, 1)))
    assert power[dipole > 0.2].sum() < 0.1 * power.sum()
    assert power.sum() > 0


def test_noisy_voxels_count_less(ball: Callable[..., Any]) -> None:
    scene = ball()
    rng = np.random.default_rng(80)
    noise = np.full(scene.mask.shape, 2e-3, np.float32)
    noise[rng.random(noise.shape) < 0.05] = 0.2
    field = (scene.field + noise * rng.normal(size=noise.shape)).astype(np.float32)
    clean = ilsqr(scene.field, scene.mask)
    told, not_told = (
        (ilsqr(field, scene.mask, n) - clean)[scene.mask != 0].std() for n in (noise, None)
    )
    assert told < 0.6 * not_told


def test_it_stops_by_its_tolerances(ball: Callable[..., Any]) -> None:
    scene = ball()
    counts = []
    for first, second in ((0.2, 0.5), (1e-3, 0.5), (1e-3, 1e-3)):
        seen: list[float] = []
        ilsqr(
            scene.field,
            scene.mask,
            first_tol=first,
            tol=second,
            progress=lambda fraction, _stage, seen=seen: seen.append(fraction),
        )
        counts.append(len(seen))
    assert counts[0] < counts[1] < counts[2]


def test_an_empty_mask_is_said() -> None:
    with pytest.raises(InputError, match="empty"):
        ilsqr(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
