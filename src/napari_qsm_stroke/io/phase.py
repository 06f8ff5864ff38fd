"""Phase to radians: by the unit that the header says, else by a known range, else refused.

Phase is never stretched from its minimum and maximum alone: a masked or smooth image does not fill
its turn, and stretching it would scale the susceptibility in silence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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
CROPPED = 1000
"""A crop with signal reaches at least this of 4095, or it is no phase in 12 bits."""


@dataclass(frozen=True)
class Radians:
    """Wrapped phase in rad, and how its unit was found."""

    radians: FloatArray
    unit: str
    note: str = ""
    """Empty where there is nothing unusual."""


def check_units(sidecars: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> str:
    """Return the unit that the sidecars of all echoes name, or an empty text.

    Raises
    ------
    InputError
        They name different units, or one that phase cannot have.
    """
    named = {}
    for sidecar, path in zip(sidecars, paths, strict=True):
        name = str(sidecar.get("Units") or "").strip()
        if name.lower() not in NAMED and name.lower() not in UNNAMED:
            raise InputError(
                str(path), f"the sidecar says that the phase is in {name!r}, expected rad.", REMEDY
            )
        named[name.lower() if name.lower() in NAMED else ""] = name
    if len(named) > 1:
        listed = " and ".join(sorted(name or "none" for name in named))
        raise InputError(str(paths[0]), f"the sidecars of the echoes say {listed}.", REMEDY)
    return next(iter(named.values()), "")


def to_radians(
    phase: FloatArray,
    magnitude: FloatArray | None,
    units: str,
    where: str,
    scaling: tuple[float, float] | None = None,
    maker: str = "",
    *,
    in_place: bool = False,
) -> Radians:
    """Bring phase to rad: by its sidecar, else by its header, else by a known range.

    Parameters
    ----------
    phase : ndarray of float32, shape (X, Y, Z, E)
        As stored, all echoes.
    magnitude : ndarray of float32, shape (X, Y, Z, E), optional
        Tells signal from noise.
    units : str
        ``Units`` of the sidecar, or empty.
    where : str
        Name of the file, for messages.
    scaling : (float, float), optional
        Slope and intercept of the integers in the file: with 12 bits they give the whole range,
        however little of it a cropped or masked image fills.
    maker : str
        Maker of the scanner, or empty.
    in_place : bool
        Write the radians where the stored values were: series of echoes are large.

    Returns
    -------
    Radians
        Within [-pi, pi].

    Raises
    ------
    InputError
        The unit is unknown, or the values contradict the unit that the header says.
    """
    low, high = float(phase.min()), float(phase.max())
    if low == high:
        raise InputError(where, f"the phase is {low:g} everywhere.", "Export the phase again.")
    phase = phase if in_place else phase.copy()
    name = units.strip().lower()
    if name in NAMED:
        return _named(phase, NAMED[name], units, where)
    whole = all(bool((slab == np.rint(slab)).all()) for slab in phase)
    for source, known in (
        ("by slope and intercept of the file", _of_scaling(scaling, low, high)),
        ("by its range", _known(low, high, whole)),
        ("by the 12 bits of Siemens", _of_siemens(phase, whole) if is_siemens(maker) else None),
    ):
        if known is not None:
            scale, offset, unit = known
            return Radians(_wrapped(phase, scale, offset), f"{unit}, {source}")
    if magnitude is not None and _is_full_turn(phase, magnitude):
        scale = 2 * math.pi / ((high - low) * TWELVE_BITS / (TWELVE_BITS - 1))
        note = (
            f"Phase spans {low:.4g} to {high:.4g} in {TWELVE_BITS} even steps, in no known unit: "
            "taken as one full turn, scaled to -pi to pi."
        )
        return Radians(
            _wrapped(phase, scale, -scale * (low + high) / 2), "12 bits of an unknown unit", note
        )
    raise InputError(
        where, f"the phase is in unknown units: it spans {low:.4g} to {high:.4g}.", REMEDY
    )


def is_siemens(maker: str) -> bool:
    """Tell whether a scanner is one of Siemens."""
    return maker.strip().upper().startswith("SIEMENS")


def _named(phase: FloatArray, scale: float, units: str, where: str) -> Radians:
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
    return Radians(_wrapped(phase, scale, 0.0), f"{units}, by its sidecar", note)


Known = tuple[float, float, str]
"""Scale and offset to rad, and the name of the unit."""


def _of_scaling(scaling: tuple[float, float] | None, low: float, high: float) -> Known | None:
    """Unit by the range that 12-bit integers span with this slope and intercept, or None."""
    if scaling is None or scaling[0] <= 0:
        return None
    slope, bottom = scaling
    top = bottom + (TWELVE_BITS - 1) * slope
    if low < bottom - slope or high > top + slope:
        return None
    if abs(bottom + 180) < 1 and abs(top - 180) < 1:
        return math.pi / 180, 0.0, "degrees"
    return _known(bottom, top, slope == round(slope) and bottom == round(bottom))


def _of_siemens(phase: FloatArray, whole: bool) -> Known | None:
    """Unit of whole numbers of a Siemens scanner that do not fill their range (a crop), or None."""
    low, high = float(phase.min()), float(phase.max())
    if not whole or high < CROPPED:
        return None
    if low >= 0 and high < TWELVE_BITS:
        return 2 * math.pi / TWELVE_BITS, -math.pi, "0 to 4095"
    if low < -CROPPED and low >= -TWELVE_BITS and high <= TWELVE_BITS and not (phase % 2).any():
        return math.pi / TWELVE_BITS, 0.0, "-4096 to 4095"
    return None


def _known(low: float, high: float, whole: bool) -> Known | None:
    """Unit of the ranges that scanners write, or None."""
    reach = max(abs(low), abs(high))
    if 0.985 * math.pi <= reach <= 1.002 * math.pi:
        return 1.0, 0.0, "rad"
    if low >= 0 and 1.97 * math.pi <= high <= 2.002 * math.pi:
        return 1.0, 0.0, "rad"
    if low < 0 and 3100 <= reach <= 3143:
        return 1e-3, 0.0, "mrad"
    if whole and low < 0 and 4000 <= reach <= TWELVE_BITS:
        return math.pi / TWELVE_BITS, 0.0, "-4096 to 4095"
    if whole and low >= 0 and 4000 <= high < TWELVE_BITS:
        return 2 * math.pi / TWELVE_BITS, -math.pi, "0 to 4095"
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
    """Phase times scale plus offset, brought into [-pi, pi] in its own place."""
    pi = np.float32(math.pi)
    for slab in phase:
        slab *= np.float32(scale)
        slab += np.float32(offset)
        out = np.abs(slab) > pi
        if out.any():
            slab[out] = np.clip(np.angle(np.exp(1j * slab[out])), -pi, pi)
    return phase
