"""Background by total field inversion: sources outside the brain and inside it in one fit.

Taking the background away without a model of the inside takes with it all of the local field that
is harmonic in the brain: about half of it, and most near the surface, where cortical veins lie.
Here the susceptibility inside is fitted along, with total variation, so that what veins and nuclei
explain stays theirs. Unlike Liu et al. the outside sources are not preconditioned into one map
with the inside: they are fitted by conjugate gradients within each step of the splitting.

The fit is made on coarse voxels. It need not be finer: of the inside only the harmonic part is
wanted, which is smooth. Total variation takes contrast from it, most near the surface; what is not
harmonic of the field, which no source outside can make, tells how much and gives it back. What the
coarse sources then leave over at the brain's edge is continued into it as a harmonic function on
the fine grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.coarse_grid import CoarseGrid, factors_for
from napari_qsm_stroke.core.numerics.fourier import (
    backward,
    backward_packed,
    forward,
    forward_packed,
)
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.numerics.gaussian import gaussian
from napari_qsm_stroke.core.numerics.heap import give_back
from napari_qsm_stroke.core.numerics.mask_rows import MaskRows
from napari_qsm_stroke.core.numerics.multigrid import Poisson, negative_laplacian
from napari_qsm_stroke.core.numerics.outside_sources import OutsideSources
from napari_qsm_stroke.core.numerics.total_variation import (
    ALL_COSTLY,
    INSIDE,
    descend,
    difference_power,
    step_duals,
)
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_axes, dipole_kernel
from napari_qsm_stroke.core.physics.dipole_solver import solve_spectrum
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import (
    Brain,
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    TotalField,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

GRADIENT_PENALTY = 100.0
FIELD_PENALTY = 0.007
SUPPORT_PENALTY = 0.0003
RELAXATION = 1.7
FIRST_STEPS = 8
AROUND_MM = 7.0
LEAST_CONTRAST, MOST_CONTRAST = 0.5, 2.0
NO_MODEL = 1e-3
"""Of the mean square of the model's field: far below it nothing is to be given back."""
EDGE_TOL, EDGE_ITERATIONS = 1e-3, 50
STAGE = "Background"


