"""R2* by a fit to the magnitude itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.quantities import Brain, EchoTimes, Magnitude, R2Star
from napari_qsm_stroke.core.relaxation.r2star_fit import r2star_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

STEPS = 20
SMALL = 1e-3


@method(cite="10.1002/mrm.25137", memory=0.5)
def r2star_nonlinear(magnitude: Magnitude, brain: Brain, *, echo_times: EchoTimes) -> R2Star:
    """Fit an exponential to the magnitude by Gauss-Newton steps, from the line of its logarithm.

    All echoes count the same: right where their noise is Gaussian.

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
    rates = r2star_fit(magnitude, brain, echo_times=echo_times)
    echoes = np.ascontiguousarray(magnitude, np.float32).reshape(-1, magnitude.shape[3])
    inside = np.ascontiguousarray(brain).reshape(-1) != 0
    _improve(echoes, inside, np.asarray(echo_times, dtype=np.float64), rates.reshape(-1))
    return rates


@kernel(parallel=True)
def _improve(
    echoes: FloatArray,
    inside: NDArray[np.bool_],
    times: NDArray[np.float64],
    rates: FloatArray,
) -> None:
    for v in prange(inside.size):
        if not inside[v]:
            continue
        rate = float(rates[v])
        for _ in range(STEPS):
            # the best size for this rate, and the derivative of the model with the size refitted
            ee, em, te, tm, tt = 0.0, 0.0, 0.0, 0.0, 0.0
            for e in range(times.size):
                m, decay = float(echoes[v, e]), math.exp(-rate * times[e])
                if m - m == 0:
                    ee += decay * decay
                    em += decay * m
                    te += times[e] * decay * decay
                    tm += times[e] * decay * m
                    tt += times[e] * times[e] * decay * decay
            size = em / ee if ee > 0 else 0.0
            curve = size * (tt - te * te / ee) if ee > 0 else 0.0
            if curve <= 0:
                break
            step = (size * te - tm) / curve
            before, rate = rate, max(0.0, rate + step)
            if abs(rate - before) < SMALL:
                break
        rates[v] = rate
