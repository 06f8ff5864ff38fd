"""HD-QSM: phase that no susceptibility explains does not spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.hd_qsm import hd_qsm
from napari_qsm_stroke.core.inversion.tv import tv
from napari_qsm_stroke.core.inversion.variation_fit import FIELD_PENALTY, VariationFit
from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import InputError

SPREAD = 2e-3
SMALL = (32, 34, 30)


def noisy(scene: Any, seed: int = 401) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (scene.field + SPREAD * rng.normal(size=scene.field.shape)).astype(np.float32)


@pytest.mark.parametrize("b0", [(0.0, 0.0, 1.0), (0.5, -0.3, 0.81)])
def test_ball_is_recovered(b0: Any, ball: Callable[..., Any]) -> None:
    scene = ball((37, 38, 35), b0=b0, radius=5.0)
    chi = hd_qsm(noisy(scene), scene.mask, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=0.12)
    assert (chi[scene.mask == 0] == 0).all()


def test_wrong_phase_does_not_spread(ball: Callable[..., Any]) -> None:
    """Voxels that are off by a turn, and noise that does not say so."""
    scene = ball(SMALL, radius=5.0)
    rng = np.random.default_rng(402)
    field = noisy(scene)
    wrong = rng.random(field.shape) < 0.01
    field[wrong] += 0.3
    noise = np.full(field.shape, SPREAD, np.float32)
    errors = {}
    for method in (tv, hd_qsm):
        clean = method(noisy(scene), scene.mask, noise)
        errors[method] = (method(field, scene.mask, noise) - clean)[scene.mask != 0].std()
    assert errors[hd_qsm] < 0.25 * errors[tv]


def test_without_noise_it_is_total_variation(ball: Callable[..., Any]) -> None:
    """Nothing misses by more than its noise: both then minimise the same."""
    scene = ball(SMALL, radius=5.0)
    noise = np.full(scene.mask.shape, 1.0, np.float32)
    fine = {"regularisation": 1e-4, "tol": 1e-3, "max_iter": 60}
    chi = hd_qsm(scene.field, scene.mask, noise, first_iter=1, **fine)
    expected = tv(scene.field, scene.mask, noise, **fine)
    gap = (chi - expected)[scene.mask != 0]
    assert gap.std() < 0.05 * expected.std()


def test_noise_that_is_not_given_is_estimated(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.0)
    field = noisy(scene)
    told = hd_qsm(field, scene.mask, np.full(field.shape, SPREAD, np.float32))
    guessed = hd_qsm(field, scene.mask)
    assert np.linalg.norm(told - guessed) < 0.03 * np.linalg.norm(told)


def test_absolute_misfit_is_minimised(ball: Callable[..., Any]) -> None:
    """At the end no voxel's misfit may pull harder than the absolute misfit does."""
    scene = ball((18, 20, 17), radius=3.0)
    noise = np.full(scene.mask.shape, SPREAD, np.float32)
    fit = VariationFit(noisy(scene), scene.mask, noise, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    fit.run(1e-4, 200, 1e-7, silent, "", absolute=SPREAD)
    pull = FIELD_PENALTY * fit._dual[fit.inside]
    assert np.abs(pull).max() == pytest.approx(SPREAD, rel=0.03)
    off = (fit.field_of(fit.chi) - fit.rows.unpack(fit.field))[fit.inside]
    missed = np.abs(off) > 0.5 * SPREAD
    misfit = off[missed]
    np.testing.assert_allclose(pull[missed], SPREAD * np.sign(misfit), rtol=0.1)


def test_weight_is_found_where_it_was_far_off(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.0)
    field = noisy(scene)
    noise = np.full(field.shape, SPREAD, np.float32)

    def error(chi: np.ndarray) -> float:
        truth = np.where(scene.core, 0.2, 0)
        seen = scene.core | scene.around
        gap = (chi - truth)[seen]
        return float(gap.std())

    rough = error(tv(field, scene.mask, noise, regularisation=5e-6))
    found = error(hd_qsm(field, scene.mask, noise, regularisation=5e-6, choose="noise"))
    assert found < 0.3 * rough


def test_discrepancy_is_that_of_the_noise(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.0)
    noise = np.full(scene.mask.shape, SPREAD, np.float32)
    fit = VariationFit(noisy(scene), scene.mask, noise, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    weight = fit.choose("noise", 1e-4, 100, 5e-3, silent)
    misfit, _ = fit.attempt(weight, 100, 5e-3)
    assert misfit == pytest.approx(fit.noise_norm(), rel=0.1)
    assert fit.noise_norm() == pytest.approx(SPREAD * np.sqrt((scene.mask != 0).sum()), rel=1e-4)


def test_choosing_reports_and_stops(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.0)
    seen: list[float] = []
    hd_qsm(
        noisy(scene),
        scene.mask,
        choose="l_curve",
        progress=lambda fraction, _stage: seen.append(fraction),
    )
    assert np.diff(seen).min() >= 0
    assert seen[-1] == 1


def test_an_empty_mask_is_said() -> None:
    with pytest.raises(InputError, match="empty"):
        hd_qsm(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
