"""Complex numbers from magnitude and phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


def from_polar(
    magnitude: NDArray[Any], phase: NDArray[Any], offset: FloatArray | None = None
) -> NDArray[np.complex64]:
    """``magnitude * exp(i (phase - offset))``, zero where it would not be finite.

    Parameters
    ----------
    magnitude, phase : ndarray of shape (X, Y, Z, E)
        Phase in rad.
    offset : ndarray of shape (X, Y, Z), optional
        Phase in rad to take from every echo.

    Raises
    ------
    InputError
        Magnitude and phase have different shapes.
    """
    if magnitude.shape != phase.shape:
        raise InputError(
            "Phase",
            f"its shape {phase.shape} is not that of the magnitude, {magnitude.shape}.",
            "Give magnitude and phase of the same echoes.",
        )
    signal = np.empty(magnitude.shape, np.complex64)
    flat = (-1, magnitude.shape[3])
    shift = np.zeros(1, np.float32) if offset is None else offset.reshape(-1)
    _polar(
        np.ascontiguousarray(magnitude, np.float32).reshape(flat),
        np.ascontiguousarray(phase, np.float32).reshape(flat),
        shift,
        signal.reshape(flat),
    )
    return signal


@kernel(parallel=True)
def _polar(
    magnitude: FloatArray, phase: FloatArray, shift: FloatArray, signal: NDArray[np.complex64]
) -> None:
    one = shift.size == 1
    for v in prange(magnitude.shape[0]):
        turn = shift[0] if one else shift[v]
        for e in range(magnitude.shape[1]):
            m, p = magnitude[v, e], phase[v, e] - turn
            if math.isfinite(m) and math.isfinite(p):
                signal[v, e] = complex(m * math.cos(p), m * math.sin(p))
            else:
                signal[v, e] = 0.0
