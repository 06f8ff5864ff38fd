"""Phase of a field by the effective echo time."""

from __future__ import annotations

import pytest

from napari_qsm_stroke.core.physics.phase_scale import radians_per_ppm


def test_one_ppm_at_3_tesla_and_20_ms_turns_two_and_a_half_times() -> None:
    turns = 42.577478461 * 3 * 0.020
    assert radians_per_ppm((0.01, 0.02, 0.03), 3.0) == pytest.approx(2 * 3.14159265 * turns)
