"""The brain in the magnitude image of a gradient echo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from skimage import filters

from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    Size,
    close,
    depth,
    dilate,
    fill_holes,
    largest,
)
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.distance import distance_to
from napari_qsm_stroke.core.numerics.gaussian import gaussian
from napari_qsm_stroke.core.numerics.resample import resampled
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import Brain, Magnitude, VoxelSize
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray

BRIDGE_RADII_MM = (4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
LEAK = 0.06
LARGEST_VENTRICLE_ML = 80.0


@method(cite=("10.1109/TSMC.1979.4310076", "10.1109/42.668699"), revision=2, memory=1.5)
def magnitude_brain(
    magnitude: Magnitude,
    *,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    working_resolution: Annotated[float, Interval(ge=1, le=4), Unit("mm")] = 2.0,
    bias_width: Annotated[float, Interval(ge=5, le=60), Unit("mm")] = 20.0,
    core_level: Annotated[float, Interval(gt=0.5, lt=1)] = 0.8,
    closing: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 6.0,
) -> Brain:
    """Mask the brain by brightness and shape.

    Brightness is measured relative to its own slow variation (coil sensitivity). What is bright
    is eroded until brain and scalp, muscles and eyes come apart; the deepest part is grown back
    and closed. Works at a coarse resolution of its own, so that the result hardly depends on that
    of the scan.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (X, Y, Z, E)
        All echoes; their mean is used.
    voxel_size : tuple of float
        In mm.
    progress : Progress
        May raise ``Cancelled``.
    working_resolution : float
        Voxel size that the mask is made at.
    bias_width : float
        Standard deviation of the smoothing that gives the slow variation of brightness.
    core_level : float
        Brightness relative to its surroundings above which a voxel is surely tissue.
    closing : float
        Sulci and notches narrower than twice this are filled.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)

    Raises
    ------
    InputError
        There is no signal.

    Notes
    -----
    Level of the head after Otsu, doi:10.1109/TSMC.1979.4310076; threshold, erosion and regrowth
    of the brain after Atkins and Mackiewich, IEEE Trans Med Imaging 1998;17:98,
    doi:10.1109/42.668699.
    """
    full = (magnitude.shape[0], magnitude.shape[1], magnitude.shape[2])
    brightness = np.empty(full, np.float32)
    echoes = np.ascontiguousarray(magnitude, np.float32).reshape(-1, magnitude.shape[3])
    _mean_of_echoes(echoes, brightness.reshape(-1))
    if not brightness.any():
        raise InputError("magnitude", "there is no signal in it.", "Give the magnitude images.")
    coarse = _resample(brightness, _coarse_shape(full, voxel_size, working_resolution))
    size = _size(full, coarse.shape, voxel_size)
    relative = _relative_brightness(coarse, size, bias_width)
    progress(0.3, "separating the brain")
    # Ventricles are holes to be filled; the gap between brain and a closed scalp is none.
    sure = fill_holes(relative > core_level, LARGEST_VENTRICLE_ML, size)
    brain = _separate(sure, size, progress)
    brain = fill_holes(close(brain, closing, size))
    progress(0.9, "full resolution")
    inward = depth(brain, size) - distance_to(brain, size)
    return np.asarray(_resample(inward, full) > 0, dtype=np.uint8)


@kernel(parallel=True)
def _mean_of_echoes(magnitude: FloatArray, brightness: FloatArray) -> None:
    """Mean of all echoes; 0 where it is not finite or not positive."""
    share = np.float32(1 / magnitude.shape[1])
    for v in prange(brightness.size):
        total = np.float32(0)
        for e in range(magnitude.shape[1]):
            total += magnitude[v, e]
        mean = total * share
        brightness[v] = mean if mean > 0 and mean - mean == 0 else np.float32(0)


def _coarse_shape(full: Shape, voxel_size: Size, resolution: float) -> Shape:
    x, y, z = (max(1, round(n * v / resolution)) for n, v in zip(full, voxel_size, strict=True))
    return (x, y, z)


def _resample(image: FloatArray, shape: Shape) -> FloatArray:
    """Linear, smoothed first along axes that become coarser."""
    blur = [max(0.0, 0.4 * (n / m - 1)) for n, m in zip(image.shape, shape, strict=True)]
    return resampled(gaussian(image, blur) if max(blur) > 0 else image, shape)


def _size(full: tuple[int, ...], coarse: tuple[int, ...], voxel_size: Size) -> Size:
    x, y, z = (n * v / m for n, v, m in zip(full, voxel_size, coarse, strict=True))
    return (x, y, z)


def _relative_brightness(image: FloatArray, size: Size, width: float) -> FloatArray:
    """Brightness over that of the tissue around, which is found along with it."""
    otsu: Callable[..., float] = filters.threshold_otsu
    level = otsu(image)
    tissue = image > 0.8 * level
    sigma = [width / s for s in size]
    relative = image
    for _ in range(4):
        weight = tissue.astype(np.float32)
        near = gaussian(weight, sigma)
        bias = gaussian(image * weight, sigma)
        relative = np.asarray(image * near / np.maximum(bias, 1e-3 * level), np.float32)
        tissue = (relative > 0.6) & (relative < 1.3) & (image > 0.5 * level)
    return relative


def _separate(sure: Bools, size: Size, progress: Progress) -> Bools:
    """The deepest part of the head, cut off from the rest where bridges are thin.

    With a growing radius of erosion the volume of the regrown part shrinks slowly, but falls where
    a bridge to scalp, muscle or eye breaks. The radius after the last fall is taken.
    """
    inward = depth(sure, size)
    volumes: list[int] = []
    parts: list[Bools] = []
    for index in steps(len(BRIDGE_RADII_MM), part(progress, 0.3, 0.9), "separating the brain"):
        radius = BRIDGE_RADII_MM[index]
        core = largest(inward > radius)
        if not core.any():
            break
        grown = sure & dilate(core, radius + 0.5 * min(size), size)
        parts.append(grown)
        volumes.append(int(grown.sum()))
    if not parts:
        return largest(sure)
    falls = [i for i in range(1, len(parts)) if volumes[i] < (1 - LEAK) * volumes[i - 1]]
    return parts[max(falls, default=0)]
