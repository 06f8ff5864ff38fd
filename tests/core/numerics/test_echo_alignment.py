"""Whole turns between echoes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes

TURN = 2 * np.pi
TIMES = (0.004, 0.010, 0.016, 0.028)


def test_turns_of_each_part_and_echo_are_found() -> None:
    rng = np.random.default_rng(9)
    field = rng.normal(5, 3, 400)
    part = np.where(np.arange(400) < 300, 17, 3).astype(np.int32)
    truth = TURN * np.array(TIMES)[:, None] * field
    turns = rng.integers(-3, 4, (4, 2))
    shifted = (truth + TURN * turns[:, (part == 3).astype(int)]).astype(np.float32)
    align_echoes(shifted, part, TIMES)
    np.testing.assert_allclose(shifted, truth, atol=1e-4)


def test_a_turn_too_many_is_a_constant_field() -> None:
    """A field above the range of the echo spacing is off by the same amount everywhere."""
    times = (0.005, 0.010, 0.015, 0.020)
    field = np.random.default_rng(10).normal(150, 3, 200)
    truth = TURN * np.array(times)[:, None] * field
    aligned = truth.astype(np.float32)
    align_echoes(aligned, np.zeros(200, np.int32), times)
    slope = np.polyfit(times, aligned, 1)[0] / TURN
    assert np.ptp(slope - field) == pytest.approx(0, abs=1e-2)
