"""The infarct core in a diffusion-weighted image, a day to three after the stroke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
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
from napari_qsm_stroke.core.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

LEAST_BRIGHTNESS = 1.0
BLOOD_DARKNESS = 1.5
"""How far below its mirror place blood lies, in robust standard deviations. Sulci do not."""
MCA = {"left": 3, "right": 4}


@dataclass(frozen=True)
class LesionRules:
    """What counts as a lesion.

    Parameters
    ----------
    seed_score : float
        Score that a place must reach to start a lesion, in robust standard deviations.
    growth : float
        A lesion reaches out to this fraction of the median asymmetry of its seed.
    adc_weight : float
        Weight of the ADC's deviation from the mirror place; 0 leaves it out.
    smoothing, mirror_smoothing : float
        Standard deviation in mm of the smoothing of an image and of its mirror image.
    bridge : float
        What is thinner than this (mm) is no lesion and joins none.
    closing : float
        Gaps narrower than twice this (mm) are closed, and holes filled.
    blood_closing : float
        Gaps narrower than twice this (mm) that are darker than the other side are blood, and closed
        too.
    smallest_part : float
        Parts below this volume (ml) are dropped.
    """

    seed_score: float = 4.0
    growth: float = 0.5
    adc_weight: float = 0.5
    smoothing: float = 1.0
    mirror_smoothing: float = 3.0
    bridge: float = 4.0
    closing: float = 3.0
    blood_closing: float = 13.0
    smallest_part: float = 0.3


def find_lesion(
    dwi: FloatArray,
    brain: ByteArray,
    territories: ByteArray,
    adc: FloatArray | None,
    head: HeadCoordinates,
    *,
    voxel_size: Size,
    affine: NDArray[np.float64],
    rules: LesionRules,
    progress: Progress = silent,
) -> tuple[ByteArray, FloatArray]:
    """Find what is bright on DWI against the brain and against the other side.

    The score of a voxel is the smaller of two deviations, each in robust standard deviations: that
    of its DWI from the brain's median, and that of the ratio to its mirror place. A lowered ADC
    adds to it, a raised one (shine-through, fluid) takes away; no absolute value of the ADC
    decides, since it is normal again in many cores at 24 to 72 hours. What holds a sure seed in the
    territory of a middle cerebral artery is kept, on one side.

    Parameters
    ----------
    dwi : ndarray of float32, shape (X, Y, Z)
        Diffusion-weighted image.
    brain : ndarray of uint8, shape (X, Y, Z)
    territories : ndarray of uint8, shape (X, Y, Z)
        Arterial territories.
    adc : ndarray of float32, shape (X, Y, Z), or None
        In mm2/s.
    head : HeadCoordinates
        Say which places lie opposite each other.
    voxel_size : tuple of float
        In mm.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.
    rules : LesionRules
        What counts.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    lesion : ndarray of uint8, shape (X, Y, Z)
        Empty where nothing stands out.
    depth : ndarray of float32, shape (X, Y, Z)
        From -1 to 1, above 0 in the lesion: how far its asymmetry lies above the level down to
        which it reaches. Between voxels it tells where its border runs, a mask does not.

    Notes
    -----
    DWI lesions outlast those of the ADC: Campbell et al., Stroke 2012;43:91,
    doi:10.1161/STROKEAHA.110.610618; here the DWI leads.
    """
    inside = (brain != 0) & (territories > 0) & (dwi > 0)
    result, depth = np.zeros(brain.shape, np.uint8), np.full(brain.shape, -1, np.float32)
    if not inside.any():
        return result, depth
    box = _box(inside)
    sides, inside = territories[box], inside[box]
    corner = np.array([s.start for s in box])
    mirror = _mirror(inside, head, affine, corner)
    sigma = (rules.smoothing, rules.mirror_smoothing)
    bright = _robust(smooth_inside(dwi[box], inside, rules.smoothing, voxel_size), inside)
    other = _deviation_from_mirror(dwi[box], inside, mirror, voxel_size, *sigma)
    # scanners set to 0 what falls below their threshold, as blood does
    dark = (other < -BLOOD_DARKNESS) | ((brain[box] != 0) & (dwi[box] <= 0))
    progress(0.5, "asymmetry")
    if adc is not None and rules.adc_weight > 0:
        lowered = -_deviation_from_mirror(adc[box], inside, mirror, voxel_size, *sigma)
        other = other + rules.adc_weight * np.clip(lowered, -4, 2) * (other > 1)
    progress(0.8, "lesion")
    score = np.minimum(bright, other)
    reach = other * (bright > LEAST_BRIGHTNESS)
    lesion, level = _lesion(score, reach, inside, sides, rules.seed_score, rules.growth)
    lesion = _whole(lesion, dark, voxel_size, rules) & (brain[box] != 0)
    result[box] = _main_parts(lesion, sides, score, rules.smallest_part, voxel_size)
    depth[box] = _depth(result[box] != 0, reach, level)
    return result, depth


def _box(mask: Bools) -> tuple[slice, slice, slice]:
    x, y, z = ndimage.find_objects(mask.astype(np.int8))[0]
    return (x, y, z)


def _mirror(
    inside: Bools, head: HeadCoordinates, affine: NDArray[np.float64], corner: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Voxel coordinates of the mirror place of each voxel inside, shape (3, n)."""
    points = (np.argwhere(inside) + corner) @ affine[:3, :3].T + affine[:3, 3]
    there = np.linalg.inv(affine)
    opposite: NDArray[np.float64] = head.mirrored(points) @ there[:3, :3].T + there[:3, 3]
    return (opposite - corner).T


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
    smooth = np.where(inside, smooth_inside(image, inside, mirror_sigma, size), 0)
    other = np.zeros_like(smooth)
    other[inside] = ndimage.map_coordinates(smooth, mirror, order=1, mode="constant")
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
) -> tuple[Bools, float]:
    """Seeds in the territory of a middle cerebral artery, on the side with more, grown.

    And the level of asymmetry that they reach out to.

    They grow by the asymmetry alone: an infarct in white matter is less bright than one in grey.
    """
    seeds: dict[str, Bools]
    seeds = {s: inside & (score > seed_score) & (sides == label) for s, label in MCA.items()}
    side = max(seeds, key=lambda s: float(score[seeds[s]].sum()))
    seed = seeds[side]
    if not seed.any():
        return seed, np.inf
    level = growth * float(np.median(asymmetry[seed]))
    reach = inside & (asymmetry > level) & (sides % 2 == MCA[side] % 2)
    labels, _ = ndimage.label(reach)
    touched = np.unique(labels[seed & reach])
    return np.asarray(np.isin(labels, touched[touched > 0])), level


def _whole(lesion: Bools, dark: Bools, size: Size, rules: LesionRules) -> Bools:
    """Without what is thin, with its gaps and with the blood in it.

    Blood is dark on DWI, and where it reaches the border of the lesion it is no hole in it. Voxels
    between the two hold some of both and are neither bright nor dark: closed after it.
    """
    half = rules.bridge / 2
    lesion = dilate(erode(lesion, half, size), half, size) & lesion
    lesion = fill_holes(close(lesion, rules.closing, size))
    around = close(lesion, rules.blood_closing, size)
    return fill_holes(close(lesion | (around & dark), rules.closing, size) & around)


def _depth(lesion: Bools, asymmetry: FloatArray, level: float) -> FloatArray:
    """Asymmetry over the level less 1, where the two agree; else they are as sure as can be."""
    depth = np.clip(asymmetry / np.float32(level) - 1, -1, 1)
    sure = np.where(lesion, np.float32(1), np.float32(-1))
    return np.where((depth > 0) == lesion, depth, sure).astype(np.float32)


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
