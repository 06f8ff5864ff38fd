"""TGV: the ball from its wrapped phase, with a background and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.tgv import tgv
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import InputError

TIMES = (0.005, 0.012, 0.02)
TESLA = 3.0
SMALL = (32, 33, 30)
Size = tuple[float, float, float]


def echoes(field: np.ndarray, times: tuple[float, ...] = TIMES, tesla: float = TESLA) -> np.ndarray:
    """Complex echoes: their angle is the wrapped phase."""
    phase = radians_per_ppm_second(tesla) * field[..., None] * np.array(times)
    echoes: np.ndarray = 100 * np.exp(1j * phase - 20 * np.array(times))
    return echoes


def solve(field: np.ndarray, mask: np.ndarray, **changes: Any) -> np.ndarray:
    times, tesla = changes.pop("times", TIMES), changes.pop("tesla", TESLA)
    signal = changes.pop("signal", None)
    signal = echoes(field, times, tesla) if signal is None else signal
    magnitude, phase = (a.astype(np.float32) for a in (np.abs(signal), np.angle(signal)))
    chi, kept = tgv(magnitude, phase, mask, echo_times=times, field_strength=tesla, **changes)
    assert chi.dtype == np.float32
    np.testing.assert_array_equal(kept, mask)
    assert (chi[mask == 0] == 0).all()
    return chi


def contrast(chi: np.ndarray, scene: Any) -> float:
    return float(chi[scene.core].mean() - chi[scene.around].mean())


@pytest.mark.parametrize(
    ("shape", "size", "b0"),
    [
        (SMALL, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
        ((31, 34, 32), (1.0, 1.0, 1.0), (0.5, -0.3, 0.81)),
        ((32, 34, 22), (1.0, 1.0, 1.5), (0.0, 0.6, 0.8)),
    ],
)
def test_ball_is_recovered(shape: Any, size: Size, b0: Size, ball: Callable[..., Any]) -> None:
    scene = ball(shape, size, b0, radius=5.5)
    chi = solve(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert contrast(chi, scene) == pytest.approx(0.2, rel=0.12)


def test_field_strength_and_times_do_not_matter(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.5)
    expected = solve(scene.field, scene.mask)
    found = solve(scene.field, scene.mask, tesla=7.0, times=(0.004, 0.009))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_one_echo_is_enough(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.5)
    assert contrast(solve(scene.field, scene.mask, times=(0.02,)), scene) == pytest.approx(
        0.2, rel=0.12
    )


def test_background_many_turns_deep_changes_nothing(ball: Callable[..., Any]) -> None:
    """It is harmonic: a shim, and a strong source outside."""
    scene = ball(SMALL, radius=5.5)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SMALL), SMALL, strict=True))
    square = (x - 25) ** 2 + (y + 4) ** 2 + (z - 6) ** 2
    outside = 4e3 * (3 * (z - 6) ** 2 - square) / square**2.5
    background = 0.03 * x - 0.05 * z + 2e-3 * (x * y - z * x) + outside
    phase = radians_per_ppm_second(TESLA) * background * TIMES[-1]
    inside = scene.mask != 0
    assert np.ptp(phase[inside]) > 4 * np.pi
    found = solve(scene.field + background, scene.mask) - solve(scene.field, scene.mask)
    assert found[inside].std() < 0.05 * 0.2


def test_a_steep_source_is_unwrapped_by_early_echoes(ball: Callable[..., Any]) -> None:
    """Neighbours differ by more than half a turn in the last echo, not in the first."""
    scene = ball(SMALL, chi=2.0, radius=5.5)
    late = (0.003, 0.009, 0.03)
    steepest = np.abs(np.diff(scene.field, axis=2)).max() * radians_per_ppm_second(TESLA)
    assert steepest * late[-1] > np.pi > steepest * late[0]
    found, alone = (
        contrast(solve(scene.field, scene.mask, times=t, regularisation=2e-3), scene)
        for t in (late, late[-1:])
    )
    assert found == pytest.approx(2.0, rel=0.12)
    assert abs(alone - 2.0) > 0.5


def test_voxels_without_signal_do_not_count(ball: Callable[..., Any]) -> None:
    """Their phase means nothing, and their magnitude says so."""
    scene = ball(SMALL, radius=5.5)
    rng = np.random.default_rng(410)
    dark = rng.random(SMALL) < 0.005
    signal = echoes(scene.field)
    nonsense = np.exp(1j * rng.uniform(-np.pi, np.pi, signal.shape))
    clean = solve(scene.field, scene.mask)
    errors = []
    for size in (1.0, 100.0):
        wrong = np.where(dark[..., None], size * nonsense, signal)
        found = solve(scene.field, scene.mask, signal=wrong)
        errors.append(np.std((found - clean)[scene.mask != 0]))
    assert errors[0] < 0.02
    assert errors[1] > 5 * errors[0]


def test_more_regularisation_is_smoother(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.5)
    field = scene.field + np.random.default_rng(411).normal(0, 2e-3, SMALL)
    rough = [
        np.abs(np.diff(solve(field, scene.mask, regularisation=r), axis=0)).sum()
        for r in (5e-5, 1e-3)
    ]
    assert rough[1] < 0.6 * rough[0]


def test_it_stops_by_its_tolerance(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.5)
    counts = []
    for tolerance in (2e-2, 3e-3):
        seen: list[float] = []
        solve(
            scene.field,
            scene.mask,
            tol=tolerance,
            progress=lambda fraction, _stage, seen=seen: seen.append(fraction),
        )
        counts.append(len(seen))
    assert counts[0] < counts[1] < 600


def test_offset_is_taken_from_the_phase(ball: Callable[..., Any]) -> None:
    """One that all echoes share, and one of each echo; both many turns steep."""
    scene = ball(SMALL, radius=5.5)
    x, y, z = (i / n for i, n in zip(np.indices(SMALL), SMALL, strict=True))
    bumps = 3 * np.sin(9 * x + 4 * y) + 2 * np.cos(7 * z)
    expected = solve(scene.field, scene.mask)
    for factors in (np.ones(1), np.array([1.0, -1.0, 1.0])):
        offset = (bumps[..., None] * factors).astype(np.float32)
        turned = echoes(scene.field) * np.exp(1j * offset)
        found = solve(scene.field, scene.mask, signal=turned, phase_offset=offset)
        assert np.abs(found - expected).max() < 1e-3
    assert np.abs(solve(scene.field, scene.mask, signal=turned) - expected).max() > 0.01


def test_phase_that_is_the_same_all_over_is_nothing() -> None:
    mask = np.ones((12, 13, 11), np.uint8)
    assert (solve(np.zeros(mask.shape), mask) == 0).all()


def test_what_is_wrong_is_said(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.5)
    phase = np.zeros((*SMALL, 3), np.float32)
    magnitude = phase + 1
    with pytest.raises(InputError, match="Echo times"):
        tgv(magnitude, phase, scene.mask, echo_times=(0.01,), field_strength=3.0, progress=silent)
    with pytest.raises(InputError, match="empty"):
        tgv(magnitude, phase, np.zeros(SMALL, np.uint8), echo_times=TIMES, field_strength=3.0)
