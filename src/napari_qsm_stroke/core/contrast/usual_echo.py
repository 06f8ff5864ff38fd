"""The echo that shows veins best."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL_ECHO_TESLA = 0.020 * 3.0
"""Echo time times field strength of a usual SWI: 20 ms at 3 T."""


def usual_echo(echo_times: Sequence[float], field_strength: float) -> int:
    """Number of the echo nearest to 20 ms at 3 T, or what corresponds to it."""
    wanted = USUAL_ECHO_TESLA / field_strength
    return min(range(len(echo_times)), key=lambda e: abs(echo_times[e] - wanted))
