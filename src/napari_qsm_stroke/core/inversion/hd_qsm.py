"""HD-QSM: the field fitted by absolute misfit first, by squares from there."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from napari_qsm_stroke.core.inversion.variation_fit import VariationFit
from napari_qsm_stroke.core.method import method
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

CONSISTENT = 8.0
FINEST = 0.05
"""In mm: larger sources keep their contrast under an absolute misfit."""


@method(cite="10.1002/mrm.29218", memory=11.5, revision=5)
def hd_qsm(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    choose: Choose = "fixed",
    first_iter: Annotated[int, Interval(ge=1, le=1000)] = 20,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 1e-2,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the field by absolute misfit first, then by squares without what did not fit.

    Squares let a few voxels of wrong phase pull on all others; an absolute misfit lets them be. A
    few iterations with it show which voxels no susceptibility explains: those that miss by more
    than eight times their noise, or eight times the spread of all misfits. The fit by squares
    goes on from there and gives them less weight. Both data terms are those of Lambert et al.;
    the weights are added, for the end of a convex fit does not depend on where it began.

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
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother and takes contrast from veins.
    choose : {"fixed", "noise", "l_curve"}
        Take the regularisation as given, or look for another one around it: the one that fits
        the data to their noise, or the corner of the L-curve.
    first_iter : int
        Most iterations with the absolute misfit.
    max_iter : int
        Most iterations of the fit by squares.
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
    Lambert et al., Magn Reson Med 2022;88:962, doi:10.1002/mrm.29218.
    """
    fit = VariationFit(local_field, field_mask, field_noise, voxel_size, b0_dir)
    fit.run(
        regularisation,
        first_iter,
        tol,
        part(progress, 0, 0.3),
        "Absolute misfit",
        absolute=regularisation / FINEST,
    )
    fit.trust(CONSISTENT)
    weight = fit.choose(choose, regularisation, max_iter, tol, part(progress, 0.3, 0.6))
    fit.run(weight, max_iter, tol, part(progress, 0.6, 1), "Squared misfit")
    progress(1.0, "Squared misfit")
    return fit.finish()
