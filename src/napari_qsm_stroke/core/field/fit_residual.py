"""What a line through the echoes leaves over: the fit's quality, and the offset of the coils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.echo_fit import fit_echoes
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    FitResidual,
    Magnitude,
    OffsetLeft,
    UnwrappedPhase,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1109/TMI.2009.2023787", revision=2, memory=3.5)
def fit_residual(
    unwrapped_phase: UnwrappedPhase,
    magnitude: Magnitude,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    offset_smoothing: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 3.0,
) -> tuple[FitResidual, OffsetLeft]:
    """Tell how far the echoes lie from a line, and where it starts at time zero.

    The residual is high where echoes were unwrapped wrongly, where the signal is gone, and where
    blood flows. The offset is what the coils left: it should be small and smooth.

    Parameters
    ----------
    unwrapped_phase : ndarray of shape (X, Y, Z, E)
        In rad; at least two echoes.
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    brain : ndarray of shape (X, Y, Z)
        Where to fit.
    echo_times : tuple of float
        In s.
    voxel_size : tuple of float
        In mm.
    offset_smoothing : float
        Standard deviation of the Gaussian over which the offset is averaged, as in
        ``weighted_fit``.

    Returns
    -------
    fit_residual : ndarray of float32, shape (X, Y, Z)
        Root mean square of what is left of the phase in rad, weighted by squared magnitude; zero
        outside the brain.
    offset_left : ndarray of float32, shape (X, Y, Z)
        In rad; zero outside the brain.

    Raises
    ------
    InputError
        There is only one echo.

    References
    ----------
    Kressler et al., IEEE Trans Med Imaging 2010;29:273, doi:10.1109/TMI.2009.2023787.
    """
    if unwrapped_phase.shape[3] < 2:
        raise InputError(
            "Echoes", "fit_residual needs at least 2 echoes, found 1.", "Leave the step out."
        )
    inside = np.ascontiguousarray(brain) != 0
    times = np.asarray(echo_times, dtype=np.float64)
    sigma = [offset_smoothing / v for v in voxel_size]
    fit = fit_echoes(unwrapped_phase, magnitude, inside, times, sigma)
    left = np.zeros_like(fit.slope)
    _left_over(fit.phase, fit.magnitude, times, fit.slope, fit.intercept, left)
    residual, offset = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    residual[inside], offset[inside] = left, fit.intercept
    return residual, offset


@kernel(parallel=True)
def _left_over(
    phase: FloatArray,
    magnitude: FloatArray,
    times: NDArray[np.float64],
    slope: FloatArray,
    intercept: FloatArray,
    left: FloatArray,
) -> None:
    for n in prange(slope.size):
        weight, squares = 0.0, 0.0
        for e in range(times.size):
            w = float(magnitude[e, n]) ** 2
            weight += w
            squares += w * (phase[e, n] - intercept[n] - slope[n] * times[e]) ** 2
        if weight > 0:
            left[n] = np.sqrt(squares / weight)
