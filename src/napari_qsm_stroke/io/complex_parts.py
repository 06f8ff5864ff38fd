"""Magnitude and phase from the real and imaginary images of a scanner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

ALTERNATING = -0.5
"""Correlation of neighbouring slices below which their sign alternates; near 1 where it does not.
"""


def to_polar(
    real: FloatArray, imaginary: FloatArray, where: str
) -> tuple[FloatArray, FloatArray, str]:
    """Return magnitude, phase (rad) and what was odd.

    GE scanners write three-dimensional acquisitions with a sign that changes from slice to slice (a
    shift by half the field of view that was left out before the last Fourier transform). It is
    taken back where neighbouring slices are opposite to each other throughout.

    Parameters
    ----------
    real, imaginary : ndarray of float32, shape (X, Y, Z, E)
        In the same arbitrary unit.
    where : str
        Name of the files, for messages.

    Raises
    ------
    InputError
        Neither part is ever negative: these are magnitudes.
    """
    if min(real.min(), imaginary.min()) >= 0:
        raise InputError(
            where,
            "real and imaginary part are nowhere negative, so they are magnitudes.",
            "Give the real and the imaginary images, with their sign.",
        )
    signal = real + 1j * imaginary
    notes = []
    for axis in range(3):
        if _neighbours(signal, axis) < ALTERNATING:
            turns = np.where(np.arange(signal.shape[axis]) % 2, -1, 1).astype(np.float32)
            signal = signal * np.expand_dims(turns, [a for a in range(4) if a != axis])
            notes.append(
                "Sign of real and imaginary part changed from slice to slice: it was taken back."
            )
    magnitude = np.abs(signal).astype(np.float32)
    phase = np.angle(signal).astype(np.float32)
    return magnitude, phase, " ".join(dict.fromkeys(notes))


def _neighbours(signal: NDArray[np.complex64], axis: int) -> float:
    """Correlation of each slice with the next, from -1 (opposite) to 1 (equal)."""
    if signal.shape[axis] < 4:
        return 1.0
    ahead = np.take(signal, range(1, signal.shape[axis]), axis)
    behind = np.take(signal, range(signal.shape[axis] - 1), axis)
    together = float(np.vdot(ahead, behind).real)
    apart = float(np.linalg.norm(ahead.ravel()) * np.linalg.norm(behind.ravel()))
    return together / apart if apart else 1.0
