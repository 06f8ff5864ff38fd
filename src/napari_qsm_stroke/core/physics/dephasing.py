"""What the gradient of the field within a voxel takes from its magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.constants import GYROMAGNETIC_RATIO_MHZ_PER_T

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def signal_kept(
    field: FloatArray, inside: Bools, echo_times: Sequence[float], field_strength: float
) -> FloatArray:
    """Fraction of the signal that the spins of a voxel leave of each other, mean over the echoes.

    The field runs straight across each voxel, which is a box: along each axis the signal is that of
    a sinc of the difference between its two faces.

    Parameters
    ----------
    field : ndarray of float32, shape (X, Y, Z)
        Total field in ppm.
    inside : ndarray of bool, shape (X, Y, Z)
        Where the field is known. Differences are taken there only.
    echo_times : sequence of float
        In s.
    field_strength : float
        In T.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        From 0 to 1; 1 outside.

    Notes
    -----
    Fernandez-Seara and Wehrli, Magn Reson Med 2000;44:358,
    doi:10.1002/1522-2594(200009)44:3<358::AID-MRM3>3.0.CO;2-I.
    """
    hertz = np.float32(GYROMAGNETIC_RATIO_MHZ_PER_T * field_strength)
    across = [hertz * _difference(field, inside, axis) for axis in range(3)]
    kept = np.zeros(across[0].shape, np.float32)
    for time in echo_times:
        along = [np.abs(np.sinc(np.float32(time) * turns)) for turns in across]
        kept += along[0] * along[1] * along[2] / np.float32(len(echo_times))
    result = np.ones(field.shape, np.float32)
    result[inside] = kept
    return result


def _difference(field: FloatArray, inside: Bools, axis: int) -> NDArray[np.float32]:
    """Difference between the faces of each voxel inside: mean of those to its neighbours there."""
    field, known = np.moveaxis(field, axis, 0), np.moveaxis(inside, axis, 0)
    step = np.where(known[1:] & known[:-1], np.diff(field, axis=0), 0)
    total = np.zeros(field.shape, np.float32)
    total[1:] += step
    total[:-1] += step
    count = np.zeros(field.shape, np.float32)
    count[1:] += known[:-1]
    count[:-1] += known[1:]
    mean = np.moveaxis(total / np.maximum(count, 1), 0, axis)
    return np.asarray(mean[inside])
