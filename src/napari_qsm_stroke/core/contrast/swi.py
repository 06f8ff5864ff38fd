"""Susceptibility-weighted image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.contrast.usual_echo import usual_echo
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.angles import ONE, PI, ZERO, angle_of
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.gaussian import gaussian
from napari_qsm_stroke.core.numerics.wrapped_phase import check_echoes
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldStrength,
    Magnitude,
    Phase,
    PhaseOffset,
    Swi,
    VoxelSize,
)

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/mrm.20198", revision=3, memory=1.4)
def swi(
    magnitude: Magnitude,
    phase: Phase,
    phase_offset: PhaseOffset | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    sigma: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 3.0,
    power: Annotated[int, Interval(ge=1, le=10)] = 4,
    progress: Progress = silent,
) -> Swi:
    """Darken the magnitude where the high-pass filtered phase says paramagnetic.

    Of several echoes the one nearest to 20 ms at 3 T (or what corresponds to it) is used.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, positive where the field is positive.
    phase_offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad, to be taken from the phase.
    voxel_size : tuple of float
        In mm.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    sigma : float
        Width of the Gaussian whose smoothed signal is divided out: smaller filters more.
    power : int
        How often the phase mask multiplies the magnitude.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In the unit of the magnitude.

    References
    ----------
    Haacke et al., Magn Reson Med 2004;52:612, doi:10.1002/mrm.20198.
    """
    progress(0.0, "SWI")
    check_echoes(magnitude, phase, phase_offset)
    echo = usual_echo(echo_times, field_strength)
    angle = phase[..., echo].astype(np.float32)
    if phase_offset is not None:
        angle -= phase_offset[..., min(echo, phase_offset.shape[3] - 1)]
    real = magnitude[..., echo].astype(np.float32)
    bad = ~(np.isfinite(real) & np.isfinite(angle))
    real[bad] = angle[bad] = 0
    imaginary = real * np.sin(angle)
    real *= np.cos(angle, out=angle)
    del angle, bad
    width = [sigma / v for v in voxel_size]
    smooth = gaussian(real, width)
    progress(0.4, "SWI")
    weighted = gaussian(imaginary, width)
    progress(0.8, "SWI")
    _darken(real.ravel(), imaginary.ravel(), smooth.ravel(), power, weighted.reshape(-1))
    progress(1.0, "SWI")
    return weighted


@kernel(parallel=True)
def _darken(
    real: FloatArray, imaginary: FloatArray, smooth: FloatArray, power: int, result: FloatArray
) -> None:
    """Weighted magnitude, in the place of the imaginary part of the smoothed signal."""
    for v in prange(result.size):
        a, b, c, d = real[v], imaginary[v], smooth[v], result[v]
        phase = angle_of(a * c + b * d, b * c - a * d)
        once = ONE - max(phase, ZERO) / PI
        weight = ONE
        for _ in range(power):
            weight *= once
        result[v] = weight * np.sqrt(a * a + b * b)
