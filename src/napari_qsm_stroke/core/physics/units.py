"""The one place where fields leave ppm."""

from __future__ import annotations

import math

from napari_qsm_stroke.core.physics.constants import GYROMAGNETIC_RATIO_MHZ_PER_T


def hz_per_ppm(field_strength: float) -> float:
    """Frequency in Hz of a field offset of 1 ppm at ``field_strength`` tesla."""
    return GYROMAGNETIC_RATIO_MHZ_PER_T * field_strength


def radians_per_ppm_second(field_strength: float) -> float:
    """Phase in rad that a field offset of 1 ppm adds each second at ``field_strength`` tesla."""
    return 2 * math.pi * hz_per_ppm(field_strength)
