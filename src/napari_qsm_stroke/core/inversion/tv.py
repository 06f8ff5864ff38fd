"""Total variation by ADMM."""

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


@method(cite=("10.1002/mrm.25029", "10.1016/j.neuroimage.2012.05.049"), revision=6, memory=7.5)
def tv(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 4e-5,
    choose: Choose = "fixed",
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 3e-3,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the field with the susceptibility of least total variation.

    Minimises ``1/2 |w (D chi - field)|^2 + regularisation |grad chi|_1`` by the alternating
    direction method of multipliers. The weight ``w`` is 1 but where the field noise is unusually
    high, and 0 outside the mask and where the noise is above twice that around: there the signal
    is lost, as in a haemorrhage, and the field is wrong by more than its noise. Outside, variation
    costs a fifth: what the background step left over or took too much is harmonic in the brain,
    and sources out there explain it.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    regularisation : float
        Weight of the total variation, in ppm mm. Larger is smoother and takes as much contrast
        from a weak vein as from a strong one: they then differ more than they do.
    choose : {"fixed", "noise", "l_curve"}
        Take the regularisation as given, or look for another one around it: the one that fits
        the data to their noise, or the corner of the L-curve.
    max_iter : int
        Most iterations.
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
    Bilgic et al., Magn Reson Med 2014;72:1444, doi:10.1002/mrm.25029 (splitting of the
    variation); Liu et al., NeuroImage 2012;59:2560, doi:10.1016/j.neuroimage.2011.08.082.
    """
    fit = VariationFit(local_field, field_mask, field_noise, voxel_size, b0_dir)
    chosen = 0.0 if choose == "fixed" else 0.6
    weight = fit.choose(choose, regularisation, max_iter, tol, part(progress, 0, chosen))
    fit.run(weight, max_iter, tol, part(progress, chosen, 1), "Total variation")
    return fit.finish()
