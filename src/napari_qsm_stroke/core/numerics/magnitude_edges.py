"""Edges of the magnitude: where tissue changes, susceptibility may change at no cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.total_variation import costly_edges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.frame import Frame
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray


def combined_magnitude(
    magnitude: FloatArray | None, frame: Frame, inside: NDArray[np.bool_]
) -> FloatArray | None:
    """One image of all echoes, the root of the sum of their squares, in the frame.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E) or None
        In any unit.
    frame : Frame
        Of the inversion.
    inside : ndarray of bool, shape of the frame
        Zero outside it.

    Returns
    -------
    ndarray of float32, shape of the frame, or None
        None without a magnitude, or where it is zero all over the mask.
    """
    if magnitude is None:
        return None
    total = np.zeros(frame.shape, np.float32)
    for echo in range(magnitude.shape[3]):
        image = frame.cut(magnitude[..., echo])
        total += image * image
    np.sqrt(total, out=total)
    total[~inside] = 0
    return total if total.any() else None


def steps_that_cost(
    inside: NDArray[np.bool_], magnitude: FloatArray | None, fraction: float, step: Sequence[float]
) -> ByteArray:
    """Bits of each voxel as ``costly_edges`` has them, less the steps across edges of a magnitude.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        The mask.
    magnitude : ndarray of float32, shape (X, Y, Z), or None
        Without one every step in the mask costs.
    fraction : float
        Part of the steps in the mask, those with the steepest magnitude, that cost nothing.
    step : sequence of float
        Voxel size in mm.

    References
    ----------
    Liu et al., NeuroImage 2012;59:2560, doi:10.1016/j.neuroimage.2011.08.082.
    """
    edges = costly_edges(inside)
    if magnitude is None or fraction == 0:
        return edges
    slopes = [np.abs(np.roll(magnitude, -1, a) - magnitude) / np.float32(step[a]) for a in range(3)]
    bits = [(edges & np.uint8(1 << a)) != 0 for a in range(3)]
    steepest = np.concatenate([s[b] for s, b in zip(slopes, bits, strict=True)])
    if steepest.size == 0 or not steepest.any():
        return edges
    limit = np.quantile(steepest, 1 - fraction)
    for axis in range(3):
        free = bits[axis] & (slopes[axis] > limit)
        edges[free] -= np.uint8(1 << axis)
    return edges
