"""How much an image looks like a bright or a dark tube at one scale.

The second of the three curvatures tells: a tube is curved strongly across in both directions, a
sheet in one only, and along the tube there is next to none. Sato et al., Med Image Anal
1998;2:143, doi:10.1016/S1361-8415(98)80009-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import inner, kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray


def tube_response(
    smooth: FloatArray,
    inside: ByteArray,
    sigma: float,
    voxel_size: tuple[float, float, float],
) -> tuple[FloatArray, FloatArray]:
    """Response to bright and to dark tubes of radius about ``sigma``.

    Parameters
    ----------
    smooth : ndarray of float32, shape (X, Y, Z)
        Image smoothed by a Gaussian of ``sigma``.
    inside : ndarray of uint8, shape (X, Y, Z)
        Where the response is wanted; the border of the array gets none.
    sigma : float
        In mm.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    bright, dark : ndarray of float32, shape (X, Y, Z)
        In the unit of the image: sigma^2 times the second curvature, less half of the third where
        that has the same sign (a ball).
    """
    bright = np.zeros(smooth.shape, np.float32)
    dark = np.zeros(smooth.shape, np.float32)
    sx, sy, sz = (sigma / v for v in voxel_size)
    _curvatures(np.ascontiguousarray(smooth), inside, sx, sy, sz, bright, dark)
    return bright, dark


@inner
def _sorted_eigenvalues(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> tuple[float, float, float]:
    """Eigenvalues of [[a, d, e], [d, b, f], [e, f, c]], ascending."""
    mean = (a + b + c) / 3.0
    a, b, c = a - mean, b - mean, c - mean
    p = np.sqrt(max((a * a + b * b + c * c + 2.0 * (d * d + e * e + f * f)) / 6.0, 1e-30))
    r = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / (2.0 * p * p * p)
    angle = np.arccos(min(max(r, -1.0), 1.0)) / 3.0
    high = 2.0 * p * np.cos(angle)
    low = 2.0 * p * np.cos(angle + 2.0943951023931953)
    return mean + low, mean - high - low, mean + high


@kernel(parallel=True)
def _curvatures(
    image: NDArray[np.float32],
    inside: NDArray[np.uint8],
    sx: float,
    sy: float,
    sz: float,
    bright: NDArray[Any],
    dark: NDArray[Any],
) -> None:
    nx, ny, nz = image.shape
    for i in prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                if inside[i, j, k] == 0:
                    continue
                twice = 2.0 * image[i, j, k]
                xx = (image[i + 1, j, k] + image[i - 1, j, k] - twice) * sx * sx
                yy = (image[i, j + 1, k] + image[i, j - 1, k] - twice) * sy * sy
                zz = (image[i, j, k + 1] + image[i, j, k - 1] - twice) * sz * sz
                xy = (
                    image[i + 1, j + 1, k]
                    + image[i - 1, j - 1, k]
                    - image[i + 1, j - 1, k]
                    - image[i - 1, j + 1, k]
                ) * (0.25 * sx * sy)
                xz = (
                    image[i + 1, j, k + 1]
                    + image[i - 1, j, k - 1]
                    - image[i + 1, j, k - 1]
                    - image[i - 1, j, k + 1]
                ) * (0.25 * sx * sz)
                yz = (
                    image[i, j + 1, k + 1]
                    + image[i, j - 1, k - 1]
                    - image[i, j + 1, k - 1]
                    - image[i, j - 1, k + 1]
                ) * (0.25 * sy * sz)
                low, middle, high = _sorted_eigenvalues(xx, yy, zz, xy, xz, yz)
                bright[i, j, k] = max(0.0, -middle - 0.5 * max(0.0, -high))
                dark[i, j, k] = max(0.0, middle - 0.5 * max(0.0, low))
