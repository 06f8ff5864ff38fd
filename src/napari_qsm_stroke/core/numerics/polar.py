"""Complex numbers from magnitude and phase, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ZERO, angle_of, cosine_sine
from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

BLOCK = 2048


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
    shift = np.zeros(1, np.float32) if offset is None else offset.reshape(-1)
    _polar(
        np.ascontiguousarray(magnitude, np.float32).reshape(-1),
        np.ascontiguousarray(phase, np.float32).reshape(-1),
        shift,
        magnitude.shape[3],
        signal.reshape(-1).view(np.float32),
    )
    return signal


def to_polar(
    signal: NDArray[np.complex64], places: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Magnitude and phase at some places of the flat grid; zero where a value is not finite.

    Parameters
    ----------
    signal : ndarray of complex64, shape (X, Y, Z, E)
    places : ndarray of int64, shape (N,)

    Returns
    -------
    magnitude, phase : ndarray of float32, shape (E, N)
        Phase in rad.
    """
    echoes = signal.shape[3]
    parts = np.ascontiguousarray(signal, np.complex64).reshape(-1, echoes).view(np.float32)
    magnitude = np.empty((echoes, places.size), np.float32)
    phase = np.empty((echoes, places.size), np.float32)
    _pick(parts, places, magnitude, phase)
    return magnitude, phase


@kernel(parallel=True)
def _pick(
    parts: FloatArray, places: NDArray[np.int64], magnitude: FloatArray, phase: FloatArray
) -> None:
    for block in prange(-(-places.size // BLOCK)):
        chosen = places[block * BLOCK : (block + 1) * BLOCK]
        real, imaginary = np.empty(chosen.size, np.float32), np.empty(chosen.size, np.float32)
        for e in range(magnitude.shape[0]):
            for n in range(chosen.size):
                a, b = parts[chosen[n], 2 * e], parts[chosen[n], 2 * e + 1]
                good = a - a == ZERO and b - b == ZERO
                real[n] = a if good else ZERO
                imaginary[n] = b if good else ZERO
            first = block * BLOCK
            _angles(real, imaginary, magnitude[e, first:], phase[e, first:])


@routine
def _angles(
    real: FloatArray, imaginary: FloatArray, magnitude: FloatArray, phase: FloatArray
) -> None:
    for n in range(real.size):
        a, b = real[n], imaginary[n]
        magnitude[n] = np.sqrt(a * a + b * b)
        phase[n] = angle_of(a, b)


@kernel(parallel=True)
def _polar(
    magnitude: FloatArray, phase: FloatArray, shift: FloatArray, echoes: int, signal: FloatArray
) -> None:
    """Real and imaginary parts, one after the other."""
    voxels = magnitude.size // echoes
    for block in prange(-(-voxels // BLOCK)):
        first, last = block * BLOCK, min((block + 1) * BLOCK, voxels)
        angle = phase[first * echoes : last * echoes].copy()
        if shift.size > 1:
            for e in range(echoes):
                for v in range(last - first):
                    angle[v * echoes + e] -= shift[first + v]
        _turn(
            magnitude[first * echoes : last * echoes],
            angle,
            signal[2 * first * echoes : 2 * last * echoes],
        )


@routine
def _turn(magnitude: FloatArray, angle: FloatArray, signal: FloatArray) -> None:
    sines = np.empty_like(angle)
    for n in range(angle.size):
        m, a = magnitude[n], angle[n]
        cosine, sine = cosine_sine(a)
        # what is not finite has no difference from itself
        good = m - m == ZERO and a - a == ZERO
        angle[n] = m * cosine if good else ZERO
        sines[n] = m * sine if good else ZERO
    for n in range(angle.size):
        signal[2 * n] = angle[n]
        signal[2 * n + 1] = sines[n]
