"""Susceptibility-weighted image."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.contrast.usual_echo import usual_echo
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.fourier import smooth_complex
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldStrength,
    Signal,
    Swi,
    VoxelSize,
)


@method(cite="10.1002/mrm.20198", memory=3)
def swi(
    signal: Signal,
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
    signal : ndarray of complex64, shape (X, Y, Z, E)
        Positive phase where the field is positive.
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
    image = np.nan_to_num(signal[..., usual_echo(echo_times, field_strength)])
    smooth = smooth_complex(image, voxel_size, sigma)
    progress(0.7, "SWI")
    phase = np.angle(image * smooth.conj())
    darkening = 1 - np.clip(phase, 0, None) / np.float32(math.pi)
    weighted = np.abs(image) * darkening**power
    progress(1.0, "SWI")
    return np.asarray(weighted, dtype=np.float32)
