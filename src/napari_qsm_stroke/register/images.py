"""Images as SimpleITK knows them, and the rigid or affine alignment of two of them.

SimpleITK is called with one thread and without random sampling, so that a result repeats bit for
bit. Coordinates are LPS there and RAS here; only this module knows.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import SimpleITK

from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import Cancelled, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

sitk: Any = SimpleITK
Image = Any
Transform = Any
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
IDENTITY: Transform = sitk.Transform(3, sitk.sitkIdentity)


def to_image(data: NDArray[Any], affine: NDArray[np.float64]) -> Image:
    """Wrap an array of shape (X, Y, Z) as an image in float32."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(data.T, dtype=np.float32))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection((RAS_TO_LPS @ (affine[:3, :3] / spacing)).ravel().tolist())
    image.SetOrigin((RAS_TO_LPS @ affine[:3, 3]).tolist())
    return image


def to_array(image: Image) -> NDArray[np.float32]:
    """Return the values of an image, shape (X, Y, Z)."""
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(image).T, dtype=np.float32)


def coarser(image: Image, spacing: float, smooth: bool = True) -> Image:
    """Resample an image to a voxel size in mm; axes that are coarser already stay."""
    old = np.array(image.GetSpacing())
    new = np.maximum(old, spacing)
    size = np.maximum(np.ceil(np.array(image.GetSize()) * old / new - 1e-6), 1).astype(int)
    if smooth and (new > old).any():
        sigma = np.maximum(0.4 * np.sqrt(np.maximum(new**2 - old**2, 0)), 1e-3)
        image = sitk.SmoothingRecursiveGaussian(image, sigma.tolist())
    shift = np.array(image.GetDirection()).reshape(3, 3) @ ((new - old) / 2)
    origin = np.array(image.GetOrigin()) + shift
    return sitk.Resample(
        image, size.tolist(), IDENTITY, sitk.sitkLinear, origin.tolist(), new.tolist(),
        image.GetDirection(), 0.0, sitk.sitkFloat32,
    )  # fmt: skip


def resample(
    moving: Image,
    fixed: Image,
    transform: Transform,
    interpolation: Literal["linear", "nearest"] = "linear",
) -> NDArray[np.float32]:
    """Bring an image to the grid of another; 0 where it does not reach."""
    kind = sitk.sitkLinear if interpolation == "linear" else sitk.sitkNearestNeighbor
    return to_array(sitk.Resample(moving, fixed, transform, kind, 0.0, sitk.sitkFloat32))


@dataclass(frozen=True)
class Stage:
    """One resolution of an alignment."""

    spacing: float
    """Voxel size in mm that the fixed image is compared at."""
    smoothing: float
    """Standard deviation in mm of the smoothing of both images."""
    step: float
    """First step of the optimiser, in mm as the mean over the mask."""
    last_step: float = 0.02
    iterations: int = 100


def align(
    fixed: Image,
    moving: Image,
    starts: tuple[Transform, ...],
    stages: tuple[Stage, ...],
    mask: Image,
    progress: Progress = silent,
    name: str = "aligning",
) -> Transform:
    """Find the transform from fixed to moving that maximises their mutual information.

    Parameters
    ----------
    fixed, moving : Image
        In any contrast.
    starts : tuple of Transform
        Where to begin: the coarsest stage goes from each of them, the best result is followed.
        Their kind (rigid, affine) is kept.
    stages : tuple of Stage
        From coarse to fine.
    mask : Image
        Where on the fixed image the two are compared.
    progress : Progress
        May raise ``Cancelled``.
    name : str
        Name of the stage for ``progress``.

    Returns
    -------
    Transform

    Raises
    ------
    InputError
        The images do not overlap, or one of them is empty.

    Notes
    -----
    Mattes mutual information, doi:10.1109/TMI.2003.809072, of every voxel at the stage's
    resolution; regular steps along the gradient, each parameter scaled by how far it moves the
    voxels of the mask. Scales that SimpleITK estimates from the corners of the image are ten times
    too large for rotations, and the steps then end up to 1.7 mm before the optimum.
    """
    share = 1 / (len(starts) + len(stages) - 1)
    found: list[tuple[Transform, float]] = []
    problem = ""
    for index, start in enumerate(starts):
        here = part(progress, index * share, (index + 1) * share)
        try:
            found.append(_align_stage(fixed, moving, start, stages[0], mask, here, name))
        except RuntimeError as error:  # the images do not overlap, or one is empty
            problem = str(error).strip().splitlines()[-1]
    if not found:
        raise InputError(
            name, f"the images could not be aligned ({problem}).", "Check that both show one head."
        )
    best = min(found, key=lambda result: result[1])
    for index, stage in enumerate(stages[1:], start=len(starts)):
        here = part(progress, index * share, (index + 1) * share)
        best = _align_stage(fixed, moving, best[0], stage, mask, here, name)
    progress(1.0, name)
    return best[0]


