"""Total generalised variation in one step from wrapped phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.generalised_variation import WaveVariation
from napari_qsm_stroke.core.numerics.phase_gradient import add_echo, laplacian_of, steps_agree
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.numerics.wrapped_phase import wrapped_echoes
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    FieldDirection,
    FieldMask,
    FieldStrength,
    Magnitude,
    Phase,
    PhaseOffset,
    Susceptibility,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

OPEN = 0.5
"""Sum of the steps round a face, in rad of the last echo, from which on they do not agree."""
LEAST_WEIGHT = 0.01
"""That of twenty times the usual noise: from there on the phase says nothing."""
STAGE = "Generalised variation"


@method(
    cite=(
        "10.1016/j.neuroimage.2015.02.041",
        "10.1007/s10851-010-0251-1",
        "10.1109/ICCV.2011.6126441",
    ),
    memory=9.5,
)
def tgv(
    magnitude: Magnitude,
    phase: Phase,
    brain: Brain,
    phase_offset: PhaseOffset | None = None,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 2e-4,
    bending: Annotated[float, Interval(gt=0, le=100), Unit("mm")] = 4.0,
    max_iter: Annotated[int, Interval(ge=1, le=10000)] = 1000,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 4e-4,
    progress: Progress = silent,
) -> tuple[Susceptibility, FieldMask]:
    """Find the susceptibility from wrapped phase in one step, with no background to take away.

    The Laplacian of the phase needs no unwrapping, and that of the background field is zero in
    the brain. Sought are susceptibility and a left-over field u with
    ``laplace(u) = wave(chi) - laplace(field)``, where ``wave`` is a third of the Laplacian less
    the second derivative along B0, of least
    ``1/2 |w u|^2 + regularisation (|grad chi - v|_1 + bending |E v|_1)``: variation costs nothing
    where it is that of a smooth gradient v, so that no steps appear on slopes. The weight ``w``
    is 1 but where the noise is unusually high.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    brain : ndarray of shape (X, Y, Z)
        Where the susceptibility is sought.
    phase_offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad, to be taken from the phase.
    echo_times : tuple of float
        In s, increasing.
    field_strength : float
        In T.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    regularisation : float
        Weight of the variation, in ppm mm; larger is smoother and takes contrast from veins.
    bending : float
        Weight of the change of the smooth gradient against that of the variation.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the susceptibility changes by less than this part of itself in an iteration.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    susceptibility : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        The whole brain: nothing is eroded.

    Raises
    ------
    InputError
        Images or echo times do not belong together, or the brain is empty.

    Notes
    -----
    Echoes are combined step by step from voxel to voxel, by magnitudes and times: a jump of more
    than half a turn in a late echo is unwrapped by the earlier ones. The equation is not asked for
    in the outermost voxels, nor around those without signal or whose steps are not of one field.

    References
    ----------
    Langkammer et al., NeuroImage 2015;111:622, doi:10.1016/j.neuroimage.2015.02.041; primal-dual
    steps: Chambolle and Pock, J Math Imaging Vis 2011;40:120, doi:10.1007/s10851-010-0251-1, and
    Pock and Chambolle, ICCV 2011:1762, doi:10.1109/ICCV.2011.6126441.
    """
    if phase.shape[3] != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {phase.shape[3]}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    box = Frame.around(brain).box
    inside = np.pad(np.asarray(brain)[box] != 0, 1)
    step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
    echoes = wrapped_echoes(magnitude, phase, np.flatnonzero(brain), phase_offset)
    slopes, noise = _slopes(echoes, inside, echo_times)
    del echoes
    weight = data_weight(inside, noise)
    known = ndimage.binary_erosion(weight > LEAST_WEIGHT, ndimage.generate_binary_structure(3, 2))
    known &= steps_agree(slopes, OPEN / max(echo_times))
    source = laplacian_of(slopes, step) / np.float32(radians_per_ppm_second(field_strength))
    fit = WaveVariation(source, known, weight, inside, step, b0_dir)
    del slopes, source
    fit.run(regularisation, bending, max_iter, tol, progress, STAGE)
    chi, mask = np.zeros(brain.shape, np.float32), np.zeros(brain.shape, np.uint8)
    chi[box] = fit.susceptibility[1:-1, 1:-1, 1:-1]
    mask[box] = inside[1:-1, 1:-1, 1:-1]
    return chi, mask


def _slopes(
    echoes: tuple[FloatArray, FloatArray],
    inside: NDArray[np.bool_],
    echo_times: tuple[float, ...],
) -> tuple[FloatArray, FloatArray]:
    """Steps of the field between neighbours in rad/s, and its noise; zero where not known."""
    slopes, shares = (np.zeros((3, *inside.shape), np.float32) for _ in range(2))
    size, angle, precision = (np.zeros(inside.shape, np.float32) for _ in range(3))
    for magnitude, phase, time in zip(*echoes, echo_times, strict=True):
        size[inside], angle[inside] = magnitude, phase
        add_echo(size, angle, time, slopes, shares)
        precision += (np.float32(time) * size) ** 2
    known = precision > 0
    noise = np.zeros(inside.shape, np.float32)
    noise[known] = 1 / np.sqrt(precision[known])
    return slopes, noise
