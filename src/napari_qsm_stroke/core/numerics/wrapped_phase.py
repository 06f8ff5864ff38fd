"""The echoes in a mask, less the phase offset of the coils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ZERO, wrapped
from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

BLOCK = 2048


def check_echoes(
    magnitude: NDArray[Any], phase: NDArray[Any], offset: NDArray[Any] | None = None
) -> None:
    """Refuse images that do not belong together.

    Raises
    ------
    InputError
        Magnitude and phase have different shapes, or the offset fits neither one nor all echoes.
    """
    if magnitude.shape != phase.shape:
        raise InputError(
            "Phase",
            f"its shape {phase.shape} is not that of the magnitude, {magnitude.shape}.",
            "Give magnitude and phase of the same echoes.",
        )
    if offset is None:
        return
    if offset.shape[:3] != phase.shape[:3] or offset.shape[3] not in (1, phase.shape[3]):
        raise InputError(
            "Phase offset",
            f"its shape {offset.shape} does not fit the phase, {phase.shape}.",
            "Make it from the same echoes.",
        )


def wrapped_echoes(
    magnitude: NDArray[Any],
    phase: NDArray[Any],
    places: NDArray[np.int64],
    offset: NDArray[Any] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Magnitude, and phase less its offset, at some places of the flat grid.

    Both are zero where either is not finite.

    Parameters
    ----------
    magnitude, phase : ndarray of shape (X, Y, Z, E)
        Phase in rad, wrapped or not.
    places : ndarray of int64, shape (N,)
    offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad.

    Returns
    -------
    magnitude, phase : ndarray of float32, shape (E, N)
        Phase in rad, from -pi to pi.

    Raises
    ------
    InputError
        The shapes do not fit.
    """
    check_echoes(magnitude, phase, offset)
    count = phase.shape[3]
    shift = np.zeros((1, 1, 1, 1), np.float32) if offset is None else offset
    flat = [
        np.ascontiguousarray(a, np.float32).reshape(-1, a.shape[3])
        for a in (magnitude, phase, shift)
    ]
    size, angle = (np.empty((count, places.size), np.float32) for _ in range(2))
    _pick(flat[0], flat[1], flat[2], places, size, angle)
    return size, angle


@kernel(parallel=True)
def _pick(
    magnitude: FloatArray,
    phase: FloatArray,
    shift: FloatArray,
    places: NDArray[np.int64],
    size: FloatArray,
    angle: FloatArray,
) -> None:
    for block in prange(-(-places.size // BLOCK)):
        first = block * BLOCK
        chosen = places[first : first + BLOCK]
        m, p = np.empty(chosen.size, np.float32), np.empty(chosen.size, np.float32)
        for e in range(size.shape[0]):
            for n in range(chosen.size):
                m[n], p[n] = magnitude[chosen[n], e], phase[chosen[n], e]
            if shift.shape[0] > 1:
                own = min(e, shift.shape[1] - 1)
                for n in range(chosen.size):
                    p[n] -= shift[chosen[n], own]
            last = first + chosen.size
            _wrap(m, p, size[e, first:last], angle[e, first:last])


@routine
def _wrap(m: FloatArray, p: FloatArray, size: FloatArray, angle: FloatArray) -> None:
    for n in range(m.size):
        # what is not finite has no difference from itself
        good = m[n] - m[n] == ZERO and p[n] - p[n] == ZERO
        size[n] = m[n] if good else ZERO
        angle[n] = wrapped(p[n]) if good else ZERO
