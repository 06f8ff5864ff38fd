"""R2* by ARLO: integrals and differences of the decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.quantities import Brain, EchoTimes, Magnitude, R2Star
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

UNEVEN = 0.02


@method(cite="10.1002/mrm.25137", memory=0.5)
def arlo(magnitude: Magnitude, brain: Brain, *, echo_times: EchoTimes) -> R2Star:
    """Compare the integral of the decay with what the signal has lost: no logarithm, no iteration.

    The integral over two echo spacings is that of a parabola through three echoes. What the
    signal loses over them is R2* times the integral; all triples of neighbours are fitted at once.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        At least three echoes at equal distances, in any unit.
    brain : ndarray of shape (X, Y, Z)
        Where to fit.
    echo_times : tuple of float
        In s.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In 1/s, never negative; zero outside the brain.

    Raises
    ------
    InputError
        There are less than three echoes, or they are not at equal distances.

    References
    ----------
    Pei et al., Magn Reson Med 2015;73:843, doi:10.1002/mrm.25137.
    """
    if magnitude.shape[3] < 3:
        raise InputError(
            "Echoes",
            f"arlo needs at least 3 echoes, found {magnitude.shape[3]}.",
            "Use r2star_fit.",
        )
    steps = np.diff(echo_times)
    if np.ptp(steps) > UNEVEN * steps.mean():
        raise InputError(
            "Echo times",
            f"arlo needs equal distances, found {1000 * steps.min():.2f} to "
            f"{1000 * steps.max():.2f} ms.",
            "Use r2star_fit.",
        )
    rates = np.zeros(brain.shape, np.float32)
    echoes = np.ascontiguousarray(magnitude, np.float32).reshape(-1, magnitude.shape[3])
    inside = np.ascontiguousarray(brain).reshape(-1) != 0
    _compare(echoes, inside, float(steps.mean()), rates.reshape(-1))
    return rates


@kernel(parallel=True)
def _compare(
    echoes: FloatArray, inside: NDArray[np.bool_], spacing: float, rates: FloatArray
) -> None:
    third = spacing / 3
    for v in prange(inside.size):
        if not inside[v]:
            continue
        integrals, losses, products = 0.0, 0.0, 0.0
        for e in range(echoes.shape[1] - 2):
            a, b, c = float(echoes[v, e]), float(echoes[v, e + 1]), float(echoes[v, e + 2])
            integral, loss = third * (a + 4 * b + c), a - c
            integrals += integral * integral
            losses += loss * loss
            products += integral * loss
        size = integrals + third * products
        rate = (third * losses + products) / size if size > 0 else 0.0
        rates[v] = rate if rate > 0 and rate - rate == 0 else 0.0
