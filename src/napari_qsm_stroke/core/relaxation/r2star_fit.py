"""R2* from the decay of the magnitude."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.quantities import Brain, EchoTimes, Magnitude, R2Star
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/mrm.25137", memory=0.5)
def r2star_fit(magnitude: Magnitude, brain: Brain, *, echo_times: EchoTimes) -> R2Star:
    """Weighted log-linear fit: a line to the log of the magnitude, weights squared magnitude.

    The weights are those of the noise: the logarithm of a weak echo is uncertain. Any spacing of
    echoes will do.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        At least two echoes, in any unit.
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
        There is only one echo.

    References
    ----------
    Compared with others by Pei et al., Magn Reson Med 2015;73:843, doi:10.1002/mrm.25137.
    """
    if magnitude.shape[3] < 2:
        raise InputError(
            "Echoes", "r2star_fit needs at least 2 echoes, found 1.", "Leave the step out."
        )
    rates = np.zeros(brain.shape, np.float32)
    echoes = np.ascontiguousarray(magnitude, np.float32).reshape(-1, magnitude.shape[3])
    inside = np.ascontiguousarray(brain).reshape(-1) != 0
    _decay(echoes, inside, np.asarray(echo_times, dtype=np.float64), rates.reshape(-1))
    return rates


@kernel(parallel=True)
def _decay(
    size: FloatArray,
    inside: NDArray[np.bool_],
    times: NDArray[np.float64],
    rates: FloatArray,
) -> None:
    for v in prange(inside.size):
        if not inside[v]:
            continue
        weight, mean_t, mean_y = 0.0, 0.0, 0.0
        for e in range(times.size):
            m = float(size[v, e])
            if m > 0 and math.isfinite(m):
                weight += m * m
                mean_t += m * m * times[e]
                mean_y += m * m * math.log(m)
        if weight <= 0:
            continue
        mean_t /= weight
        mean_y /= weight
        square, product = 0.0, 0.0
        for e in range(times.size):
            m = float(size[v, e])
            if m > 0 and math.isfinite(m):
                square += m * m * (times[e] - mean_t) ** 2
                product += m * m * (times[e] - mean_t) * (math.log(m) - mean_y)
        if square > 0:
            rates[v] = max(0.0, -product / square)
