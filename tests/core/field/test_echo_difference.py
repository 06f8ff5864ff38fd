"""The field from the phase that two echoes differ by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.field.echo_difference import echo_difference
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.errors import InputError

TESLA = 3.0
HZ = 2 * np.pi / radians_per_ppm_second(TESLA)
"""ppm in a Hz."""
TIMES = (0.004, 0.009, 0.014, 0.019)


def found_in(signal: np.ndarray, brain: np.ndarray, times: tuple[float, ...], **more: Any) -> Any:
    options = {"echo_times": times, "field_strength": TESLA, **more}
    return echo_difference(np.abs(signal), np.angle(signal), brain, **options)


def error_of(found: np.ndarray, field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """In ppm, up to the constant that the background step takes away."""
    error = found[inside] - HZ * field[inside]
    return np.asarray(error - np.median(error))


@pytest.mark.parametrize("interval", [0.004, 0.011, 0.5])
def test_it_is_the_field_whatever_the_coils_add(interval: float, scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(0.0, TIMES)
    coils = 1.5 * np.sin(np.indices(brain.shape).sum(axis=0) / 6)
    found = found_in(signal * np.exp(1j * coils)[..., None], brain, TIMES, interval=interval)
    inside = brain != 0
    assert found.dtype == np.float32
    assert (found[~inside] == 0).all()
    assert np.percentile(np.abs(error_of(found, field, inside)), 99.9) < 1e-4


@pytest.mark.parametrize(("interval", "other"), [(0.004, 1), (0.009, 2), (0.014, 3), (1.0, 3)])
def test_the_echo_nearest_to_the_interval_is_taken(
    interval: float, other: int, scene: Callable[..., Any]
) -> None:
    signal, brain, _ = scene(1.0, TIMES)
    kept = [0, other]
    alone = found_in(signal[..., kept], brain, tuple(TIMES[e] for e in kept))
    np.testing.assert_array_equal(found_in(signal, brain, TIMES, interval=interval), alone)


def test_order_of_the_echoes_does_not_matter(scene: Callable[..., Any]) -> None:
    signal, brain, _ = scene(1.0, TIMES)
    turned = found_in(signal[..., ::-1], brain, TIMES[::-1])
    np.testing.assert_array_equal(turned, found_in(signal, brain, TIMES))


def test_one_echo_will_do(scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(0.0, (0.010,))
    found = found_in(signal, brain, (0.010,))
    assert np.percentile(np.abs(error_of(found, field, brain != 0)), 99.9) < 1e-4


def test_what_is_not_finite_stays_where_it_is(scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(0.0, TIMES)
    signal[18, 20, 16] = np.nan
    found = found_in(signal, brain, TIMES)
    inside = brain != 0
    inside[18, 20, 16] = False
    assert np.isfinite(found).all()
    assert np.percentile(np.abs(error_of(found, field, inside)), 99.9) < 1e-4


def test_what_does_not_belong_together_is_said(scene: Callable[..., Any]) -> None:
    signal, brain, _ = scene(0.0, TIMES)
    with pytest.raises(InputError, match=r"expected 4, .* found 3"):
        found_in(signal, brain, TIMES[:3])
    with pytest.raises(InputError, match="empty"):
        found_in(signal, 0 * brain, TIMES)
