"""The infarct core in a diffusion-weighted image, a day to three after the stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    Size,
    close,
    components,
    dilate,
    erode,
    fill_holes,
)
from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import Adc, Brain, Dwi, Infarct, Territories, VoxelSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

LEAST_BRIGHTNESS = 1.0
MCA = {"left": 3, "right": 4}


@method(cite=("10.1161/STROKEAHA.110.610618",), memory=16.5)
def infarct_dwi(
    dwi_aligned: Dwi,
    brain: Brain,
    territories: Territories,
    adc_aligned: Adc | None = None,
    *,
    voxel_size: VoxelSize,
    progress: Progress = silent,
    seed_score: Annotated[float, Interval(gt=0, le=20)] = 4.0,
    growth: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
    adc_weight: Annotated[float, Interval(ge=0, le=2)] = 0.5,
    smoothing: Annotated[float, Interval(ge=0, le=5), Unit("mm")] = 1.0,
    mirror_smoothing: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 3.0,
    bridge: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 4.0,
    closing: Annotated[float, Interval(ge=0, le=10), Unit("mm")] = 3.0,
    smallest_part: Annotated[float, Interval(ge=0, le=10), Unit("ml")] = 0.3,
) -> Infarct:
    """Propose the infarct: bright on DWI against the brain and against the other side.

    The score of a voxel is the smaller of two deviations, each in robust standard deviations: that
    of its DWI from the brain's median, and that of the ratio to its mirror place. A lowered ADC
    adds to it, a raised one (shine-through, fluid) takes away; no absolute value of the ADC
    decides, since it is normal again in many cores at 24 to 72 hours. What holds a sure seed in the
    territory of a middle cerebral artery is kept, on one side.

    Parameters
    ----------
    dwi_aligned : ndarray of float32, shape (X, Y, Z)
    brain : ndarray of uint8, shape (X, Y, Z)
    territories : ndarray of uint8, shape (X, Y, Z)
        Give the mid-sagittal plane, and where to look.
    adc_aligned : ndarray of float32, shape (X, Y, Z), optional
        In mm2/s.
    voxel_size : tuple of float
        In mm.
    progress : Progress
        May raise ``Cancelled``.
    seed_score : float
        Score that a place must reach to start a lesion, in robust standard deviations.
    growth : float
        A lesion reaches out to this fraction of the median asymmetry of its seed.
    adc_weight : float
        Weight of the ADC's deviation from the mirror place; 0 leaves it out.
    smoothing, mirror_smoothing : float
        Standard deviation of the smoothing of an image and of its mirror image.
    bridge : float
        What is thinner than this is no lesion and joins none.
    closing : float
        Gaps narrower than twice this are closed, and holes (haemorrhage) filled.
    smallest_part : float
        Parts below this volume are dropped.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        Empty where nothing stands out.

    Notes
    -----
    DWI lesions outlast those of the ADC: Campbell et al., Stroke 2012;43:91; here the DWI leads.
    """
    inside = (brain != 0) & (territories > 0) & (dwi_aligned > 0)
    result = np.zeros(brain.shape, np.uint8)
    if not inside.any():
        return result
    box = _box(inside)
    sides, inside = territories[box], inside[box]
    mirror = _mirror(sides, voxel_size)
    sigma = (smoothing, mirror_smoothing)
    bright = _robust(smooth_inside(dwi_aligned[box], inside, smoothing, voxel_size), inside)
    other = _deviation_from_mirror(dwi_aligned[box], inside, mirror, voxel_size, *sigma)
    progress(0.5, "asymmetry")
    if adc_aligned is not None and adc_weight > 0:
        lowered = -_deviation_from_mirror(adc_aligned[box], inside, mirror, voxel_size, *sigma)
        other = other + adc_weight * np.clip(lowered, -4, 2) * (other > 1)
    progress(0.8, "lesion")
    score = np.minimum(bright, other)
    lesion = _lesion(score, other * (bright > LEAST_BRIGHTNESS), inside, sides, seed_score, growth)
    lesion = dilate(erode(lesion, bridge / 2, voxel_size), bridge / 2, voxel_size) & lesion
    lesion = fill_holes(close(lesion, closing, voxel_size)) & (brain[box] != 0)
    result[box] = _main_parts(lesion, sides, score, smallest_part, voxel_size)
    return result


def _box(mask: Bools) -> tuple[slice, slice, slice]:
    x, y, z = ndimage.find_objects(mask.astype(np.int8))[0]
    return (x, y, z)


def _mirror(sides: ByteArray, voxel_size: Size) -> NDArray[np.float64]:
    """Voxel coordinates of the mirror place of each voxel, shape (3, X, Y, Z).

    The mid-sagittal plane is the one that best parts left labels (odd) from right ones (even):
    linear discriminant of the voxels near the border of the two.
    """
    size = np.array(voxel_size, dtype=np.float64)[:, None]
    left = np.stack(np.nonzero(sides % 2 == 1)) * size
    right = np.stack(np.nonzero((sides > 0) & (sides % 2 == 0))) * size
    scatter = np.cov(left) + np.cov(right) + 1e-6 * np.eye(3)
    normal = np.linalg.solve(scatter, right.mean(axis=1) - left.mean(axis=1))
    normal /= np.linalg.norm(normal)
    offset = 0.5 * normal @ (left.mean(axis=1) + right.mean(axis=1))
    place = np.indices(sides.shape) * size[:, :, None, None]
    distance = np.tensordot(normal, place, axes=1) - offset
    place -= 2 * normal[:, None, None, None] * distance
    return np.asarray(place / size[:, :, None, None])


def _robust(values: FloatArray, inside: Bools) -> FloatArray:
    """Deviation from the median in robust standard deviations."""
    middle = np.median(values[inside])
    spread = 1.4826 * np.median(np.abs(values[inside] - middle))
    return np.where(inside, (values - middle) / max(float(spread), 1e-12), 0).astype(np.float32)


def _deviation_from_mirror(
    image: FloatArray,
    inside: Bools,
    mirror: NDArray[np.float64],
    size: Size,
    sigma: float,
    mirror_sigma: float,
) -> FloatArray:
    """Log ratio of an image to its mirror image, in robust standard deviations."""
    own = smooth_inside(image, inside, sigma, size)
    other = np.where(inside, smooth_inside(image, inside, mirror_sigma, size), 0)
    other = ndimage.map_coordinates(other, mirror, order=1, mode="constant")
    both = inside & (own > 0) & (other > 0)
    floor = 0.1 * np.median(own[inside])
    ratio = np.where(both, np.log(np.maximum(own, floor) / np.maximum(other, floor)), 0)
    if not both.any():
        return np.zeros(image.shape, np.float32)
    return np.where(both, _robust(ratio.astype(np.float32), both), 0).astype(np.float32)


def _lesion(
    score: FloatArray,
    asymmetry: FloatArray,
    inside: Bools,
    sides: ByteArray,
    seed_score: float,
    growth: float,
) -> Bools:
    """Seeds in the territory of a middle cerebral artery, on the side with more, grown.

    They grow by the asymmetry alone: an infarct in white matter is less bright than one in grey.
    """
    seeds: dict[str, Bools]
    seeds = {s: inside & (score > seed_score) & (sides == label) for s, label in MCA.items()}
    side = max(seeds, key=lambda s: float(score[seeds[s]].sum()))
    seed = seeds[side]
    if not seed.any():
        return seed
    level = growth * float(np.median(asymmetry[seed]))
    reach = inside & (asymmetry > level) & (sides % 2 == MCA[side] % 2)
    labels, _ = ndimage.label(reach)
    touched = np.unique(labels[seed & reach])
    return np.asarray(np.isin(labels, touched[touched > 0]))


def _main_parts(
    lesion: Bools, sides: ByteArray, score: FloatArray, smallest: float, size: Size
) -> Bools:
    """The part with the most weight, and others of a tenth of its volume that lie in the MCA."""
    labels, counts = components(lesion)
    if counts.size == 0:
        return lesion
    number = np.arange(1, counts.size + 1)
    weight = ndimage.sum_labels(np.maximum(score, 0), labels, number)
    in_mca = ndimage.mean(np.isin(sides, list(MCA.values())), labels, number)
    main = int(weight.argmax())
    big = counts * np.prod(size) / 1000 >= smallest
    keep = big & (in_mca > 0.5) & (counts >= 0.1 * counts[main])
    keep[main] = True
    return np.asarray(np.concatenate([[False], keep])[labels])
