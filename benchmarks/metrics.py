"""Measures of a map against its truth: arrays in, numbers out.

Regions are arrays of bool. Errors and recoveries are in percent. A constant never counts: field
and susceptibility are known up to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from napari_qsm_stroke.core.physics.deformation import apply_affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.deformation import Deformation
    from napari_qsm_stroke.core.quantities import ByteArray

    Bools = NDArray[np.bool_]
    Array = NDArray[Any]

HFEN_SIGMA = 1.5
"""Of the Laplacian of a Gaussian, in voxels; its window is 15 voxels wide."""
XSIM_SIGMA = 1.5
XSIM_C1, XSIM_C2 = 0.01**2, 0.001**2
"""Constants for maps in ppm with a range of 1 ppm."""
STREAK_MM = (3.0, 7.0)
LEAST_VOXELS = 10
"""A nucleus of fewer voxels has no mean worth a point of the regression."""


def nrmse(found: Array, truth: Array, region: Bools) -> float:
    """Norm of the error over that of the truth, each less its mean over the region."""
    a, b = _centred(found, region), _centred(truth, region)
    return float(100 * np.linalg.norm(a - b) / np.linalg.norm(b))


def detrended_nrmse(found: Array, truth: Array, region: Bools) -> float:
    """NRMSE after the map is scaled and shifted to fit the truth best.

    The line is fitted with the truth as the dependent variable and the map as the independent one;
    what is left equals ``sqrt(1 - r^2)`` for the correlation r. A map that is zero leaves 100.
    """
    a, b = _centred(found, region), _centred(truth, region)
    power = float(a @ a)
    factor = float(a @ b) / power if power else 0.0
    return float(100 * np.linalg.norm(factor * a - b) / np.linalg.norm(b))


def slope(found: Array, truth: Array, region: Bools) -> float:
    """Slope of the map on the truth over the voxels of a region."""
    a, b = _centred(found, region), _centred(truth, region)
    return float((a @ b) / (b @ b))


def recovery(found: Array, truth: Array, part: Bools, whole: Bools) -> float:
    """Mean contrast of a part against the whole, in percent of the true contrast."""
    contrasts = [_mean(values, part) - _mean(values, whole) for values in (found, truth)]
    return 100 * contrasts[0] / contrasts[1]


def labels_slope(found: Array, truth: Array, labels: Array, region: Bools) -> float:
    """Slope of the map on the truth over the means of labelled regions; NaN for fewer than two."""
    means = []
    for label in np.unique(labels[labels > 0]):
        mask = (labels == label) & region
        if mask.sum() >= LEAST_VOXELS:
            means.append((_mean(truth, mask), _mean(found, mask)))
    if len(means) < 2:
        return float("nan")
    x, y = np.array(means).T
    return float(np.polyfit(x, y, 1)[0])


def hfen(found: Array, truth: Array, region: Bools) -> float:
    """High-frequency error norm: NRMSE of the two maps after a Laplacian of a Gaussian.

    Ravishankar and Bresler, IEEE Trans Med Imaging 2011;30:1028, doi:10.1109/TMI.2010.2090538.
    Both maps are taken against their means over the region and are zero outside it, so that what
    lies outside does not count.
    """
    a, b = (
        ndimage.gaussian_laplace(
            np.where(region, values - _mean(values, region), 0.0), HFEN_SIGMA, radius=7
        )[region]
        for values in (found, truth)
    )
    return float(100 * np.linalg.norm(a - b) / np.linalg.norm(b))


def xsim(found: Array, truth: Array, region: Bools, radius: int = 1) -> float:
    """Structural similarity in ppm with the constants for susceptibility; 1 is equality.

    Milovic et al., Magn Reson Med 2025;93:411, doi:10.1002/mrm.30271. Both maps are taken against
    their means over the region. The window is a Gaussian of 1.5 voxels cut to 3 x 3 x 3.

    Parameters
    ----------
    found, truth : ndarray
        In ppm.
    region : ndarray of bool
        Where the similarity is averaged.
    radius : int
        Of the window in voxels.
    """

    def local(values: Array) -> Array:
        smooth: Array = ndimage.gaussian_filter(values, XSIM_SIGMA, radius=radius)
        return smooth

    x, y = (values.astype(np.float64) - _mean(values, region) for values in (found, truth))
    mean_x, mean_y = local(x), local(y)
    square_x, square_y, product = local(x * x), local(y * y), local(x * y)
    same_mean = (2 * mean_x * mean_y + XSIM_C1) / (mean_x**2 + mean_y**2 + XSIM_C1)
    covariance = product - mean_x * mean_y
    variances = square_x - mean_x**2 + square_y - mean_y**2
    similarity = same_mean * (2 * covariance + XSIM_C2) / (variances + XSIM_C2)
    return float(similarity[region].mean())


def streaks(
    found: Array, truth: Array, source: Bools, region: Bools, voxel_size: tuple[float, float, float]
) -> float:
    """Standard deviation of the error around a strong source, in percent of its true contrast.

    Around means 3 to 7 mm away from it, within the region.
    """
    distance = ndimage.distance_transform_edt(~source, sampling=voxel_size)
    near = region & (distance > STREAK_MM[0]) & (distance <= STREAK_MM[1])
    contrast = abs(_mean(truth, source) - _mean(truth, region))
    return float(100 * np.std((found - truth)[near], dtype=np.float64) / contrast)


def change(values: Array, core: Bools, other: Bools, brain: Bools) -> float:
    """Change in percent of the median of one region against another, both against the brain."""
    level = _mean(values, brain)
    return float(100 * ((np.median(values[core]) - level) / (np.median(values[other]) - level) - 1))


def field_error(found: Array, truth: Array, region: Bools) -> tuple[float, float]:
    """Median and 99th percentile of the absolute error less its median, in the unit of the maps."""
    error = (found.astype(np.float64) - truth)[region]
    size = np.abs(error - np.median(error))
    return float(np.median(size)), float(np.percentile(size, 99))


def turns(unwrapped: Array, expected: Array, region: Bools) -> float:
    """Share of the voxels, in percent, in which the phase is off by a turn or more.

    Parameters
    ----------
    unwrapped : ndarray of shape (X, Y, Z)
        Phase of one echo in rad.
    expected : ndarray of shape (X, Y, Z)
        True phase, up to a smooth offset of the coils: a polynomial of second order, which is
        fitted to all voxels that are not off by a turn.
    region : ndarray of bool
        Where to count.
    """
    error = (unwrapped.astype(np.float64) - expected)[region]
    axes = [
        2 * i / max(n - 1, 1) - 1 for i, n in zip(np.nonzero(region), region.shape, strict=True)
    ]
    powers = [p for p in np.ndindex(3, 3, 3) if sum(p) <= 2]
    design = np.stack([axes[0] ** i * axes[1] ** j * axes[2] ** k for i, j, k in powers], axis=1)
    rest = error - np.median(error)
    for _ in range(3):
        kept = np.abs(rest) < np.pi
        rest = error - design @ np.linalg.lstsq(design[kept], error[kept], rcond=None)[0]
    return float(100 * np.mean(np.abs(rest) > np.pi))


def dice(found: Bools, truth: Bools) -> float:
    """Twice what two masks share over the sum of both."""
    return float(2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1))


def centre_line(mask: Bools) -> Bools:
    """Thin a mask of tubes to lines of one voxel."""
    line: Bools = np.asarray(skeletonize(mask)) != 0
    return line


def centre_line_dice(found: Bools, truth: Bools, truth_line: Bools) -> float:
    """Harmonic mean of how much of each mask's centre line lies within the other mask.

    Shit et al., CVPR 2021:16560, doi:10.1109/CVPR46437.2021.01629.

    Parameters
    ----------
    found, truth : ndarray of bool
        Masks of tubes.
    truth_line : ndarray of bool
        ``centre_line`` of the truth.
    """
    line = centre_line(found)
    precision = truth[line].mean() if line.any() else 0.0
    sensitivity = found[truth_line].mean() if truth_line.any() else 0.0
    return float(2 * precision * sensitivity / max(precision + sensitivity, 1e-9))


def _centred(values: Array, region: Bools) -> NDArray[np.float64]:
    inside = values[region].astype(np.float64)
    centred: NDArray[np.float64] = inside - inside.mean()
    return centred


def _mean(values: Array, region: Bools) -> float:
    return float(values[region].mean(dtype=np.float64))


def wrong_side_mm(
    territories: ByteArray,
    brain: NDArray[np.bool_],
    deformation: Deformation,
    affine: NDArray[np.float64],
) -> float:
    """How far across the true mid-surface a label of the other side lies, at most."""
    index = np.argwhere((territories > 0) & brain).astype(np.float64)
    across = deformation.to_template(apply_affine(affine, index))[:, 0]
    left = territories[tuple(index.astype(int).T)] % 2 == 1
    return float(np.abs(across[left != (across < 0)]).max(initial=0.0))
