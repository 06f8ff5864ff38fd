"""Background by total field inversion: sources outside the brain and inside it in one fit.

Taking the background away without a model of the inside takes with it all of the local field that
is harmonic in the brain: about half of it, and most near the surface, where cortical veins lie.
Here the susceptibility inside is fitted along, with total variation, so that what veins and nuclei
explain stays theirs. Unlike Liu et al. the outside sources are not preconditioned into one map
with the inside: they are fitted by conjugate gradients within each step of the splitting.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.fourier import backward_packed, forward_packed
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.numerics.outside_sources import OutsideSources
from napari_qsm_stroke.core.numerics.total_variation import (
    ALL_COSTLY,
    INSIDE,
    descend,
    difference_power,
    solve_spectrum,
    step_duals,
)
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    Brain,
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    TotalField,
    VoxelSize,
)

GRADIENT_PENALTY = 100.0
FIELD_PENALTY = 0.02
SUPPORT_PENALTY = 0.001
FIRST_STEPS = 8
STAGE = "Background"


@method(cite=("10.1002/mrm.26331", "10.1002/nbm.3570", "10.1002/nbm.1670"))
def tfi(
    total_field: TotalField,
    brain: Brain,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 2e-4,
    margin: Annotated[float, Interval(ge=4, le=60), Unit("mm")] = 12.0,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 40,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 5e-3,
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Take away the field of sources outside the brain, fitted along with those inside.

    Minimises ``1/2 |w (D chi + D q - field)|^2 + regularisation |grad chi|_1`` over chi inside
    the brain and q outside, by the alternating direction method of multipliers with the field
    and q as one block.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm, up to a constant.
    brain : ndarray of shape (X, Y, Z)
        Where the local field is sought.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother and takes contrast from veins.
    margin : float
        Room for sources of the background around the brain.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the susceptibility changes by less than this part of itself.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    local_field : ndarray of float32, shape (X, Y, Z)
        Total field less that of the outside sources, in ppm; zero outside the brain.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        The whole brain: nothing is eroded.

    Notes
    -----
    An iteration costs two complex transforms and three pairs of real ones.
    The outside sources lie in the zeros behind the box of the brain and wrap round to both sides
    of it.

    References
    ----------
    Liu et al., Magn Reson Med 2017;78:303, doi:10.1002/mrm.26331; Chatnuntawech et al., NMR
    Biomed 2017;30:e3570, doi:10.1002/nbm.3570.
    """
    frame = Frame.around(brain, millimetres(margin, voxel_size))
    inside = frame.cut(brain) != 0
    noise = None if field_noise is None else frame.cut(field_noise, brain)
    weight = data_weight(inside, noise)
    total = frame.cut(total_field, brain)
    total[inside] -= np.median(total[inside])
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    powers = difference_power(frame.shape, step)
    penalties = (GRADIENT_PENALTY * regularisation, FIELD_PENALTY, SUPPORT_PENALTY)
    limits = np.full(2, 1 / GRADIENT_PENALTY, np.float32)
    edges = np.where(inside, np.uint8(ALL_COSTLY | INSIDE), np.uint8(ALL_COSTLY))

    background = OutsideSources(weight, (~inside).astype(np.float32), dipole)
    background.improve(weight * total, FIRST_STEPS)
    local = np.where(inside, total - background.field, np.float32(0))
    packed = np.where(weight > 0, local, np.float32(0)).astype(np.complex64)
    gradient = np.zeros((3, *frame.shape), np.float32)
    dual, support, chi = (np.zeros(frame.shape, np.float32) for _ in range(3))
    for _ in steps(max_iter, progress, STAGE):
        spectrum = forward_packed(packed)
        solve_spectrum(spectrum, dipole, *powers, penalties)
        packed = backward_packed(spectrum)
        change, size = step_duals(packed, chi, gradient, edges, limits, step)
        if change <= tol * size:
            break
        # the field block of the splitting: the background takes what the model leaves over
        background.improve(weight * (local - packed.imag - dual), 1)
        local = np.where(inside, total - background.field, np.float32(0))
        descend(packed, gradient, dual, support, local, weight, edges, limits, step, penalties)
    progress(1.0, STAGE)
    return (
        frame.paste(local),
        frame.paste(inside.astype(np.uint8)),
    )
