"""How much an image looks like a bright or a dark tube at one scale.

The second of the three curvatures tells: a tube is curved strongly across in both directions, a
sheet in one only, and along the tube there is next to none. Sato et al., Med Image Anal
1998;2:143, doi:10.1016/S1361-8415(98)80009-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.angles import (
    HALF,
    ONE,
    TINY,
    TWO,
    ZERO,
    angle_of,
    cosine_sine,
)
from napari_qsm_stroke.core.numerics.compiled import inner, kernel, prange, routine

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

QUARTER, THIRD, SIXTH, ROOT3 = (np.float32(v) for v in (1 / 4, 1 / 3, 1 / 6, 3**0.5))


def tube_response(
    smooth: FloatArray,
    inside: ByteArray,
    sigma: float,
    voxel_size: tuple[float, float, float],
) -> FloatArray:
    """Response to tubes of radius about ``sigma``: positive to bright ones, negative to dark.

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
    ndarray of float32, shape (X, Y, Z)
        In the unit of the image: sigma^2 times the second curvature, less half of the third where
        that has the same sign (a ball); turned so that a bright tube is positive.
    """
    response = np.zeros(smooth.shape, np.float32)
    scales = np.array([sigma / v for v in voxel_size], np.float32)
    _responses(np.ascontiguousarray(smooth), np.ascontiguousarray(inside), scales, response)
    return response


def ridges(response: FloatArray) -> FloatArray:
    """Positive values that none of the 26 values around exceeds."""
    highest = np.zeros(response.shape, np.float32)
    _ridges(response, highest)
    values: FloatArray = highest[highest > 0]
    return values


@inner
def _middle_and_outer(
    a: np.float32, b: np.float32, c: np.float32, d: np.float32, e: np.float32, f: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Eigenvalues of [[a, d, e], [d, b, f], [e, f, c]]: lowest, middle, highest."""
    mean = (a + b + c) * THIRD
    a, b, c = a - mean, b - mean, c - mean
    square = a * a + b * b + c * c + TWO * (d * d + e * e + f * f)
    p = np.sqrt(max(square * SIXTH, TINY))
    a, b, c, d, e, f = a / p, b / p, c / p, d / p, e / p, f / p
    r = HALF * (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e))
    r = min(max(r, -ONE), ONE)
    angle = angle_of(r, np.sqrt(ONE - r * r)) * THIRD
    cosine, sine = cosine_sine(angle)
    high = TWO * p * cosine
    low = -p * (cosine + ROOT3 * sine)
    return mean + low, mean - high - low, mean + high


@kernel(parallel=True)
def _responses(
    image: FloatArray, inside: ByteArray, scales: FloatArray, response: FloatArray
) -> None:
    nx, ny, nz = image.shape
    for i in prange(1, nx - 1):
        rows = np.empty((9, nz), np.float32)
        line = np.empty(nz, np.float32)
        for j in range(1, ny - 1):
            first, last = nz, 0
            for k in range(1, nz - 1):
                if inside[i, j, k] != 0:
                    first, last = min(first, k), k + 1
            if first >= last:
                continue
            for n in range(9):
                rows[n] = image[i + n // 3 - 1, j + n % 3 - 1]
            _row(rows, scales, line)
            for k in range(first, last):
                response[i, j, k] = line[k] if inside[i, j, k] != 0 else ZERO


@routine
def _row(rows: FloatArray, scales: FloatArray, response: FloatArray) -> None:
    """Responses along a line of voxels, from the nine lines around it."""
    size = response.size - 2
    here, result = rows[4], response[1 : size + 1]
    middle, back, ahead = here[1 : size + 1], here[:size], here[2:]
    left, right = rows[1][1 : size + 1], rows[7][1 : size + 1]
    below, above = rows[3][1 : size + 1], rows[5][1 : size + 1]
    corner0, corner1 = rows[0][1 : size + 1], rows[8][1 : size + 1]
    corner2, corner3 = rows[6][1 : size + 1], rows[2][1 : size + 1]
    xz0, xz1, xz2, xz3 = rows[1][:size], rows[7][2:], rows[1][2:], rows[7][:size]
    yz0, yz1, yz2, yz3 = rows[3][:size], rows[5][2:], rows[3][2:], rows[5][:size]
    sx, sy, sz = scales[0], scales[1], scales[2]
    for k in range(size):
        twice = TWO * middle[k]
        xx = (right[k] + left[k] - twice) * sx * sx
        yy = (above[k] + below[k] - twice) * sy * sy
        zz = (ahead[k] + back[k] - twice) * sz * sz
        xy = (corner1[k] + corner0[k] - corner2[k] - corner3[k]) * (QUARTER * sx * sy)
        xz = (xz1[k] + xz0[k] - xz2[k] - xz3[k]) * (QUARTER * sx * sz)
        yz = (yz1[k] + yz0[k] - yz2[k] - yz3[k]) * (QUARTER * sy * sz)
        low, central, high = _middle_and_outer(xx, yy, zz, xy, xz, yz)
        bright = max(ZERO, -central - HALF * max(ZERO, -high))
        dark = max(ZERO, central - HALF * max(ZERO, low))
        result[k] = bright - dark


@kernel(parallel=True)
def _ridges(response: FloatArray, highest: FloatArray) -> None:
    nx, ny, nz = response.shape
    for i in prange(nx):
        before, after = np.empty(nz, np.float32), np.empty(nz, np.float32)
        for j in range(ny):
            before[:] = ZERO
            for x in range(max(i - 1, 0), min(i + 2, nx)):
                for y in range(max(j - 1, 0), min(j + 2, ny)):
                    _larger(before, response[x, y], after)
                    before, after = after, before
            here = response[i, j]
            for k in range(nz):
                around = max(before[max(k - 1, 0)], before[k], before[min(k + 1, nz - 1)])
                highest[i, j, k] = here[k] if ZERO < here[k] >= around else ZERO


@routine
def _larger(one: FloatArray, other: FloatArray, result: FloatArray) -> None:
    for k in range(result.size):
        result[k] = one[k] if one[k] > other[k] else other[k]
