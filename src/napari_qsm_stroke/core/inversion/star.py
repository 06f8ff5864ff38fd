"""STAR-QSM: strong sources first, the rest from the field that they leave."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.inversion.variation_fit import VariationFit
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.regularisation import Choose
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    Susceptibility,
    VoxelSize,
)

ROUGH = 2.0
"""Strong sources need not be found as exactly: what is missing is found in the second fit."""


@method(cite="10.1002/nbm.3383", memory=13.5, revision=5)
def star(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    strong_regularisation: Annotated[float, Interval(gt=0, le=10)] = 3e-3,
    strong: Annotated[float, Interval(ge=0, le=10), Unit("ppm")] = 0.15,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    choose: Choose = "fixed",
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 1e-2,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the strong sources with a large weight of variation, then what is left with a small one.

    A bleeding or a large vein is steep enough to survive a large weight, its streaks are not. With
    its field taken away, the weak sources are fitted from the rest, where a small weight is
    enough. Both fits are by total variation; their sum is the result.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; estimated from the field without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    strong_regularisation : float
        Weight of the total variation in the first fit, in ppm mm.
    strong : float
        Sources of the first fit that differ by more than this from its median are kept.
    regularisation : float
        Weight of the total variation in the second fit, in ppm mm.
    choose : {"fixed", "noise", "l_curve"}
        Take the regularisation as given, or look for another one around it: the one that fits
        the data to their noise, or the corner of the L-curve.
    max_iter : int
        Most iterations of each fit.
    tol : float
        Stop when the susceptibility changes by less than this part of itself.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    References
    ----------
    Wei et al., NMR Biomed 2015;28:1294, doi:10.1002/nbm.3383.
    """
    fit = VariationFit(local_field, field_mask, field_noise, voxel_size, b0_dir)
    fit.run(strong_regularisation, max_iter, ROUGH * tol, part(progress, 0, 0.4), "Strong sources")
    first, inside = fit.chi, fit.inside
    first -= np.median(first[inside])
    sources = np.where(inside & (np.abs(first) > strong), first, np.float32(0))
    fit.restart(fit.field - fit.rows.pack(fit.field_of(sources)))
    weight = fit.choose(choose, regularisation, max_iter, tol, part(progress, 0.4, 0.7))
    fit.run(weight, max_iter, tol, part(progress, 0.7, 1), "Weak sources")
    progress(1.0, "Weak sources")
    return fit.finish(sources)