@method(cite=("10.1002/mrm.26331", "10.1002/nbm.3570", "10.1002/nbm.1670"), revision=6, memory=30)
def tfi(
    total_field: TotalField,
    brain: Brain,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    regularisation: Annotated[float, Interval(gt=0, le=1)] = 2e-4,
    coarse_voxel: Annotated[float, Interval(gt=0, le=10), Unit("mm")] = 2.0,
    margin: Annotated[float, Interval(ge=4, le=60), Unit("mm")] = 12.0,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 30,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 2e-3,
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Take away the field of sources outside the brain, fitted along with those inside.

    Minimises ``1/2 |w (D chi + D q - field)|^2 + regularisation |grad chi|_1`` over chi inside
    the brain and q outside, by the alternating direction method of multipliers with the field
    and q as one block. What is left over at the brain's edge is background too.

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
    coarse_voxel : float
        About the size of the voxels that the sources are fitted on, whole multiples of those of
        the scan.
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
        Total field less that of the outside sources, in ppm; zero outside the brain. Where the
        noise is unusually high, the field of the fitted susceptibility takes its place.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        The whole brain: nothing is eroded.

    Notes
    -----
    An iteration costs one complex transform and back, and two pairs of real ones, on the coarse
    grid. The outside sources lie in the zeros behind the box of the brain and wrap round to both
    sides of it.

    References
    ----------
    Liu et al., Magn Reson Med 2017;78:303, doi:10.1002/mrm.26331; Chatnuntawech et al., NMR
    Biomed 2017;30:e3570, doi:10.1002/nbm.3570.
    """
    box = Frame.around(brain)
    factors = factors_for(voxel_size, coarse_voxel)
    size = [s.stop - s.start for s in box.box]
    grid = CoarseGrid(size, millimetres(margin, voxel_size), factors)
    frame = Frame(box.full, box.box, grid.fine)
    inside = frame.cut(brain) != 0
    total = frame.cut(total_field, brain)
    # a constant would leave nothing but its rounding errors, and those the next step enlarges
    total -= np.float32(total[inside].mean(dtype=np.float64)) * inside
    # first all that is harmonic goes, the near field of air sinuses with it, which no coarse source
    # could explain; of the local field it takes a harmonic part along, which the fit gives back
    core = frame.core
    total[core] -= _continued(total[core], inside[core], voxel_size, part(progress, 0, 0.1))

    weight = data_weight(inside, None if field_noise is None else frame.cut(field_noise, brain))
    x, y, z = (f * float(d) for f, d in zip(factors, voxel_size, strict=True))
    coarse = _coarse(grid, total, inside, weight)
    # what the next steps do not need whole is held by the lines of the mask meanwhile
    rows = MaskRows.of(inside[core])
    left, trust = rows.pack(total[core]), rows.pack(weight[core])
    del total, weight
    chi, background = _fit(
        *coarse, (x, y, z), b0_dir, regularisation, max_iter, tol, part(progress, 0.1, 0.8)
    )
    del coarse
    model = rows.pack(_field_of(grid.up(chi) * inside, voxel_size, b0_dir)[core])
    scene = (rows, inside[core], voxel_size)
    model *= _contrast_taken(left, trust, model, *scene, part(progress, 0.8, 0.9))
    left -= model
    # at the edge, what is not known is what the coarse sources say
    rest = rows.pack(grid.up(background)[core])
    rest += (left - rest) * trust
    edge = rows.unpack(rest)
    del rest
    left -= rows.pack(_continued(edge, inside[core], voxel_size, part(progress, 0.9, 1)))
    del edge
    # and the less the field is known, the more the model stands for it
    local = rows.unpack(left * trust + model)
    progress(1.0, STAGE)
    local *= inside[core]
    return box.paste(local), box.paste(inside[core].astype(np.uint8))


def _field_of(
    sources: FloatArray, voxel_size: tuple[float, float, float], b0_dir: tuple[float, float, float]
) -> FloatArray:
    shape = (sources.shape[0], sources.shape[1], sources.shape[2])
    spectrum = forward(sources)
    spectrum *= dipole_kernel(shape, voxel_size, b0_dir)
    return backward(spectrum, shape)


def _contrast_taken(
    left: FloatArray,
    trust: FloatArray,
    model: FloatArray,
    rows: MaskRows,
    inside: NDArray[np.bool_],
    voxel_size: tuple[float, float, float],
    progress: Progress,
) -> FloatArray:
    """By how much the model's field is too small: least squares of what is not harmonic, around."""
    own = model - rows.pack(_continued(rows.unpack(model), inside, voxel_size, progress))
    sigma = [AROUND_MM / v for v in voxel_size]
    common = gaussian(rows.unpack(trust * own * left), sigma)
    square = gaussian(rows.unpack(trust * own * own), sigma)
    none = np.float32(NO_MODEL * square.mean() + np.finfo(np.float32).tiny)
    ratio = (common + none) / (square + none)
    return rows.pack(np.clip(ratio, LEAST_CONTRAST, MOST_CONTRAST))


def _coarse(
    grid: CoarseGrid, total: FloatArray, inside: NDArray[np.bool_], weight: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    """Field, mask and weight on the coarse grid."""
    covered = grid.down(inside.astype(np.float32)) >= 0.5
    mass = grid.down(weight)
    field = grid.down(weight * total)
    field /= np.maximum(mass, np.finfo(np.float32).tiny)
    return field, covered, mass * covered


def _fit(
    total: FloatArray,
    inside: NDArray[np.bool_],
    weight: FloatArray,
    voxel_size: tuple[float, float, float],
    b0_dir: tuple[float, float, float],
    regularisation: float,
    max_iter: int,
    tol: float,
    progress: Progress,
) -> tuple[FloatArray, FloatArray]:
    """Susceptibility inside and field of the sources outside."""
    dipole = dipole_kernel(inside.shape, voxel_size, b0_dir)
    axes = dipole_axes(inside.shape, voxel_size, b0_dir)
    powers = difference_power(total.shape, voxel_size)
    penalties = (GRADIENT_PENALTY * regularisation, FIELD_PENALTY, SUPPORT_PENALTY)
    limits = np.full(2, 1 / GRADIENT_PENALTY, np.float32)
    edges = np.where(inside, np.uint8(ALL_COSTLY | INSIDE), np.uint8(ALL_COSTLY))
    background = OutsideSources(weight, (~inside).astype(np.float32), dipole)
    for _ in range(FIRST_STEPS):
        background.improve(weight * (total - background.field), True)
    local = np.where(inside, total - background.field, np.float32(0))
    packed = np.where(weight > 0, local, np.float32(0)).astype(np.complex64)
    gradient = np.zeros((3, *total.shape), np.float32)
    dual, support = np.zeros(total.shape, np.float32), np.zeros(total.shape, np.float32)
    rows = MaskRows.of(inside)
    chi, known = rows.zeros(), rows.pack(weight)
    for _ in steps(max_iter, progress, STAGE):
        spectrum = forward_packed(packed)
        solve_spectrum(spectrum, axes, *powers, penalties)
        packed = backward_packed(spectrum)
        change, norm = step_duals(
            packed, chi, rows.spans, gradient, edges, limits, voxel_size, RELAXATION
        )
        if change <= tol * norm:
            break
        # the field block of the splitting: the background takes what the model leaves over
        background.improve(weight * (local - packed.imag - dual), False)
        local = np.where(inside, total - background.field, np.float32(0))
        descend(
            packed,
            gradient,
            dual,
            support,
            rows.pack(local),
            known,
            rows.spans,
            edges,
            limits,
            voxel_size,
            penalties,
            RELAXATION,
        )
    return rows.unpack(chi) * inside, background.field


def _continued(
    values: FloatArray,
    inside: NDArray[np.bool_],
    voxel_size: tuple[float, float, float],
    progress: Progress,
) -> FloatArray:
    """Harmonic function inside with the values of the mask's outermost layer."""
    deep = ndimage.binary_erosion(inside)
    give_back()
    # the source is handed over: the solver lets go of it
    inner = Poisson(deep, voxel_size).solve(
        negative_laplacian(values, deep, voxel_size), EDGE_TOL, EDGE_ITERATIONS, progress
    )
    return np.subtract(values, inner, out=inner)
