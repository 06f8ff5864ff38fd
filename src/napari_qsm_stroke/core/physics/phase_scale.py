"""How much phase a field makes: the scale of the methods that fit phase instead of field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.units import radians_per_ppm_second

if TYPE_CHECKING:
    from collections.abc import Sequence


def radians_per_ppm(echo_times: Sequence[float], field_strength: float) -> float:
    """Phase in rad that 1 ppm makes by the effective echo time, the mean of all.

    Parameters
    ----------
    echo_times : sequence of float
        In s.
    field_strength : float
        In T.
    """
    return radians_per_ppm_second(field_strength) * float(np.mean(echo_times))
