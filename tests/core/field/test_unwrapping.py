"""Every unwrapping method on a known field many turns wide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.field.best_path import best_path
from napari_qsm_stroke.core.field.laplacian import laplacian
from napari_qsm_stroke.core.field.romeo import romeo
from napari_qsm_stroke.errors import Cancelled, InputError

TIMES = (0.005, 0.010, 0.015)
TURN = 2 * np.pi
EXACT = [romeo, best_path]


def turns_off(phase: np.ndarray, field: np.ndarray, inside: np.ndarray, time: float) -> np.ndarray:
    """Error in turns, up to one whole number for all voxels."""
    error = phase[inside] / TURN - field[inside] * time
    return error - np.round(np.median(error))


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_no_voxel_is_off_by_a_turn(
    method: Callable[..., Any], noise: float, scene: Callable[..., Any]
) -> None:
    signal, brain, field = scene(noise)
    phase, quality = method(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    inside = brain != 0
    assert phase.dtype == quality.dtype == np.float32
    for echo, time in enumerate(TIMES):
        error = turns_off(phase[..., echo], field, inside, time)
        assert np.ptp(field[inside] * time) > (echo + 1) * 0.3
        assert (np.abs(error) > 0.5).mean() < 1e-4
    assert (phase[~inside] == 0).all()
    assert (quality[~inside] == 0).all()
    assert quality[inside].min() >= 0
    assert quality.max() <= 1


@pytest.mark.parametrize("method", EXACT)
def test_echoes_are_aligned(method: Callable[..., Any], scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(1.0)
    phase, _ = method(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    inside = brain != 0
    slope = np.polyfit(TIMES, phase[inside].T, 1)[0] / TURN
    error = slope - field[inside]
    # the field may be off by a turn an echo everywhere, which the background step takes away
    assert np.percentile(np.abs(error - np.median(error)), 99) < 1.5


@pytest.mark.parametrize("method", [*EXACT, laplacian])
def test_one_echo_will_do(method: Callable[..., Any], scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(1.0, (0.010,))
    phase, _ = method(np.abs(signal), np.angle(signal), brain, echo_times=(0.010,))
    error = turns_off(phase[..., 0], field, brain != 0, 0.010)
    limit = 0.5 if method is laplacian else 0.05
    assert np.percentile(np.abs(error - np.median(error)), 99) < limit


def test_laplacian_adds_only_what_is_harmonic_in_the_brain(scene: Callable[..., Any]) -> None:
    """What the background step takes away anyway: its Laplacian is that of the true phase."""
    signal, brain, field = scene(0.0)
    phase, _ = laplacian(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    deep = ndimage.binary_erosion(brain, iterations=2)
    for echo, time in enumerate(TIMES[:2]):  # in the third, neighbours differ by over half a turn
        truth = TURN * field * time
        found = ndimage.laplace(phase[..., echo].astype(float))[deep]
        np.testing.assert_allclose(found, ndimage.laplace(truth)[deep], atol=2e-3)
        error = (phase[..., echo] - truth)[deep] / TURN
        assert np.std(error) < 0.3 * np.std(truth[deep] / TURN)


@pytest.mark.parametrize("method", EXACT)
def test_cut_off_parts_are_unwrapped_too(
    method: Callable[..., Any], scene: Callable[..., Any]
) -> None:
    signal, brain, field = scene(1.0)
    brain[18] = 0
    phase, _ = method(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    for half in (slice(0, 18), slice(19, None)):
        inside = brain[half] != 0
        error = turns_off(phase[half][..., 2], field[half], inside, TIMES[2])
        assert np.std(error) < 0.06


@pytest.mark.parametrize("method", [*EXACT, laplacian])
def test_an_empty_brain_is_said(method: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="empty"):
        method(*np.ones((2, 4, 4, 4, 3)), np.zeros((4, 4, 4)), echo_times=TIMES)


@pytest.mark.parametrize("method", [*EXACT, laplacian])
def test_cancel_between_echoes(method: Callable[..., Any], scene: Callable[..., Any]) -> None:
    def stop(fraction: float, _stage: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    signal, brain, _ = scene()
    with pytest.raises(Cancelled):
        method(np.abs(signal), np.angle(signal), brain, echo_times=TIMES, progress=stop)


def test_romeo_marks_noise_as_poor(scene: Callable[..., Any]) -> None:
    signal, brain, _ = scene(1.0)
    rng = np.random.default_rng(41)
    patch = (slice(10, 14), slice(18, 22), slice(14, 18))
    signal[patch] = 3 * (rng.normal(size=(4, 4, 4, 3)) + 1j * rng.normal(size=(4, 4, 4, 3)))
    _, quality = romeo(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    inside = brain != 0
    assert quality[patch].mean() < 0.45
    assert np.median(quality[inside]) > 0.8


def test_template_takes_the_turns_from_the_first_echo(scene: Callable[..., Any]) -> None:
    signal, brain, field = scene(1.0)
    phase, quality = romeo(
        np.abs(signal), np.angle(signal), brain, echo_times=TIMES, mode="template"
    )
    alone, same = romeo(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    inside = brain != 0
    for echo, time in enumerate(TIMES):
        error = phase[inside][:, echo] / TURN - field[inside] * time
        assert (np.abs(error) > 0.5).mean() < 1e-4
    np.testing.assert_allclose(phase, alone, atol=1e-4)
    np.testing.assert_array_equal(quality, same)


def test_a_voxel_that_jumps_from_echo_to_echo_is_put_right(scene: Callable[..., Any]) -> None:
    """Neighbours further than half a turn apart in the last echo only: a strong small source."""
    signal, brain, field = scene(0.0)
    place = (18, 20, 16)
    extra = 45.0  # Hz: 0.22, 0.45 and 0.67 turns
    signal[place] *= np.exp(1j * TURN * extra * np.array(TIMES))
    phase, _ = romeo(np.abs(signal), np.angle(signal), brain, echo_times=TIMES)
    turns = phase[place] / TURN - (field[place] + extra) * np.array(TIMES)
    others = np.median(phase[17, 17:23, 16] / TURN - field[17, 17:23, 16, None] * TIMES, axis=0)
    np.testing.assert_allclose(turns, others, atol=0.1)
