"""Susceptibility relative to the whole brain."""

from __future__ import annotations

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.quantities import FieldMask, Susceptibility


@method(cite="10.1002/mrm.30006", linear=True, memory=2.5)
def reference_brain(susceptibility: Susceptibility, field_mask: FieldMask) -> Susceptibility:
    """Take the mean over the brain from the susceptibility, whose zero the field does not tell.

    Parameters
    ----------
    susceptibility : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        The part of the brain where susceptibility is known; the mean is taken over it.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    References
    ----------
    QSM Consensus Organization Committee, Magn Reson Med 2024;91:1834, doi:10.1002/mrm.30006.
    """
    Frame.around(field_mask)
    inside = (np.asarray(field_mask) != 0) & np.isfinite(susceptibility)
    referenced = np.zeros(susceptibility.shape, np.float32)
    values = susceptibility[inside]
    referenced[inside] = values - np.float32(values.mean(dtype=np.float64))
    return referenced