def rigid_at(centre: NDArray[np.float64], shift: NDArray[np.float64] | None = None) -> Transform:
    """Rotation about a point in LPS mm, none yet, and a shift."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetTranslation((np.zeros(3) if shift is None else shift).tolist())
    return transform


def affine_at(centre: NDArray[np.float64], matrix: NDArray[np.float64]) -> Transform:
    """Affine transform that maps the LPS point ``centre`` by a 4 x 4 matrix."""
    transform = sitk.AffineTransform(3)
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    moved = matrix[:3, :3] @ centre + matrix[:3, 3]
    transform.SetTranslation((moved - centre).tolist())
    return transform


def matrix_of(transform: Transform) -> NDArray[np.float64]:
    """4 x 4 matrix of a rigid or affine transform of LPS points."""
    corners = np.vstack([np.zeros(3), np.eye(3)])
    moved = np.array([transform.TransformPoint(p.tolist()) for p in corners])
    matrix = np.eye(4)
    matrix[:3, :3] = (moved[1:] - moved[0]).T
    matrix[:3, 3] = moved[0]
    return matrix


def centre_of(image: Image) -> NDArray[np.float64]:
    """Centre of mass of what is brighter than the mean, in LPS mm; else that of the grid."""
    data = to_array(image)
    bright = np.stack(np.nonzero(data > data.mean()))
    index = bright.mean(axis=1) if bright.size else (np.array(data.shape) - 1) / 2
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index.tolist()))


def _align_stage(
    fixed: Image,
    moving: Image,
    start: Transform,
    stage: Stage,
    mask: Image,
    progress: Progress,
    name: str,
) -> tuple[Transform, float]:
    """Transform and the value of the metric, the lower the better."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=stage.step,
        minStep=stage.last_step,
        numberOfIterations=stage.iterations,
        relaxationFactor=0.7,
        gradientMagnitudeTolerance=1e-8,
    )
    transform = type(start)(start)
    method.SetInitialTransform(transform, inPlace=True)
    where = coarser(mask, stage.spacing, smooth=False) > 0.5
    method.SetMetricFixedMask(sitk.Cast(where, sitk.sitkUInt8))
    method.SetOptimizerScales(_scales(where, transform))
    stopped: list[Cancelled] = []

    def report() -> None:
        # SimpleITK loses what a callback raises: keep it, stop, and raise it afterwards.
        try:
            progress(min(method.GetOptimizerIteration() / stage.iterations, 1.0), name)
        except Cancelled as error:
            stopped.append(error)
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, report)
    with one_thread():
        method.Execute(
            coarser(smoothed(fixed, stage.smoothing), stage.spacing, smooth=False),
            coarser(smoothed(moving, stage.smoothing), stage.spacing / 2, smooth=False),
        )
    if stopped:
        raise stopped[0]
    return transform, method.GetMetricValue()


def _scales(where: Image, transform: Transform) -> list[float]:
    """Mean square in mm2 by which a unit of each parameter moves the voxels of a mask."""
    index = np.argwhere(to_array(where) > 0.5) * np.array(where.GetSpacing())
    place = index @ np.array(where.GetDirection()).reshape(3, 3).T + np.array(where.GetOrigin())
    square = ((place - np.array(transform.GetCenter())) ** 2).mean(axis=0)
    square = np.maximum(np.nan_to_num(square), 1.0)
    if transform.GetNumberOfParameters() == 6:
        return [*(square.sum() - square).tolist(), 1.0, 1.0, 1.0]
    return [*np.tile(square, 3).tolist(), 1.0, 1.0, 1.0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums over threads end in another last digit each time; the metric knows no other switch."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def smoothed(image: Image, sigma: float) -> Image:
    """Smooth an image by a Gaussian of ``sigma`` mm."""
    return sitk.SmoothingRecursiveGaussian(image, sigma) if sigma > 0 else image
