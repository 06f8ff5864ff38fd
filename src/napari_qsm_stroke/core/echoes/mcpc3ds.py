"""MCPC-3D-S: the phase offset of the coils, from two echoes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.echoes.polar import from_polar
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.fourier import smooth_complex
from napari_qsm_stroke.core.numerics.spanning_tree import MaskGraph, edge_weights, unwrap
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import EchoTimes, Magnitude, Phase, Signal, VoxelSize
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

SIGNAL_FRACTION = 0.1


@method(cite="10.1002/mrm.26963")
def mcpc3ds(
    magnitude: Magnitude,
    phase: Phase,
    *,
    echo_times: EchoTimes,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    sigma: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 7.0,
    progress: Progress = silent,
) -> Signal:
    """Take the phase offset, which is smooth and the same in all echoes, from the signal.

    The phase that grows between the first two echoes, unwrapped and extrapolated back to time
    zero, leaves the offset; smoothing keeps noise and bleedings out of it.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        At least two echoes, in any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    echo_times : tuple of float
        In s.
    voxel_size : tuple of float
        In mm.
    sigma : float
        Width of the Gaussian that smooths the offset.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of complex64, shape (X, Y, Z, E)
        Zero where magnitude or phase is not finite.

    Raises
    ------
    InputError
        There is only one echo, or no signal.

    References
    ----------
    Eckstein et al., Magn Reson Med 2018;79:2996, doi:10.1002/mrm.26963.
    """
    if magnitude.shape[3] < 2:
        raise InputError(
            "Echoes",
            "mcpc3ds needs at least 2 echoes, found 1.",
            "Use complex_signal (recipe single-echo).",
        )
    progress(0.0, "Phase offset")
    first = from_polar(magnitude[..., :1], phase[..., :1])[..., 0]
    second = from_polar(magnitude[..., 1:2], phase[..., 1:2])[..., 0]
    step = second * first.conj()
    progress(0.2, "Phase offset")
    offset = _offset(first, step, echo_times[0] / (echo_times[1] - echo_times[0]))
    progress(0.6, "Phase offset")
    smooth = np.angle(smooth_complex(offset, voxel_size, sigma))
    progress(0.8, "Phase offset")
    signal = from_polar(magnitude, phase, smooth)
    progress(1.0, "Phase offset")
    return signal


def _offset(
    first: NDArray[np.complex64], step: NDArray[np.complex64], time_ratio: float
) -> NDArray[np.complex64]:
    """Offset as a complex number whose size is its weight; zero where there is no signal."""
    size: FloatArray = np.abs(step)
    level = SIGNAL_FRACTION**2 * np.percentile(size, 99)
    graph = MaskGraph.of(size > level)
    growth = graph.pick(step)
    phase: FloatArray = np.angle(growth)
    strength: FloatArray = np.sqrt(graph.pick(size))
    weights = edge_weights(graph, phase, strength)
    unwrapped, part = unwrap(graph, phase[None], weights[None])
    # other parts may be off by turns, which are no whole turns of the offset
    kept = part == np.bincount(part).argmax()
    turn = 2 * math.pi * np.round(np.median(unwrapped[0, kept]) / (2 * math.pi))
    turned = graph.pick(first) * np.exp(-1j * time_ratio * (unwrapped[0] - turn))
    turned *= strength * kept
    return graph.spread(turned.astype(np.complex64))
