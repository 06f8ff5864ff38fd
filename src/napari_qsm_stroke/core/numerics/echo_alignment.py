"""Whole turns between echoes that were unwrapped one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi


def align_echoes(
    unwrapped: FloatArray, part: NDArray[Any], echo_times: Sequence[float]
) -> FloatArray:
    """Shift each connected part of each echo by whole turns so that phase grows linearly in time.

    The median of the first echo, and that of the step to the second, are taken to be below half a
    turn; later echoes follow the line through the two before. A turn too many in all echoes alike
    is a constant field, which the background step takes away.

    Parameters
    ----------
    unwrapped : ndarray of shape (N, E)
        Phase in rad, each echo right up to whole turns in each connected part.
    part : ndarray of int, shape (N,)
        Connected part of each voxel.
    echo_times : sequence of float
        In s, E of them.

    Returns
    -------
    ndarray of float32, shape (N, E)
    """
    aligned = np.array(unwrapped, dtype=np.float32)
    order = np.argsort(part, kind="stable")
    borders = np.flatnonzero(np.diff(part[order])) + 1
    for members in np.split(order, borders):
        values = aligned[members]
        for e in range(values.shape[1]):
            if e == 0:
                expected = np.zeros(1, np.float32)
            elif e == 1:
                expected = values[:, 0]
            else:
                ratio = (echo_times[e] - echo_times[e - 1]) / (
                    echo_times[e - 1] - echo_times[e - 2]
                )
                expected = values[:, e - 1] + ratio * (values[:, e - 1] - values[:, e - 2])
            values[:, e] -= TURN * np.round(np.median(values[:, e] - expected) / TURN)
        aligned[members] = values
    return aligned
