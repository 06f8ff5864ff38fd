"""The inversions whose data is phase: ``ndi``, ``nltv``, ``medi``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.medi import medi
from napari_qsm_stroke.core.inversion.ndi import ndi
from napari_qsm_stroke.core.inversion.nltv import nltv
from napari_qsm_stroke.core.physics.phase_scale import radians_per_ppm
from napari_qsm_stroke.errors import InputError

TIMES, TESLA = (0.010, 0.020, 0.030), 3.0
TURN = 2 * np.pi / radians_per_ppm(TIMES, TESLA)
METHODS = {
    m.__name__: partial(m, echo_times=TIMES, field_strength=TESLA) for m in (ndi, nltv, medi)
}
TOLERANCE = {"ndi": 0.15, "nltv": 0.08, "medi": 0.08}
SMALL = ((38, 40, 36), (1.0, 1.0, 1.2), (0.2, -0.3, 0.93))


@pytest.mark.parametrize("name", METHODS)
def test_ball_is_recovered(name: str, ball: Callable[..., Any]) -> None:
    shape, size, b0 = SMALL
    scene = ball(shape, size, b0, radius=6.0)
    chi = METHODS[name](scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=TOLERANCE[name])
    assert (chi[scene.mask == 0] == 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_voxels_off_by_a_turn_change_nothing(name: str, ball: Callable[..., Any]) -> None:
    scene = ball(SMALL[0], radius=6.0)
    where = (np.random.default_rng(76).random(scene.field.shape) < 0.03) & (scene.mask != 0)
    wrong = (scene.field + np.float32(TURN) * where).astype(np.float32)
    right = METHODS[name](scene.field, scene.mask)
    found = METHODS[name](wrong, scene.mask)
    assert np.abs(found - right).max() < 0.05 * right[scene.core].mean()


def test_without_wraps_and_edges_the_nonlinear_term_is_the_linear_one(
    ball: Callable[..., Any],
) -> None:
    """At a field strength of almost nothing phase is proportional to the field."""
    scene = ball(SMALL[0], radius=6.0)
    weak, usual = (
        nltv(scene.field, scene.mask, echo_times=TIMES, field_strength=b, tol=2e-3)
        for b in (1e-3, TESLA)
    )
    assert np.std((weak - usual)[scene.mask != 0]) < 0.03 * usual[scene.core].mean()


@pytest.mark.parametrize("name", ["nltv", "medi"])
def test_edges_of_the_magnitude_sharpen_the_map(name: str, ball: Callable[..., Any]) -> None:
    scene = ball(SMALL[0], radius=6.0)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SMALL[0]), SMALL[0], strict=True))
    inside = x**2 + y**2 + z**2 <= 36
    magnitude = np.where(inside, 60.0, 100.0)[..., None].astype(np.float32)
    strong = partial(METHODS[name], scene.field, scene.mask, regularisation=3e-3)
    truth = 0.2 * inside[scene.mask != 0]

    def error(chi: np.ndarray) -> float:
        return float(np.std(chi[scene.mask != 0] - truth))

    assert error(strong(magnitude=magnitude)) < 0.8 * error(strong())


@pytest.mark.parametrize("name", METHODS)
def test_noisy_voxels_count_less(name: str, ball: Callable[..., Any]) -> None:
    scene = ball(SMALL[0], radius=6.0)
    rng = np.random.default_rng(77)
    noise = np.full(scene.mask.shape, 1e-3, np.float32)
    noise[rng.random(noise.shape) < 0.05] = 0.06
    field = (scene.field + noise * rng.normal(size=noise.shape)).astype(np.float32)
    clean = METHODS[name](scene.field, scene.mask)
    told, not_told = (
        (METHODS[name](field, scene.mask, n) - clean)[scene.mask != 0].std() for n in (noise, None)
    )
    assert told < 0.6 * not_told


@pytest.mark.parametrize("name", METHODS)
def test_it_stops_by_its_tolerance(name: str, ball: Callable[..., Any]) -> None:
    scene = ball(SMALL[0], radius=6.0)
    counts = []
    for tolerance in (0.2, 0.02):
        seen: list[float] = []
        METHODS[name](
            scene.field,
            scene.mask,
            tol=tolerance,
            progress=lambda fraction, _stage, seen=seen: seen.append(fraction),
        )
        counts.append(len(seen))
    assert counts[0] < counts[1]


def test_a_filtered_field_meets_a_filtered_model(ball: Callable[..., Any]) -> None:
    """The spherical mean value takes a background away and leaves the ball its value."""
    scene = ball((46, 46, 46), radius=6.0)
    x, y, z = (i - 22.5 for i in np.indices(scene.mask.shape))
    background = 2e-3 * x + 1e-4 * (x * y - 2 * z * x) + 2e-4 * (x**2 - z**2)
    field = (scene.field + background).astype(np.float32)
    values, errors = {}, {}
    for radius in (0.0, 4.0):
        clean = METHODS["medi"](scene.field, scene.mask, smv_radius=radius)
        values[radius] = clean[scene.core].mean() - clean[scene.around].mean()
        found = METHODS["medi"](field, scene.mask, smv_radius=radius)
        errors[radius] = (found - clean)[scene.around].std()
    assert values[4.0] == pytest.approx(0.2, rel=0.1)
    assert values[0.0] == pytest.approx(0.2, rel=0.1)
    assert errors[4.0] < 0.5 * errors[0.0]


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_mask_is_said(name: str) -> None:
    with pytest.raises(InputError, match="empty"):
        METHODS[name](np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
