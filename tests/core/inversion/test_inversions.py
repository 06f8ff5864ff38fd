"""Every inversion on the field of a ball in closed form, and what is particular to each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.reference_brain import reference_brain
from napari_qsm_stroke.core.inversion.tikhonov import tikhonov
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.inversion.tv import tv
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.errors import InputError

GRIDS = [
    ((48, 52, 44), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
    ((47, 51, 45), (1.0, 1.0, 1.0), (0.5, -0.3, 0.81)),
    ((52, 52, 30), (0.9, 0.9, 1.6), (0.0, 0.35, 0.94)),
]
TOLERANCE = {tkd: 0.12, tikhonov: 0.12, tv: 0.06}


@pytest.mark.parametrize(("shape", "size", "b0"), GRIDS)
@pytest.mark.parametrize("method", [tkd, tikhonov, tv])
def test_ball_is_recovered(
    method: Callable[..., Any], shape: Any, size: Any, b0: Any, ball: Callable[..., Any]
) -> None:
    scene = ball(shape, size, b0)
    chi = method(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=TOLERANCE[method])
    assert (chi[scene.mask == 0] == 0).all()


def test_tv_leaves_fewer_streaks_than_division(ball: Callable[..., Any]) -> None:
    scene = ball()
    streaks = {m: m(scene.field, scene.mask)[scene.around].std() for m in (tkd, tikhonov, tv)}
    assert streaks[tv] < 0.3 * streaks[tkd]
    assert streaks[tv] < 0.3 * streaks[tikhonov]


def test_tv_is_not_misled_by_a_field_from_outside(ball: Callable[..., Any]) -> None:
    """Left-over background is harmonic in the mask and goes to sources outside of it."""
    scene = ball()
    x, y, z = (
        i - (n - 1) / 2 for i, n in zip(np.indices(scene.mask.shape), (48, 52, 44), strict=True)
    )
    background = 2e-3 * x + 1e-4 * (x * y - 2 * z * x) + 1e-4 * (x**2 - z**2)
    clean = tv(scene.field, scene.mask)
    found = tv((scene.field + background).astype(np.float32), scene.mask)
    error = (found - clean)[scene.mask != 0]
    direct = (tkd((scene.field + background).astype(np.float32), scene.mask))[scene.mask != 0]
    direct -= tkd(scene.field, scene.mask)[scene.mask != 0]
    assert error.std() < 0.35 * direct.std()


def test_noisy_voxels_count_less(ball: Callable[..., Any]) -> None:
    scene = ball()
    rng = np.random.default_rng(60)
    noise = np.full(scene.mask.shape, 2e-3, np.float32)
    bad = rng.random(noise.shape) < 0.05
    noise[bad] = 0.2
    field = (scene.field + noise * rng.normal(size=noise.shape)).astype(np.float32)
    errors = {}
    clean = tv(scene.field, scene.mask)
    for name, told in (("told", noise), ("not told", None)):
        errors[name] = (tv(field, scene.mask, told) - clean)[scene.mask != 0].std()
    assert errors["told"] < 0.5 * errors["not told"]


def test_wrong_field_in_lost_signal_makes_no_shadow(ball: Callable[..., Any]) -> None:
    """A bleed of strong susceptibility: its field is wrong by more than its noise."""
    scene = ball(chi=0.6)
    rng = np.random.default_rng(62)
    field = (scene.field + 2e-3 * rng.normal(size=scene.field.shape)).astype(np.float32)
    noise = np.full(field.shape, 2e-3, np.float32)
    lost = np.abs(scene.field) > 0.12
    lost[scene.core] = True
    noise[lost] = 12e-3
    wrong = np.where(lost, 0.3 * field, field).astype(np.float32)
    clean = tv(field, scene.mask, noise)
    found = tv(wrong, scene.mask, noise)
    known = (scene.mask != 0) & scene.around & ~lost
    assert (found - clean)[known].std() < 2e-3
    assert found[scene.core].mean() == pytest.approx(clean[scene.core].mean(), rel=0.02)


def test_more_regularisation_is_smoother(ball: Callable[..., Any]) -> None:
    scene = ball()
    field = scene.field + np.random.default_rng(61).normal(0, 5e-3, scene.field.shape)
    rough = [
        np.abs(np.diff(tv(field.astype(np.float32), scene.mask, regularisation=r), axis=0)).sum()
        for r in (1e-5, 1e-3)
    ]
    assert rough[1] < 0.5 * rough[0]


def test_tv_stops_by_its_tolerance(ball: Callable[..., Any]) -> None:
    scene = ball()
    counts = []
    for tolerance in (5e-2, 2e-3):
        seen: list[float] = []
        tv(
            scene.field,
            scene.mask,
            tol=tolerance,
            max_iter=200,
            progress=lambda fraction, _stage, seen=seen: seen.append(fraction),
        )
        counts.append(len(seen))
    assert counts[0] < counts[1] < 200


def test_point_source_keeps_its_value() -> None:
    """The scaling of the closed forms: on the whole grid the peak of a point stays what it is."""
    shape = (32, 32, 32)
    point = np.zeros(shape)
    point[16, 16, 16] = 1.0
    spectrum = np.fft.rfftn(point) * dipole_kernel(shape, (1, 1, 1))
    field = np.fft.irfftn(spectrum, shape, axes=(0, 1, 2))
    for method in (tkd, tikhonov):
        chi = method(field.astype(np.float32), np.ones(shape))
        assert chi[16, 16, 16] == pytest.approx(1, abs=0.08)


def test_reference_is_the_mean_over_the_mask() -> None:
    rng = np.random.default_rng(62)
    chi = rng.normal(0.3, 0.1, (9, 8, 7)).astype(np.float32)
    mask = (rng.random(chi.shape) < 0.6).astype(np.uint8)
    chi[0, 0, 0], mask[0, 0, 0] = np.nan, 1
    found = reference_brain(chi, mask)
    inside = (mask != 0) & np.isfinite(chi)
    assert found[inside].mean() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found[inside], chi[inside] - chi[inside].mean(), atol=1e-6)
    assert (found[~inside] == 0).all()


@pytest.mark.parametrize("method", [tkd, tikhonov, tv, reference_brain])
def test_an_empty_mask_is_said(method: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="empty"):
        method(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
