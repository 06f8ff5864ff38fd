"""True susceptibility-weighted image: darkened by the susceptibility map."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.contrast.usual_echo import usual_echo
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldStrength,
    Magnitude,
    Susceptibility,
    Tswi,
)


@method(cite=("10.1002/jmri.24413", "10.1002/mrm.24920"), memory=3.3)
def tswi(
    susceptibility: Susceptibility,
    magnitude: Magnitude,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    lowest: Annotated[float, Interval(ge=-1, le=1), Unit("ppm")] = 0.0,
    highest: Annotated[float, Interval(gt=0, le=5), Unit("ppm")] = 0.45,
    power: Annotated[int, Interval(ge=1, le=10)] = 2,
) -> Tswi:
    """Darken the magnitude where the susceptibility is paramagnetic.

    Unlike phase, susceptibility does not reach beyond a vein and does not depend on its angle to
    the field. Of several echoes the one nearest to 20 ms at 3 T is used, as for SWI.

    Parameters
    ----------
    susceptibility : ndarray of shape (X, Y, Z)
        In ppm.
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    lowest : float
        Up to this susceptibility the magnitude stays.
    highest : float
        From this on the image is black; between the two the mask falls linearly.
    power : int
        How often the mask multiplies the magnitude.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In the unit of the magnitude.

    References
    ----------
    Liu et al., J Magn Reson Imaging 2014;40:698, doi:10.1002/jmri.24413 (limits and power); Gho
    et al., Magn Reson Med 2014;72:337, doi:10.1002/mrm.24920.
    """
    image = np.nan_to_num(
        magnitude[..., usual_echo(echo_times, field_strength)], posinf=0, neginf=0
    )
    span = max(highest - lowest, 1e-6)
    mask = np.nan_to_num(susceptibility) - np.float32(lowest)
    mask *= np.float32(-1 / span)
    mask += np.float32(1)
    np.clip(mask, 0, 1, out=mask)
    return np.asarray(image * mask**power, dtype=np.float32)
