"""Phase to radians: by the unit that the header says, else by a known range, else refused.

Phase is never stretched from its minimum and maximum alone: a masked or smooth image does not fill
its turn, and stretching it would scale the susceptibility in silence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

NAMED = {
    "rad": 1.0,
    "radian": 1.0,
    "radians": 1.0,
    "mrad": 1e-3,
    "deg": math.pi / 180,
    "degree": math.pi / 180,
    "degrees": math.pi / 180,
}
"""Units that a sidecar may name, in rad."""
UNNAMED = {"", "arbitrary", "a.u.", "au", "arb", "arb.", "arbitrary units"}
REMEDY = 'Write the unit into the sidecar (.json), e.g. "Units": "rad".'
TWELVE_BITS = 4096


def to_radians(
    phase: FloatArray, magnitude: FloatArray, units: str, where: str
) -> tuple[FloatArray, str]:
    """Return wrapped phase in rad, and how its unit was found where that is worth saying.

    Parameters
    ----------
    phase : ndarray of float32, shape (X, Y, Z, E)
        As stored, all echoes.
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        Tells signal from noise.
    units : str
        ``Units`` of the sidecar, or empty.
    where : str
        Name of the file, for messages.

    Returns
    -------
    phase : ndarray of float32, shape (X, Y, Z, E)
        In rad, within [-pi, pi].
    note : str
        Empty where there is nothing unusual.

    Raises
    ------
    InputError
        The unit is unknown, or the values contradict the unit that the header says.
    """
    low, high = float(phase.min()), float(phase.max())
    if low == high:
        raise InputError(where, f"the phase is {low:g} everywhere.", "Export the phase again.")
    name = units.strip().lower()
    if name in NAMED:
        return _named(phase, NAMED[name], units, where)
    if name not in UNNAMED:
        raise InputError(
            where, f"the sidecar says that the phase is in {units!r}, expected rad.", REMEDY
        )
    whole = bool((phase == np.rint(phase)).all())
    known = _known(low, high, whole)
    if known is not None:
        return _wrapped(phase, *known), ""
    if _is_full_turn(phase, magnitude):
        scale = 2 * math.pi / ((high - low) * TWELVE_BITS / (TWELVE_BITS - 1))
        note = (
            f"Phase spans {low:.4g} to {high:.4g} in {TWELVE_BITS} even steps, in no known unit: "
            "taken as one full turn, scaled to -pi to pi."
        )
        return _wrapped(phase, scale, -scale * (low + high) / 2), note
    raise InputError(
        where, f"the phase is in unknown units: it spans {low:.4g} to {high:.4g}.", REMEDY
    )


def _named(phase: FloatArray, scale: float, units: str, where: str) -> tuple[FloatArray, str]:
    low, high = float(phase.min()), float(phase.max())
    reach = max(abs(low), abs(high)) * scale
    one_turn = reach <= 1.01 * math.pi or (low >= 0 and reach <= 2.01 * math.pi)
    if not one_turn:
        raise InputError(
            where,
            f"the sidecar says {units}, but the phase spans {low:.4g} to {high:.4g}, "
            "more than one turn.",
            "Give the wrapped phase, or correct Units in the sidecar.",
        )
    note = ""
    if reach < 1:
        note = f"Phase reaches only {reach:.2g} rad: check that its unit is {units} indeed."
    return _wrapped(phase, scale, 0.0), note


def _known(low: float, high: float, whole: bool) -> tuple[float, float] | None:
    """Scale and offset to rad of the ranges that scanners write, or None."""
    reach = max(abs(low), abs(high))
    if 0.985 * math.pi <= reach <= 1.002 * math.pi:
        return 1.0, 0.0
    if low >= 0 and 1.97 * math.pi <= high <= 2.002 * math.pi:
        return 1.0, 0.0
    if low < 0 and 3100 <= reach <= 3143:
        return 1e-3, 0.0
    if whole and low < 0 and 4000 <= reach <= TWELVE_BITS:
        return math.pi / TWELVE_BITS, 0.0
    if whole and low >= 0 and 4000 <= high < TWELVE_BITS:
        return 2 * math.pi / TWELVE_BITS, -math.pi
    return None


def _is_full_turn(phase: FloatArray, magnitude: FloatArray) -> bool:
    """Tell whether these are a scanner's 12-bit phases times an unknown factor.

    Three signs together: 4096 even steps from end to end, a range symmetric about zero, and
    neighbours with signal that differ by nearly the whole range, but not by half of it: the wraps.
    """
    low, high = float(phase.min()), float(phase.max())
    levels = np.unique(phase).astype(np.float64)
    if abs(low + high) > 0.002 * (high - low) or not 2000 < levels.size <= TWELVE_BITS:
        return False
    steps = np.diff(levels)
    step = float(np.median(steps))
    count = (high - low) / step + 1
    even = np.abs(steps / step - np.rint(steps / step)).max() < 0.05
    return bool(abs(count - TWELVE_BITS) < 4 and even) and _has_wraps(phase, magnitude)


def _has_wraps(phase: FloatArray, magnitude: FloatArray) -> bool:
    signal = magnitude > 0.25 * np.percentile(magnitude, 95)
    span = float(phase.max() - phase.min())
    wraps = halves = 0
    for axis in range(3):
        ahead = [slice(None)] * phase.ndim
        behind = [slice(None)] * phase.ndim
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        both = signal[tuple(ahead)] & signal[tuple(behind)]
        jump = np.abs(phase[tuple(ahead)] - phase[tuple(behind)])[both] / span
        wraps += int(np.count_nonzero(jump > 0.75))
        halves += int(np.count_nonzero((jump > 0.375) & (jump < 0.625)))
    return wraps > 100 and wraps > 2 * halves


def _wrapped(phase: FloatArray, scale: float, offset: float) -> FloatArray:
    """Phase times scale plus offset, brought into [-pi, pi]."""
    radians = phase * np.float32(scale) + np.float32(offset)
    pi = np.float32(math.pi)
    out = np.abs(radians) > pi
    if out.any():
        radians[out] = np.clip(np.angle(np.exp(1j * radians[out])), -pi, pi)
    return radians.astype(np.float32, copy=False)
