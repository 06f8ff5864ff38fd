"""Magnitude and phase as one complex signal."""

from __future__ import annotations

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.polar import from_polar
from napari_qsm_stroke.core.quantities import Magnitude, Phase, Signal


@method(memory=2)
def complex_signal(magnitude: Magnitude, phase: Phase) -> Signal:
    """Join magnitude and phase without changing either: the way for a single echo.

    One echo does not tell the phase offset of the coils from the field. What is left of the offset
    is smooth and goes with the background field.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped or not.

    Returns
    -------
    ndarray of complex64, shape (X, Y, Z, E)
        Zero where magnitude or phase is not finite.
    """
    return from_polar(magnitude, phase)
