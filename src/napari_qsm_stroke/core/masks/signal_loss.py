"""Tubes of a susceptibility map that the magnitude knows nothing of: streaks, and rims of masses.

Blood that shifts the phase also shortens T2*: a vein is dark, and the field is noisier in it. What
a reconstruction makes up around a haemorrhage or at the brain's edge is not. How dark is told from
the noise of the field, and only against what the other tubes of the same map show: the longer the
echo times and the higher the field, the darker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.cylinders import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.tube_fit import TubeFit
    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]
LEAST = 0.35
"""Of the signal loss that others of the same contrast have. Of what lies below half of it, a
quarter is veins with five echoes and three quarters with one, most near the brain's edge and
bright: left out, they would bend the medians outside the core."""
FEWEST, MOSTLY = 20, 0.8
"""Pieces to tell what is usual, and the part of them that is dark: without any relation of bright
to dark it would be half of them."""


def without_signal_loss(
    fit: TubeFit, field_noise: FloatArray, *, voxel_size: Size
) -> NDArray[np.bool_]:
    """Tell the pieces of tubes that are bright in the map but not dark in the magnitude.

    Parameters
    ----------
    fit : TubeFit
        Tubes and the cylinders fitted to them.
    field_noise : ndarray of float32, shape (X, Y, Z)
        Standard deviation of the field: above zero where it is known.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of bool, shape (pieces,)
        None at all where the tubes as a whole are not darker than what surrounds them.
    """
    lines, none = fit.lines, np.zeros(fit.lines.pieces, dtype=bool)
    known = np.isfinite(field_noise) & (field_noise > 0)
    if not known.any() or not len(fit.near.index):
        return none
    usual = np.median(field_noise[known])
    loss = np.log(np.where(known, field_noise / usual, np.float32(1)))
    bright, dark = fit.found, compare(loss, fit.near, lines, fit.filled, voxel_size=voxel_size)
    at = (bright.best, np.arange(lines.pieces))
    contrast, darkness = bright.contrast[at], dark.contrast[at]
    if np.count_nonzero(bright.usable) < FEWEST:
        return none
    loss_of_blood = darkness[bright.usable] / contrast[bright.usable]
    typical = float(np.median(loss_of_blood))
    if np.mean(loss_of_blood > 0) < MOSTLY:
        return none
    return np.asarray(bright.usable & (darkness < LEAST * typical * contrast))
