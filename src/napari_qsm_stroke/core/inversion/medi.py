"""Morphology-enabled dipole inversion: phase as data, edges where the magnitude has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.conjugate_gradients import convolve, solve_symmetric
from napari_qsm_stroke.core.numerics.diffusion import add_diffusion, couple
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.numerics.magnitude_edges import combined_magnitude, steps_that_cost
from napari_qsm_stroke.core.numerics.phase_misfit import misfit_slope
from napari_qsm_stroke.core.numerics.products import norm
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.physics.phase_scale import radians_per_ppm
from napari_qsm_stroke.core.physics.sphere import mean_value_kernel
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldDirection,
    FieldMask,
    FieldNoise,
    FieldStrength,
    LocalField,
    Magnitude,
    Susceptibility,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

PADDING = 8
CHEAP = 0.4
"""What variation costs outside the mask and across edges, relative to elsewhere."""
SMALL_SLOPE = 1e-3
"""Slopes below this, in ppm/mm, count as this where the absolute value has no derivative."""
CG_STEPS = 20
CG_TOLERANCE = 0.1
WHOLE = 0.999
STAGE = "Morphology-enabled inversion"


@method(
    cite=("10.1016/j.neuroimage.2011.08.082", "10.1002/mrm.22187", "10.1002/mrm.24272"), memory=18
)
def medi(
    local_field: LocalField,
    field_mask: FieldMask,
    field_noise: FieldNoise | None = None,
    magnitude: Magnitude | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 2e-4,
    edge_fraction: Annotated[float, Interval(ge=0, le=0.9)] = 0.3,
    smv_radius: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 0.0,
    max_iter: Annotated[int, Interval(ge=1, le=100)] = 10,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 0.03,
    progress: Progress = silent,
) -> Susceptibility:
    """Fit the phase with a susceptibility whose edges lie where the magnitude has its own.

    Minimises ``w / s^2 (1 - cos(s (D chi - field))) + regularisation |m grad chi|_1``, where
    ``s`` is the phase that 1 ppm makes by the mean echo time and ``m`` is 1 but across edges of
    the magnitude and outside the mask, where it is 0.4. Each step of Gauss and Newton is a linear
    system for conjugate gradients.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    magnitude : ndarray of shape (X, Y, Z, E), optional
        In any unit; variation costs the same all over the mask without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    regularisation : float
        Weight of the total variation, in ppm mm; larger is smoother and takes contrast from veins.
    edge_fraction : float
        Part of the steps between voxels that count as edges of the magnitude.
    smv_radius : float
        Take from the field, and from that of the model alike, the mean over balls of this radius:
        what is left of the background goes. Voxels nearer to the edge than this are not fitted.
        0 leaves the field as it is.
    max_iter : int
        Most steps of Gauss and Newton.
    tol : float
        Stop when the susceptibility changes by less than this part of itself.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.

    Notes
    -----
    A step costs two pairs of transforms, and two for each of at most 20 conjugate gradients: 420
    pairs in all are never passed, and about 150 are usual.

    References
    ----------
    Liu et al., NeuroImage 2012;59:2560, doi:10.1016/j.neuroimage.2011.08.082; de Rochefort et
    al., Magn Reson Med 2010;63:194, doi:10.1002/mrm.22187; Liu et al., Magn Reson Med
    2013;69:467, doi:10.1002/mrm.24272 (nonlinear data term).
    """
    margin = [max(PADDING, n) for n in millimetres(smv_radius, voxel_size)]
    frame = Frame.around(field_mask, margin)
    inside = frame.cut(field_mask) != 0
    field = frame.cut(local_field, field_mask)
    noise = None if field_noise is None else frame.cut(field_noise, field_mask)
    weight = data_weight(inside, noise)
    dipole = dipole_kernel(frame.shape, voxel_size, b0_dir)
    if smv_radius > 0:
        field = _filter(field, weight, dipole, inside, smv_radius, voxel_size)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    image = combined_magnitude(magnitude, frame, inside)
    edges = steps_that_cost(inside, image, edge_fraction, step)
    strengths = np.float32(regularisation) * np.array([CHEAP, 1], np.float32)
    scale = radians_per_ppm(echo_times, field_strength)
    coupling = np.empty((3, *frame.shape), np.float32)
    chi, slope = np.zeros(frame.shape, np.float32), np.empty(frame.shape, np.float32)

    def curvature(x: FloatArray) -> FloatArray:
        made = convolve(x, dipole)
        made *= weight
        made = convolve(made, dipole)
        add_diffusion(x, coupling, made)
        return made

    for index in range(max_iter):
        inner = part(progress, index / max_iter, (index + 1) / max_iter)
        couple(chi, edges, strengths, SMALL_SLOPE, step, coupling)
        misfit_slope(convolve(chi, dipole), field, weight, scale, slope)
        downhill = convolve(slope, dipole)
        add_diffusion(chi, coupling, downhill)
        np.negative(downhill, out=downhill)
        change = solve_symmetric(curvature, downhill, CG_TOLERANCE, CG_STEPS, inner, STAGE)
        chi += change
        if norm(change[inside]) <= tol * norm(chi[inside]):
            break
    progress(1.0, STAGE)
    return frame.paste(np.where(inside, chi, np.float32(0)))


def _filter(
    field: FloatArray,
    weight: FloatArray,
    dipole: FloatArray,
    inside: NDArray[np.bool_],
    radius: float,
    voxel_size: tuple[float, float, float],
) -> FloatArray:
    """Field less its spherical mean; the dipole is filtered alike, in its place.

    A model that is not filtered would answer for what the filter took from the field. Weights
    become zero where the mask cuts the ball.
    """
    mean = mean_value_kernel((field.shape[0], field.shape[1], field.shape[2]), radius, voxel_size)
    dipole *= 1 - mean
    weight[convolve(inside.astype(np.float32), mean) < WHOLE] = 0
    return field - convolve(field, mean)
